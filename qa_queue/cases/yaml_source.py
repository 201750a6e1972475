"""YAML 1.2 with line numbers, built from ruamel's nodes: no tags run code, no alias grows without bound."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from qa_queue.cases.document_path import CaseProblem, KeyPath, case_error
from qa_queue.errors import CaseError

MAX_VALUES = 50_000
MAX_DEPTH = 60
_PREFIX = "tag:yaml.org,2002:"
_TEXT_TAGS = ("str", "timestamp")


def read_yaml(text: str, name: str) -> tuple[Any, dict[KeyPath, int], list[CaseProblem]]:
    """The document, the line of each value, and what is wrong besides syntax (keys twice, odd tags).

    Raises:
        CaseError: the text is not YAML, has several documents, or expands beyond all measure.
    """
    try:
        node = _compose(text)
        if node is None:
            raise _broken(name, "is empty; a case has at least 'name' and 'steps'")
        builder = _Builder(name)
        return builder.build(node, ()), builder.lines, builder.problems
    except MarkedYAMLError as error:
        raise _marked(name, error) from None
    except YAMLError as error:
        raise _broken(name, f"not YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise _broken(name, "is nested too deep") from None


def _compose(text: str) -> Node | None:
    yaml = YAML(typ="safe", pure=True)
    yaml.composer.warn_double_anchors = False
    node: Node | None = yaml.compose(text)
    return node


def _marked(name: str, error: MarkedYAMLError) -> CaseError:
    mark = error.problem_mark or error.context_mark
    what = " ".join(str(part) for part in (error.problem, error.context) if part)
    if mark is None:
        return _broken(name, f"not YAML: {what}")
    return _broken(name, f"not YAML: {what}, column {mark.column + 1}", mark.line + 1)


def _broken(name: str, text: str, line: int | None = None) -> CaseError:
    return case_error([CaseProblem(name, (), text, line)])


@dataclass
class _Builder:
    name: str
    lines: dict[KeyPath, int] = field(default_factory=dict)
    problems: list[CaseProblem] = field(default_factory=list)
    values: int = 0
    open: list[int] = field(default_factory=list)

    def build(self, node: Node, path: KeyPath) -> Any:
        """The value of a node. An alias is the node that it points to, built again at this path."""
        line = node.start_mark.line + 1
        self.lines.setdefault(path, line)
        self.values += 1
        if self.values > MAX_VALUES:
            raise _broken(self.name, f"expands to more than {MAX_VALUES} values: its aliases multiply", line)
        if id(node) in self.open:
            raise _broken(self.name, "an alias stands inside the value that it repeats", line)
        if len(self.open) > MAX_DEPTH:
            raise _broken(self.name, f"is nested more than {MAX_DEPTH} deep", line)
        if isinstance(node, ScalarNode):
            return self._scalar(node, path)
        self.open.append(id(node))
        try:
            return self._mapping(node, path) if isinstance(node, MappingNode) else self._sequence(node, path)
        finally:
            self.open.pop()

    def _sequence(self, node: Node, path: KeyPath) -> list[Any]:
        return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]

    def _mapping(self, node: MappingNode, path: KeyPath) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if _kind(key_node) == "merge":
                merged = self._merge(value_node, path) | merged
                continue
            key = self._key(key_node, path)
            place = (*path, key)
            line = key_node.start_mark.line + 1
            if key in own:
                self.problems.append(CaseProblem(self.name, place, f"key {key!r} is there twice", line))
            self.lines[place] = line
            own[key] = self.build(value_node, place)
        return merged | own

    def _merge(self, node: Node, path: KeyPath) -> dict[str, Any]:
        """What `<<` brings in; where several mappings have a key, the first wins."""
        values: dict[str, Any] = {}
        for part in reversed(list(_parts(node))):
            if isinstance(part, MappingNode):
                values |= self.build(part, path)
            else:
                self._wrong(part, path, "'<<' takes a mapping or a list of mappings")
        return values

    def _key(self, node: Node, path: KeyPath) -> str:
        if isinstance(node, ScalarNode):
            return str(node.value)
        self._wrong(node, path, "a key must be a word, not a list or mapping")
        return "?"

    def _scalar(self, node: ScalarNode, path: KeyPath) -> Any:
        kind = _kind(node)
        if kind in _TEXT_TAGS:
            return _joined(node.value)
        if kind in _SCALARS:
            return _SCALARS[kind](node.value)
        self._wrong(node, path, f"the tag {node.tag!r} has no meaning in a case file")
        return None

    def _wrong(self, node: Node, path: KeyPath, text: str) -> None:
        self.problems.append(CaseProblem(self.name, path, text, node.start_mark.line + 1))


def _kind(node: Node) -> str:
    tag = str(node.tag)
    return tag.removeprefix(_PREFIX)


def _parts(node: Node) -> Iterator[Node]:
    if isinstance(node, SequenceNode):
        yield from node.value
    else:
        yield node


def _joined(text: str) -> str:
    """Text whose astral characters were written as two escapes, as JSON does, made whole."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _integer(text: str) -> int:
    digits = text.replace("_", "")
    return int(digits, 0) if digits.lstrip("+-")[:2].lower() in ("0x", "0o", "0b") else int(digits)


def _float(text: str) -> float:
    return float(text.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan"))


_SCALARS = {
    "null": lambda _text: None,
    "bool": lambda text: text.lower() == "true",
    "int": _integer,
    "float": _float,
}
