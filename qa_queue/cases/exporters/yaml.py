"""From a `Case` back to the document of its file: the shortest form, without what has its default value.

A case as a YAML file for people: short mappings in one line, a blank line before the steps.
"""

from __future__ import annotations

import re
from enum import StrEnum
from io import StringIO
from typing import Any

from pydantic import BaseModel
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from qa_queue.cases.actions import ACTION_SHAPES
from qa_queue.cases.args import ArgsShape
from qa_queue.cases.model import Args, Case, SetViewport, Step, Target
from qa_queue.models import Viewport

_FILE_NAMES = {"timeout_ms": "timeout", "negate": "not"}
_CASE_ORDER = ("version", "id", "name", "base_url", "tags", "retries", "timeout_ms", "trace", "use", "heal", "vars")


def case_document(case: Case) -> dict[str, Any]:
    """The case as JSON in the file's own form; `parse_case` reads it back as an equal case."""
    head = {
        _FILE_NAMES.get(name, name): _plain(name, getattr(case, name)) for name in _CASE_ORDER if _given(case, name)
    }
    return {"version": case.version, **head, "steps": [step_document(step) for step in case.steps]}


def step_document(step: Step) -> dict[str, Any]:
    """A step as `{ACTION: ARGS, ...fields}`; a screenshot's own field `screenshot` would ask for it twice."""
    fields = ("id", "name", "timeout_ms", "optional", "soft", "always_run", "screenshot", "heal")
    given = {
        _FILE_NAMES.get(name, name): _plain(name, getattr(step, name)) for name in fields if _given(step, name)
    }
    return {step.action: _args(step.action, step.args), **given}


def target_document(target: Target) -> str | dict[str, Any]:
    """A target as a mapping, or as text when it is a selector alone."""
    given = {name: _plain(name, getattr(target, name)) for name in Target.model_fields if _given(target, name)}
    return target.selector if given.keys() == {"selector"} and target.selector else given


def _args(action: str, args: Args) -> Any:
    if isinstance(args, SetViewport):
        return f"{args.width}x{args.height}"
    given = {name: _plain(name, getattr(args, name)) for name in type(args).model_fields if _given(args, name)}
    shape = ACTION_SHAPES[action]
    bare = shape.bare if isinstance(shape, ArgsShape) else None
    if bare and given.keys() == {bare} and isinstance(given[bare], str):
        return given[bare]
    return {_FILE_NAMES.get(name, name): value for name, value in given.items()} or None


def _given(model: BaseModel, name: str) -> bool:
    field = type(model).model_fields[name]
    return bool(getattr(model, name) != field.get_default(call_default_factory=True))


def _plain(name: str, value: Any) -> Any:
    match value:
        case Target():
            return target_document(value)
        case Viewport():
            return f"{value.width}x{value.height}"
        case BaseModel():
            return {key: _plain(key, getattr(value, key)) for key in type(value).model_fields if _given(value, key)}
        case tuple():
            return [_plain(name, item) for item in value]
        case _:
            return _scalar(name, value)


def _scalar(name: str, value: Any) -> Any:
    if name == "timeout_ms":
        return duration_text(value)
    return value.value if isinstance(value, StrEnum) else value


def duration_text(milliseconds: int) -> str:
    """`90s`, `1500ms`: seconds where they are whole."""
    return f"{milliseconds // 1000}s" if milliseconds % 1000 == 0 else f"{milliseconds}ms"


_NO_FOLDING = 1_000_000
_FLOW_WIDTH = 90
_SAFE = re.compile(r"[A-Za-z0-9/][A-Za-z0-9 ./_-]*")


def dump_yaml(case: Case, notes: tuple[str, ...] = ()) -> str:
    """The case as YAML that `load_cases` reads back; `notes` become comments at the top."""
    yaml = YAML()
    yaml.width = _NO_FOLDING
    yaml.brace_single_entry_mapping_in_flow_sequence = True
    document = _document(case)
    if notes:
        document.yaml_set_start_comment("\n".join(notes) + "\n\n")
    stream = StringIO()
    yaml.dump(document, stream)
    return stream.getvalue()


def _document(case: Case) -> CommentedMap:
    plain = case_document(case)
    steps = CommentedSeq(_block(step) for step in plain.pop("steps"))
    document = _block(plain)
    document["steps"] = steps
    document.yaml_set_comment_before_after_key("steps", before="\n")
    return document


def _block(mapping: dict[str, Any]) -> CommentedMap:
    """A mapping with a line for each key."""
    return CommentedMap((key, _tidy(item)) for key, item in mapping.items())


def _tidy(value: Any) -> Any:
    """The value as nodes of ruamel. What is short stands in one line; a text that is more than words is quoted."""
    node: CommentedMap | CommentedSeq
    match value:
        case dict():
            node = _block(value)
        case list():
            node = CommentedSeq(_tidy(item) for item in value)
        case str() if not _SAFE.fullmatch(value):
            return DoubleQuotedScalarString(value)
        case _:
            return value
    if len(str(value)) <= _FLOW_WIDTH:
        node.fa.set_flow_style()
    return node
