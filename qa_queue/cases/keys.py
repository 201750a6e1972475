"""The shapes of mappings: which keys there may be, and what each holds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qa_queue.cases.document_path import INVALID, DocumentPath, Invalid, kind_text
from qa_queue.cases.shapes import Schema, Shape, Text

NAME_PATTERN = "[A-Za-z_][A-Za-z0-9_]*"


@dataclass(frozen=True)
class TextMap:
    """A mapping from names to texts."""

    def read(self, place: DocumentPath, value: Any) -> dict[str, str] | Invalid:
        """The mapping."""
        if not isinstance(value, dict):
            return place.wrong(f"expected a mapping of names to texts, got {kind_text(value)}")
        texts = {name: self._entry(place.at(name), name, text) for name, text in value.items()}
        return INVALID if INVALID in texts.values() else texts

    @staticmethod
    def _entry(place: DocumentPath, name: str, text: Any) -> Any:
        if not re.fullmatch(NAME_PATTERN, name):
            return place.wrong("a name has letters, digits and _ and does not start with a digit")
        return Text().read(place, text)

    def schema(self) -> Schema:
        """An object of strings."""
        names = {"pattern": f"^{NAME_PATTERN}$"}
        return {"type": "object", "propertyNames": names, "additionalProperties": {"type": "string"}}


@dataclass(frozen=True)
class Field:
    """One key of a mapping. `attr` is the model's name for it, where the file's differs."""

    shape: Shape
    about: str
    required: bool = False
    attr: str | None = None
    nullable: bool = False

    def schema(self) -> Schema:
        """The value's schema with the description that editors show."""
        inner = self.shape.schema()
        if self.nullable:
            inner = {"anyOf": [inner, {"type": "null"}]}
        return inner | {"description": self.about}


@dataclass(frozen=True)
class Keys:
    """The keys that a mapping may have; `later` are those of the format that this version lacks."""

    fields: Mapping[str, Field]
    noun: str = "key"
    later: frozenset[str] = frozenset()

    def read(self, place: DocumentPath, value: dict[str, Any]) -> dict[str, Any] | Invalid:
        """The values that were given, by the model's names."""
        results = {self.attr(key): self._entry(place.at(key), key, item) for key, item in value.items()}
        for key, spec in self.fields.items():
            if spec.required and self.attr(key) not in results:
                results[self.attr(key)] = place.wrong(f"{key!r} is missing")
        if INVALID in results.values():
            return INVALID
        return {name: item for name, item in results.items() if item is not None}

    def attr(self, key: str) -> str:
        """The model's name of a key."""
        return self.fields[key].attr or key if key in self.fields else key

    def _entry(self, place: DocumentPath, key: str, value: Any) -> Any:
        if key not in self.fields:
            return place.unknown(self.noun, key, self.fields.keys(), self.later)
        if value is None and self.fields[key].nullable:
            return None
        return self.fields[key].shape.read(place, value)

    def schema(self) -> Schema:
        """An object with these properties and no others."""
        required = [key for key, spec in self.fields.items() if spec.required]
        body: Schema = {
            "type": "object",
            "properties": {key: spec.schema() for key, spec in self.fields.items()},
            "additionalProperties": False,
        }
        return body | ({"required": required} if required else {})
