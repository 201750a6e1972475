"""What a value in a case file may look like. Each shape reads a value and writes its own JSON Schema, so that
the parser and the published schema cannot drift apart. `keys` has the shapes of mappings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Protocol

from qa_queue.cases.document_path import INVALID, DocumentPath, Invalid, did_you_mean, kind_text
from qa_queue.cases.urls import scheme_problem

Schema = dict[str, Any]
DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)")
DURATION_PATTERN = r"^\d+(\.\d+)?\s*(ms|s|m|h)$"
MAX_DURATION_MS = 24 * 3_600_000
_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}


class Shape(Protocol):
    """Reads one value and describes it."""

    def read(self, place: DocumentPath, value: Any) -> Any:
        """The value as the model wants it, or INVALID after its problems were reported."""

    def schema(self) -> Schema:
        """JSON Schema (draft 2020-12) of what `read` accepts."""


@dataclass(frozen=True)
class Text:
    """Text; numbers are refused, because YAML has already changed what was written (007, 1.10)."""

    min_length: int = 0
    max_length: int | None = None

    def read(self, place: DocumentPath, value: Any) -> str | Invalid:
        """The text."""
        if not isinstance(value, str):
            mend = "; put it in quotes" if isinstance(value, (int, float)) else ""
            return place.wrong(f"expected text, got {kind_text(value)}{mend}")
        if len(value) < self.min_length:
            return place.wrong("must not be empty")
        if self.max_length is not None and len(value) > self.max_length:
            return place.wrong(f"is {len(value)} characters long; {self.max_length} are allowed")
        return value

    def schema(self) -> Schema:
        """A string with its limits."""
        limits = {"minLength": self.min_length, "maxLength": self.max_length}
        return {"type": "string"} | {name: limit for name, limit in limits.items() if limit}


@dataclass(frozen=True)
class UrlText(Text):
    """The URL of a page, as `qa_queue.cases.urls` allows it."""

    def read(self, place: DocumentPath, value: Any) -> str | Invalid:
        """The text."""
        text = super().read(place, value)
        problem = None if text is INVALID else scheme_problem(text)
        return place.wrong(problem) if problem else text


@dataclass(frozen=True)
class Flag:
    """true or false."""

    def read(self, place: DocumentPath, value: Any) -> bool | Invalid:
        """The boolean."""
        return value if isinstance(value, bool) else place.wrong(f"expected true or false, got {kind_text(value)}")

    def schema(self) -> Schema:
        """A boolean."""
        return {"type": "boolean"}


@dataclass(frozen=True)
class Number:
    """A number within limits; `whole` refuses fractions."""

    least: float | None = None
    most: float | None = None
    whole: bool = True

    def read(self, place: DocumentPath, value: Any) -> int | float | Invalid:
        """The number."""
        kinds = int if self.whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds):
            noun = "a whole number" if self.whole else "a number"
            return place.wrong(f"expected {noun}, got {kind_text(value)}")
        if (self.least is not None and value < self.least) or (self.most is not None and value > self.most):
            return place.wrong(f"{value} is out of range: {self._range()}")
        return value

    def _range(self) -> str:
        if self.most is None:
            return f"at least {self.least}"
        return f"{self.least} to {self.most}"

    def schema(self) -> Schema:
        """An integer or number with its limits."""
        limits = {"minimum": self.least, "maximum": self.most}
        kind = "integer" if self.whole else "number"
        return {"type": kind} | {name: limit for name, limit in limits.items() if limit is not None}


@dataclass(frozen=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    def read(self, place: DocumentPath, value: Any) -> str | Invalid:
        """The word."""
        if isinstance(value, str) and value in self.words:
            return value
        hint = did_you_mean(value, self.words) if isinstance(value, str) else ""
        return place.wrong(
            f"{kind_text(value)} is not one of {', '.join(self.words)}{hint.partition('; known')[0]}"
        )

    def schema(self) -> Schema:
        """An enumeration."""
        return {"enum": list(self.words)}


@dataclass(frozen=True)
class Duration:
    """A time as `500ms`, `5s`, `1.5s`, `1m`, `1h`, or a whole number of milliseconds; read as ms."""

    def read(self, place: DocumentPath, value: Any) -> int | Invalid:
        """The duration in ms."""
        parsed = parse_duration(value)
        if parsed is None:
            return place.wrong(
                f"{kind_text(value)} is no duration; write 500ms, 5s, 1m or a number of milliseconds"
            )
        if not 1 <= parsed <= MAX_DURATION_MS:
            return place.wrong(f"{kind_text(value)} is out of range: 1ms to 24h")
        return parsed

    def schema(self) -> Schema:
        """A pattern or an integer."""
        return {
            "anyOf": [
                {"type": "string", "pattern": DURATION_PATTERN},
                {"type": "integer", "minimum": 1, "maximum": MAX_DURATION_MS},
            ]
        }


@dataclass(frozen=True)
class ListOf:
    """A list; with `or_one` a single item may stand without its list."""

    item: Shape
    or_one: bool = False
    min_length: int = 0
    max_length: int | None = None

    def read(self, place: DocumentPath, value: Any) -> tuple[Any, ...] | Invalid:
        """The items as a tuple."""
        if self.or_one and not isinstance(value, list):
            only = self.item.read(place, value)
            return only if only is INVALID else (only,)
        if not isinstance(value, list):
            return place.wrong(f"expected a list, got {kind_text(value)}")
        if not self.min_length <= len(value) <= (self.max_length or len(value)):
            return place.wrong(self._length_text(len(value)))
        items = tuple(self.item.read(place.at(index), item) for index, item in enumerate(value))
        return INVALID if INVALID in items else items

    def _length_text(self, length: int) -> str:
        if self.min_length == self.max_length:
            return f"expected {self.min_length} items, got {length}"
        return "must not be empty" if length < self.min_length else f"has more than {self.max_length} items"

    def schema(self) -> Schema:
        """An array, or the item alone."""
        array: Schema = {"type": "array", "items": self.item.schema()}
        if self.min_length:
            array["minItems"] = self.min_length
        if self.max_length:
            array["maxItems"] = self.max_length
        return {"anyOf": [self.item.schema(), array]} if self.or_one else array


@dataclass(frozen=True)
class Nothing:
    """Only an explicit null: a key of the format whose values are not supported yet."""

    def read(self, place: DocumentPath, value: Any) -> Invalid | None:
        """None."""
        if value is None:
            return None
        return place.wrong(f"{place.path[-1]!r} is part of the format but not supported by this version")

    def schema(self) -> Schema:
        """Null."""
        return {"type": "null"}


def parse_duration(value: Any) -> int | None:
    """Milliseconds of `500ms`, `1.5s`, `1m`, `1h` or a whole number of ms; None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    return round(float(match[1]) * _UNIT_MS[match[2]]) if match else None
