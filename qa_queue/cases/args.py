"""The shape of an action's arguments: its keys, its bare form, and which keys go together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qa_queue.cases.document_path import INVALID, DocumentPath, Invalid, kind_text
from qa_queue.cases.keys import Keys
from qa_queue.cases.model import LOCATOR_KINDS, Args
from qa_queue.cases.shapes import Schema, Text


@dataclass(frozen=True)
class ArgsShape:
    """The arguments of one action.

    `bare` is the key that a value stands for when it is no mapping (`goto: /login`). Exactly one of the keys
    `one_of` is given; `needs` maps a key to another that it goes with, `excludes` to one that it does not.
    """

    model: type[Args]
    about: str
    keys: Keys
    bare: str | None = None
    empty: bool = False
    one_of: tuple[str, ...] = ()
    needs: Mapping[str, str] = field(default_factory=dict)
    excludes: Mapping[str, str] = field(default_factory=dict)

    def read(self, place: DocumentPath, value: Any) -> Args | Invalid:
        """The arguments as the model's class for this action."""
        if self.empty and (value is None or value is True):
            return self.model()
        if not isinstance(value, dict) and self.bare:
            inner = self.keys.fields[self.bare].shape.read(place, value)
            return inner if inner is INVALID else self.model(**{self.bare: inner})
        if not isinstance(value, dict):
            return place.wrong(f"expected a mapping with {self._expected()}, got {kind_text(value)}")
        misplaced = [key for key in LOCATOR_KINDS if key in value and key not in self.keys.fields]
        if misplaced and "target" in self.keys.fields:
            return place.at(misplaced[0]).wrong(f"{misplaced[0]!r} belongs to the target: write it under 'target'")
        return self._build(place, value)

    def _build(self, place: DocumentPath, value: dict[str, Any]) -> Args | Invalid:
        values = self.keys.read(place, value)
        problems = [self._one_of_problem(value), *self._companion_problems(value)]
        found = [place.wrong(problem) for problem in problems if problem]
        return INVALID if values is INVALID or found else self.model(**values)

    def _one_of_problem(self, value: dict[str, Any]) -> str | None:
        given = [key for key in self.one_of if key in value]
        if not self.one_of or len(given) == 1:
            return None
        if given:
            return f"{' and '.join(map(repr, given))} exclude each other: write a step for each"
        return f"gives none of {', '.join(key for key in self.one_of if not key.startswith('to_'))}"

    def _companion_problems(self, value: dict[str, Any]) -> list[str]:
        missing = [
            f"{key!r} needs {other!r}" for key, other in self.needs.items() if key in value and other not in value
        ]
        return missing + [
            f"{key!r} goes without {other!r}"
            for key, other in self.excludes.items()
            if key in value and other in value
        ]

    def _expected(self) -> str:
        wanted = [key for key, spec in self.keys.fields.items() if spec.required] or ["target"]
        return " and ".join(map(repr, wanted))

    def schema(self) -> Schema:
        """The mapping, and the bare form where there is one."""
        mapping = self.keys.schema()
        if self.one_of:
            mapping["oneOf"] = [{"required": [key]} for key in self.one_of]
        if self.needs:
            mapping["dependentRequired"] = {key: [other] for key, other in self.needs.items()}
        if self.excludes:
            mapping["allOf"] = [{"not": {"required": [key, other]}} for key, other in self.excludes.items()]
        forms = [mapping]
        if self.bare:
            forms.insert(0, _text_form(self.keys.fields[self.bare].shape.schema()))
        if self.empty:
            forms.append({"enum": [None, True]})
        return {"description": self.about, **(forms[0] if len(forms) == 1 else {"anyOf": forms})}


def _text_form(schema: Schema) -> Schema:
    """The schema of a bare value: always text, also where the key itself could hold a mapping."""
    return schema if schema.get("type") == "string" else Text(min_length=1).schema()
