"""Giving a step of a case file another target, every other character left as it is. Pure."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from qa_queue.cases.exporters.document import action_document, target_document
from qa_queue.cases.steps import Step
from qa_queue.cases.targets import Target
from qa_queue.errors.schema_path import KeyPath


def retarget(text: str, *, case: str, path: KeyPath, step: Step, target: Target) -> str | None:
    """The text of a YAML or JSON file with the target of a step replaced; None where the step is not found.

    `case` is the case's id or name, `path` that of the step in the case, `step` the step as it was.
    """
    try:
        root = YAML(typ="rt").compose(text)
    except YAMLError:
        return None
    found = next((one for one in _cases(root) if _is_called(one, case)), None)
    for part in path:
        found = _item(found, part) if isinstance(part, str) else _entry(found, part)
    arguments = _item(found, step.written_action)
    document = target_document(target)
    if isinstance(arguments, ScalarNode):  # a selector alone
        return _replaced(text, arguments, {"target": document})
    node = _item(arguments, "target")
    if node is not None:
        return _replaced(text, node, document)
    if not isinstance(arguments, MappingNode) or step.args.subject is None:
        return None
    new = step.args.on(target)
    return _replaced(text, arguments, action_document(new))


def unified(before: str, after: str, name: str) -> str:
    """The change of a file as a patch that `patch -p1` and `git apply` take."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    return "".join(difflib.unified_diff(old, new, f"a/{name}", f"b/{name}"))


def _cases(root: Node | None) -> Iterator[Node]:
    if root is None:
        return
    yield root
    several = _item(root, "cases")
    if isinstance(several, SequenceNode):
        yield from several.value


def _is_called(node: Node, name: str) -> bool:
    return any(isinstance(found := _item(node, key), ScalarNode) and found.value == name for key in ("id", "name"))


def _item(node: Node | None, key: str) -> Node | None:
    if not isinstance(node, MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)


def _entry(node: Node | None, index: int) -> Node | None:
    if not isinstance(node, SequenceNode) or index >= len(node.value):
        return None
    entry: Node = node.value[index]
    return entry


def _replaced(text: str, node: Node, document: object) -> str:
    """JSON is YAML as well, so it fits files of both kinds."""
    start, end = node.start_mark.index, node.end_mark.index
    end = start + len(text[start:end].rstrip())
    return f"{text[:start]}{json.dumps(document, ensure_ascii=False)}{text[end:]}"
