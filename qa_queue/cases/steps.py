"""How a step is written: `{ACTION: ARGS, ...fields}`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qa_queue.cases.actions import ACTION_SHAPES
from qa_queue.cases.document_path import INVALID, DocumentPath, Invalid, kind_text
from qa_queue.cases.keys import Field, Keys
from qa_queue.cases.later import LATER_ACTIONS, LATER_STEP_KEYS
from qa_queue.cases.model import Step
from qa_queue.cases.shapes import Choice, Duration, Flag, Schema, Text

HEAL_WORDS = ("off", "suggest", "auto")
STEP_KEYS = Keys(
    {
        "id": Field(Text(min_length=1), "A name for the step that stays when the order changes."),
        "name": Field(Text(min_length=1), "What the step is for, shown in reports."),
        "timeout": Field(Duration(), "How long the step may take; 5s by default.", attr="timeout_ms"),
        "optional": Field(Flag(), "If it fails, it is skipped and the run goes on."),
        "soft": Field(Flag(), "If it fails, the run fails but goes on."),
        "always_run": Field(Flag(), "Run it even after a failure, to tidy up."),
        "screenshot": Field(Flag(), "Take a picture after the step."),
        "heal": Field(Choice(HEAL_WORDS), "What to do when the target is not found."),
    },
    later=LATER_STEP_KEYS,
)


@dataclass(frozen=True)
class StepShape:
    """One step."""

    def read(self, place: DocumentPath, value: Any) -> Step | Invalid:
        """The step, with its line."""
        if not isinstance(value, dict):
            return place.wrong(f'expected a step such as {{click: "#go"}}, got {kind_text(value)}')
        action = _action(place, value)
        if action is INVALID:
            return INVALID
        args = ACTION_SHAPES[action].read(place.at(action), value[action])
        fields = STEP_KEYS.read(place, {key: item for key, item in value.items() if key != action})
        if args is INVALID or fields is INVALID:
            return INVALID
        return Step(action=action, args=args, line=place.line, **fields)

    def schema(self) -> Schema:
        """A reference to the definition of a step."""
        return {"$ref": "#/$defs/step"}


def _action(place: DocumentPath, value: dict[str, Any]) -> str | Invalid:
    """The step's action. `screenshot` beside another action is a field."""
    actions = [key for key in value if key in ACTION_SHAPES]
    if len(actions) > 1 and "screenshot" in actions:
        actions.remove("screenshot")
    if len(actions) == 1:
        return actions[0]
    if actions:
        return place.wrong(f"{' and '.join(map(repr, actions))} are two actions in one step: write a step for each")
    return _no_action(place, value)


def _no_action(place: DocumentPath, value: dict[str, Any]) -> Invalid:
    strangers = [key for key in value if key not in STEP_KEYS.fields]
    for key in strangers:
        later = LATER_ACTIONS | LATER_STEP_KEYS
        place.at(key).unknown("action", key, ACTION_SHAPES.keys(), later)
    return INVALID if strangers else place.wrong("has no action, such as goto, click or expect")


def step_schema() -> Schema:
    """One alternative for each action, so that editors complete its arguments and the step's fields."""
    fields = {key: spec.schema() for key, spec in STEP_KEYS.fields.items()}
    return {"description": "One action or assertion.", "oneOf": [_one(action, fields) for action in ACTION_SHAPES]}


def _one(action: str, fields: dict[str, Schema]) -> Schema:
    properties = fields | {action: {"$ref": f"#/$defs/{action}"}}
    return {"type": "object", "properties": properties, "required": [action], "additionalProperties": False}
