"""Cinnamon-QA's own case documents, put into this format's form before they are parsed.

A step there is `{stepNumber, action, selector, value, expectedResult}`. The result keeps each step at its index,
so that messages still name the right line.
"""

from __future__ import annotations

from typing import Any

from qa_queue.cases.document_path import DocumentPath
from qa_queue.cases.yaml_source import located

LEGACY_ACTIONS = ("navigate", "click", "type", "assert")
_REQUIRED = {"navigate": ("value",), "click": ("selector",), "type": ("selector", "value")}
_PLACEHOLDER = {"reload": True}  # for a step that is reported as wrong
_TOP = {"title": "name", "url": "base_url", "baseUrl": "base_url"}
_DROPPED = ("description",)
_STEP_KEYS = ("stepNumber", "action", "selector", "value", "expectedResult")


def is_legacy(document: Any) -> bool:
    """Tell whether the document has steps of the old form: all of them name their action under `action`."""
    steps = document.get("steps") if isinstance(document, dict) else None
    return bool(isinstance(steps, list) and steps and all(isinstance(s, dict) and "action" in s for s in steps))


def from_legacy(place: DocumentPath, document: dict[str, Any]) -> dict[str, Any]:
    """Return the document in this format's form; whatever does not fit is reported at its place."""
    top = {_TOP.get(key, key): value for key, value in document.items() if key not in _DROPPED}
    steps = [_step(place.at("steps", index), step) for index, step in enumerate(document["steps"])]
    _report_order(place, document["steps"])
    notes = legacy_notes(document)
    return top | ({"notes": [*notes]} if notes else {}) | {"steps": steps}


def legacy_notes(document: dict[str, Any]) -> tuple[str, ...]:
    """Return the losses of the import, a sentence for each step."""
    return tuple(
        f"step {number} ({step['action']}): expectedResult is kept as the step's name; nothing checks it"
        for number, step in enumerate(document["steps"], 1)
        if step.get("expectedResult")
    )


def _step(place: DocumentPath, step: dict[str, Any]) -> dict[str, Any]:
    for key in step:
        if key not in _STEP_KEYS:
            place.at(key).unknown("key", key, _STEP_KEYS)
    expected = step.get("expectedResult")
    name = {"name": expected} if isinstance(expected, str) and expected else {}
    return located(_action(place, step) | name, step)


def _action(place: DocumentPath, step: dict[str, Any]) -> dict[str, Any]:
    value, target = step.get("value"), step.get("selector")
    missing = [key for key in _REQUIRED.get(str(step["action"]), ()) if step.get(key) is None]
    if missing:
        place.wrong(f"{' and '.join(map(repr, missing))} {'are' if len(missing) > 1 else 'is'} missing")
        return dict(_PLACEHOLDER)
    match step["action"]:
        case "navigate":
            return {"goto": {"url": value}}
        case "click":
            return {"click": {"target": target}}
        case "type":
            return {"fill": {"target": target, "value": value}}
        case "assert":
            return {"expect": _assertion(target, value)}
        case other:
            place.at("action").unknown("action", str(other), LEGACY_ACTIONS)
            return dict(_PLACEHOLDER)


def _assertion(target: Any, value: Any) -> dict[str, Any]:
    """A text in the element; without an element, the text anywhere; without a text, that the element shows."""
    if target is None and value:
        return {"target": {"text": value}, "visible": True}
    return {"target": target} | ({"contains_text": value} if value else {"visible": True})


def _report_order(place: DocumentPath, steps: list[dict[str, Any]]) -> None:
    numbers = [step.get("stepNumber") for step in steps]
    given = [number for number in numbers if isinstance(number, int)]
    if given != sorted(given):
        place.at("steps").wrong(f"stepNumber goes {', '.join(map(str, given))}: put the steps in their order")
