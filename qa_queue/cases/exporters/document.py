"""From a `Case` back to its document, in the shortest form: keys with their default value are left out."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from qa_queue.cases.actions import SetViewport
from qa_queue.cases.conditions import Condition
from qa_queue.cases.model import Case
from qa_queue.cases.patterns import Regex, document_text, takes_regex
from qa_queue.cases.steps import Action, Step
from qa_queue.cases.targets import TARGET_KEYS, Target
from qa_queue.cases.vocabulary import Deferred, Vocabulary, all_keys, duration_text, key_of
from qa_queue.models import Viewport

_DURATION_FIELDS = "_ms"  # how their names end
_HEAD = ("id", "name")


def case_document(case: Case) -> dict[str, Any]:
    """Return the case as JSON in the file's own form; `parse_case` reads it back as an equal case."""
    document = _mapping(case)
    head = {key: document[key] for key in _HEAD if key in document}
    return {"version": case.version, **head, **document}


def step_document(step: Step) -> dict[str, Any]:
    """Return a step as `{ACTION: ARGS, ...fields}`."""
    arguments = action_document(step.args)
    own = arguments if step.args.beside else {step.written_action: arguments}
    return {**own, **_mapping(step, leave_out=("args", "line"))}


def action_document(action: Action) -> Any:
    """Return the arguments of an action in their shortest form."""
    if action.spread is not None:
        return _plain(getattr(action, action.spread))
    if isinstance(action, SetViewport) and not any(
        isinstance(side, Deferred) for side in (action.width, action.height)
    ):
        return f"{action.width}x{action.height}"
    given = _mapping(action)
    if given.keys() == {"target"} and _may_stand_alone(action, given["target"]):
        return given["target"]
    if action.short and given.keys() == {action.short} and isinstance(given[action.short], str):
        return given[action.short]
    return given or (True if action.bare else None)


def target_document(target: Target) -> str | dict[str, Any]:
    """Return a target as a mapping, or as text when it is a selector alone."""
    given = _mapping(target)
    return target.selector if given.keys() == {"selector"} and target.selector else given


def _may_stand_alone(action: Action, target: Any) -> bool:
    """Tell whether the keys of a target mean the same without `target` around them."""
    if isinstance(target, str):
        return action.short == "target"
    return not target.keys() & (all_keys(type(action)) - {"target"}) and bool(target.keys() & TARGET_KEYS)


def _mapping(model: Vocabulary, leave_out: tuple[str, ...] = ()) -> dict[str, Any]:
    names = [name for name in type(model).model_fields if name not in leave_out and _given(model, name)]
    return {key_of(type(model), name): _field(model, name) for name in names}


def _field(model: Vocabulary, name: str) -> Any:
    value = getattr(model, name)
    if name.endswith(_DURATION_FIELDS) and isinstance(value, int):
        return duration_text(value)
    plain = _plain(value)
    return _literal(getattr(model, name), plain) if takes_regex(type(model), name) else plain


def _literal(value: Any, plain: Any) -> Any:
    """Return texts that look like regular expressions so that they are read as texts."""
    match value:
        case str():
            return document_text(value)
        case tuple():
            return [_literal(one, written) for one, written in zip(value, plain, strict=True)]
        case dict():
            return {key: _literal(one, plain[key]) for key, one in value.items()}
        case _:
            return plain


def _given(model: Vocabulary, name: str) -> bool:
    field = type(model).model_fields[name]
    return bool(getattr(model, name) != field.get_default(call_default_factory=True))


def _plain(value: Any) -> Any:
    match value:
        case Target():
            return target_document(value)
        case Step():
            return step_document(value)
        case Vocabulary() if not isinstance(value, Regex):
            return _mapping(_written(value))
        case tuple():
            return [_plain(item) for item in value]
        case dict():
            return {name: _plain(item) for name, item in value.items()}
        case _:
            return _scalar(value)


def _written(value: Vocabulary) -> Vocabulary:
    """Return the check that stands in place of a condition with nothing else."""
    return value.check if isinstance(value, Condition) and value.check is not None else value


def _scalar(value: Any) -> Any:
    if isinstance(value, Deferred):
        return str(value)
    match value:
        case Viewport():
            return f"{value.width}x{value.height}"
        case Regex():
            return str(value)
        case StrEnum():
            return value.value
    return value
