"""The nodes of a YAML document, from the events of libyaml, with the plain scalars of YAML 1.2's core schema.

Reading events keeps the stack of the C parser flat, so that no input can exhaust it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml

_PREFIX = "tag:yaml.org,2002:"
_PLAIN = tuple(
    (tag, re.compile(pattern))
    for tag, pattern in (
        ("null", r"~|null|Null|NULL|"),
        ("bool", r"true|True|TRUE|false|False|FALSE"),
        ("int", r"[-+]?(0b[01_]+|0o?[0-7_]+|[0-9_]*[0-9][0-9_]*|0x[0-9a-fA-F_]+)"),
        ("float", r"[-+]?([0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?"),
        ("float", r"[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+"),
        ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"),
        ("merge", r"<<"),
    )
)  # fmt: skip
_UNEXPECTED = "found character that cannot start any token"
_SPECIAL = frozenset("~nNtTfF-+.0123456789<")  # what a plain scalar begins with that is perhaps not text
_PARSER: Any = getattr(yaml, "CLoader", yaml.Loader)  # without libyaml the same events come more slowly


class ParseError(Exception):
    """A text that is not one YAML document."""

    def __init__(self, text: str, line: int | None = None) -> None:
        super().__init__(text)
        self.text, self.line = text, line


class MarkedError(ParseError):
    """A text that is not YAML at a place, counted from 1."""

    def __init__(self, text: str, line: int, column: int) -> None:
        super().__init__(text, line)
        self.column = column


@dataclass(slots=True)
class Node:
    """A scalar with its text, a sequence with its items, or a mapping with keys and values in turn as its items.

    `tag` is `str`, `int` and so on, or a tag of another kind in full.
    """

    kind: Literal["scalar", "sequence", "mapping"]
    tag: str
    line: int
    text: str = ""
    items: list[Node] = field(default_factory=list)

    @property
    def pairs(self) -> list[tuple[Node, Node]]:
        """The keys of a mapping with their values."""
        return list(zip(self.items[::2], self.items[1::2], strict=True))

    @property
    def written_tag(self) -> str:
        """The tag in full."""
        return self.tag if self.tag.startswith(("!", "tag:")) else _PREFIX + self.tag


def compose(text: str, max_depth: int, max_values: int) -> Node | None:
    """Return the node of the one document in a text; None for a text without any.

    Raises:
        MarkedError: the text is not YAML.
        ParseError: it has several documents, is nested more than `max_depth` deep, or has more than `max_values`
            keys and values.
    """
    try:
        return _Composer(_PARSER(text), max_depth, max_values).document()
    except yaml.MarkedYAMLError as error:
        mark = _mark_of(error, text)
        what = " ".join(str(part) for part in (error.problem, error.context) if part)
        if mark is not None and what.startswith(_UNEXPECTED):
            what = f"found character {_character(text, mark)} that cannot start any token"
        if mark is None:
            raise ParseError(f"not YAML: {what}") from None
        raise MarkedError(what, mark.line + 1, mark.column + 1) from None
    except (yaml.YAMLError, UnicodeError) as error:
        raise ParseError(f"not YAML: {str(error).splitlines()[0]}") from None


def _mark_of(error: Any, text: str) -> Any:
    """Return the place of a problem: of something that is not closed, where it begins or the text ends."""
    problem, context = error.problem_mark, error.context_mark
    end = len(text.rstrip())
    if problem is None or problem.index < end:
        return problem or context
    if context is not None and context.index < end:
        return context
    before = text[:end]
    return yaml.Mark("", end, before.count("\n"), end - before.rfind("\n") - 1, None, None)


def _character(text: str, mark: Any) -> str:
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    return repr(line[mark.column : mark.column + 1])


class _Composer:
    """Builds nodes from the events of a parser."""

    def __init__(self, parser: Any, max_depth: int, max_values: int) -> None:
        self._parser = parser
        self._max_depth, self._max_values = max_depth, max_values
        self._count = 0
        self._anchors: dict[str, Node] = {}

    def document(self) -> Node | None:
        self._parser.get_event()  # the start of the stream
        if isinstance(self._parser.get_event(), yaml.StreamEndEvent):
            return None
        root = self._root()
        self._parser.get_event()  # the end of the document
        after = self._parser.get_event()
        if not isinstance(after, yaml.StreamEndEvent):
            mark = after.start_mark
            raise MarkedError("but found another document", mark.line + 1, mark.column + 1)
        return root

    def _root(self) -> Node:
        root, around = None, list[Node]()
        while root is None or around:
            event = self._parser.get_event()
            if isinstance(event, yaml.CollectionEndEvent):
                around.pop()
                continue
            node = self._node(event)
            root = root or node
            if around:
                around[-1].items.append(node)
            if isinstance(event, yaml.CollectionStartEvent):
                around.append(node)
                if len(around) > self._max_depth + 1:
                    raise ParseError(f"is nested more than {self._max_depth} deep", node.line)
        return root

    def _node(self, event: Any) -> Node:
        line = event.start_mark.line + 1
        self._count += 1
        if self._count > self._max_values:
            raise ParseError(f"has more than {self._max_values} keys and values: split it", line)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise MarkedError(f"found undefined alias {event.anchor!r}", line, event.start_mark.column + 1)
            return self._anchors[event.anchor]
        node = self._own_node(event, line)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    @staticmethod
    def _own_node(event: Any, line: int) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return Node("scalar", _tag_of(event), line, event.value)
        if isinstance(event, yaml.SequenceStartEvent):
            return Node("sequence", "seq", line)
        return Node("mapping", "map", line)


def _tag_of(event: Any) -> str:
    """Return the tag of a scalar: its own, or that of its text where it has neither tag nor quotes."""
    if event.tag is not None and event.tag != "!":
        return str(event.tag).removeprefix(_PREFIX)
    value = event.value
    if not event.implicit[0] or (value and value[0] not in _SPECIAL):
        return "str"
    return next((tag for tag, pattern in _PLAIN if pattern.fullmatch(value)), "str")
