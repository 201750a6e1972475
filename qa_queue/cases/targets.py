"""How a target is written: `"#go"`, or a mapping with exactly one kind of locator, narrowed, with fallbacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qa_queue.cases.document_path import INVALID, DocumentPath, Invalid, kind_text
from qa_queue.cases.keys import Field, Keys
from qa_queue.cases.later import LATER_TARGET_KEYS
from qa_queue.cases.model import LOCATOR_KINDS, Target
from qa_queue.cases.shapes import Flag, ListOf, Number, Schema, Text

_FULL = Text(min_length=1)
_ROLE_ONLY = ("checked", "level")
_POSITIONS = ("nth", "first", "last")


@dataclass(frozen=True)
class TargetShape:
    """A target, with targets inside it."""

    def read(self, place: DocumentPath, value: Any) -> Target | Invalid:
        """The target. A bare string is a Playwright selector."""
        if isinstance(value, str):
            selector = _FULL.read(place, value)
            return selector if selector is INVALID else Target(selector=selector)
        if not isinstance(value, dict):
            return place.wrong(f"expected a selector or a mapping such as {{role: button}}, got {kind_text(value)}")
        values = TARGET_KEYS.read(place, value)
        if values is INVALID:
            return INVALID
        problems = [problem for problem in (_kind_problem(values), _position_problem(value)) if problem]
        problems += [
            f"{key!r} goes with 'role' only" for key in _ROLE_ONLY if key in values and "role" not in values
        ]
        if problems:
            return place.wrong("; ".join(problems))
        return _target(values)

    def schema(self) -> Schema:
        """A reference, because targets hold targets."""
        return {"$ref": "#/$defs/target"}


def _kind_problem(values: dict[str, Any]) -> str | None:
    kinds = [kind for kind in LOCATOR_KINDS if kind in values and not (kind == "name" and "role" in values)]
    if not kinds:
        return f"names no element: give one of {', '.join(LOCATOR_KINDS)}"
    if len(kinds) > 1:
        named = " and ".join(repr(kind) for kind in kinds)
        return f"{named} each name an element: keep one, and move the others to 'fallbacks'"
    return None


def _position_problem(value: dict[str, Any]) -> str | None:
    given = [key for key in _POSITIONS if key in value]
    return f"{' and '.join(map(repr, given))} exclude each other" if len(given) > 1 else None


def _target(values: dict[str, Any]) -> Target:
    first, last = values.pop("first", False), values.pop("last", False)
    if first or last:
        values["nth"] = 0 if first else -1
    return Target(**values)


_TARGET = TargetShape()
TARGET_KEYS = Keys(
    {
        "role": Field(_FULL, "ARIA role, such as button, link, textbox, heading."),
        "name": Field(_FULL, "Accessible name; alone, an element of any interactive role with this name."),
        "exact": Field(Flag(), "Match the whole text or name, in its case; otherwise a part of it in any case."),
        "checked": Field(Flag(), "With role: only what is checked, or is not."),
        "level": Field(Number(1, 6), "With role heading: its level."),
        "label": Field(_FULL, "Text of the field's label, or its aria-label."),
        "text": Field(_FULL, "Text that the element shows."),
        "placeholder": Field(_FULL, "Placeholder of the field."),
        "alt": Field(_FULL, "Alternative text of the image."),
        "title": Field(_FULL, "The title attribute."),
        "test_id": Field(_FULL, "Value of the test id attribute (data-testid unless `use` says otherwise)."),
        "css": Field(_FULL, "CSS selector; looks into open shadow roots."),
        "xpath": Field(_FULL, "XPath; does not look into shadow roots."),
        "selector": Field(_FULL, "A selector of Playwright's, as a bare string is."),
        "within": Field(_TARGET, "Search inside this element."),
        "frame": Field(_TARGET, "Search inside this iframe."),
        "has_text": Field(_FULL, "Only elements that hold this text."),
        "nth": Field(Number(), "The match of this index, from 0; negative from the end."),
        "first": Field(Flag(), "The first match."),
        "last": Field(Flag(), "The last match."),
        "visible": Field(Flag(), "Only visible elements, or only hidden ones."),
        "fallbacks": Field(ListOf(_TARGET), "Other ways to name the element, tried in order."),
    },
    noun="key",
    later=LATER_TARGET_KEYS,
)


def target_schema() -> Schema:
    """The definition that every target's reference points to."""
    kinds: list[Schema] = [{"required": [kind]} for kind in LOCATOR_KINDS if kind != "name"]
    kinds.append({"required": ["name"], "not": {"required": ["role"]}})
    mapping = TARGET_KEYS.schema() | {
        "oneOf": kinds,
        "dependentRequired": {key: ["role"] for key in _ROLE_ONLY},
        "allOf": [{"not": {"required": [a, b]}} for a, b in _pairs(_POSITIONS)],
    }
    selector = _FULL.schema() | {"description": "A selector of Playwright's."}
    return {"description": "How a step names an element.", "anyOf": [selector, mapping]}


def _pairs(names: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(a, b) for index, a in enumerate(names) for b in names[index + 1 :]]
