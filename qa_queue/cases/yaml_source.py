"""YAML 1.2, and JSON, with line numbers. No tag runs code and no alias grows without bound."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from qa_queue.cases.document_path import case_error
from qa_queue.cases.yaml_nodes import MarkedError, Node, ParseError, compose
from qa_queue.errors import CaseError
from qa_queue.errors.schema_path import KeyPath
from qa_queue.errors.validation import Problem, kind_text

MAX_CHARS = 1_000_000
MAX_REPEATED = 50_000  # values that aliases repeat
MAX_DEPTH = 60
MAX_ITEMS = 5_000  # of one list or mapping
MAX_VALUES = 150_000  # keys included
MAX_PROBLEMS = 200  # after these the rest is not read
_TEXT_TAGS = ("str", "timestamp")
# Raw in JSON these stand inside strings alone, or are white space; YAML does not allow them or reads line breaks.
_TO_YAML = {code: f"\\u{code:04x}" for code in (*range(0x7F, 0xA0), 0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF)}


_SURROGATES = re.compile(r"(?<!\\)((?:\\\\)*)((?:\\u[dD][89a-fA-F][0-9a-fA-F]{2})+)")


class SourceMapping(dict[str, Any]):
    """A mapping of a document that knows its line."""

    line: int | None = None


def located(values: dict[str, Any], like: Any) -> SourceMapping:
    """Return a mapping on the line of another one."""
    found = SourceMapping(values)
    found.line = getattr(like, "line", None)
    return found


def read_json(text: str, name: str) -> tuple[Any, dict[KeyPath, int], list[Problem]]:
    """Return a document of JSON as `read_yaml` does.

    Raises:
        CaseError: the text is not JSON, or is nested or repeated too much.
    """
    try:
        json.loads(text, parse_int=str)
    except json.JSONDecodeError as error:
        raise _broken(name, f"not JSON: {error.msg}, column {error.colno}", error.lineno) from None
    except RecursionError:
        raise _broken(name, "is nested too deep") from None
    return read_yaml(text.translate({0x09: " ", **_TO_YAML}), name)


def _composed(text: str) -> Node | None:
    """Return the document's node; two escapes that stand for one character, as in JSON, are read as that one."""
    try:
        return compose(text, MAX_DEPTH, MAX_VALUES)
    except MarkedError:
        joined = _SURROGATES.sub(_joined_escape, text)
        if joined == text:
            raise
        return compose(joined, MAX_DEPTH, MAX_VALUES)


def _joined_escape(found: re.Match[str]) -> str:
    """Return the character that two escapes of JSON stand for, as YAML knows no halves of a character."""
    text = json.loads(f'"{found[2]}"').encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return f"{found[1]}{text}"


def read_yaml(text: str, name: str) -> tuple[Any, dict[KeyPath, int], list[Problem]]:
    """Return the document, the line of each value, and its problems besides syntax (repeated keys, unknown tags).

    Raises:
        CaseError: the text is too large, is not YAML, has several documents, or is nested or repeated too much.
    """
    if len(text) > MAX_CHARS:
        raise _broken(name, f"is larger than {MAX_CHARS // 1_000_000} MB, which no case file is")
    try:
        node = _composed(text)
        if node is None:
            raise _broken(name, "is empty; a case has at least 'name' and 'steps'")
        builder = _Builder(name)
        return builder.build(node, ()), builder.lines, builder.problems
    except MarkedError as error:
        where = f"not YAML: {error.text}, column {error.column}{_advice(error, text)}"
        raise _broken(name, where, error.line) from None
    except ParseError as error:
        raise _broken(name, error.text, error.line) from None


_ADVICE = (
    ("that cannot start any token", "put the value in quotes"),
    ("undefined alias", "a value that begins with * needs quotes"),
    ("undefined tag handle", "a value that begins with ! needs quotes"),
    ("expected ',' or '}'", "inside {}, a text with any of , : { } [ ] # or quotes needs quotes around it"),
    ("expected ',' or ']'", "inside [], a text with any of , : { } [ ] # or quotes needs quotes around it"),
    ("expected key", "indent the line as its neighbours"),
    ("expected '-' indicator", "indent the line as its neighbours, with '- ' where they have it"),
    ("unexpected end of stream", "a quote is not closed"),
)
_SECOND_COLON = re.compile(r"[^\s'\"{\[#][^#]*?: .*: |[^\s'\"{\[#][^#]*?: .*:$")


def _advice(error: MarkedError, text: str) -> str:
    """Return what to do about a mistake that testers make; nothing for any other one."""
    lines, number = text.splitlines(), error.line or 0
    line = lines[number - 1] if 0 < number <= len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return ": indent with spaces, not with tabs"
    if "mapping values are not allowed" in error.text:
        if _SECOND_COLON.search(line.lstrip(" -")):
            return ": put a text that contains ': ' in quotes"
        return ": the line before lacks its ':', or is indented less"
    if "expected key" in error.text and re.search(r"[\"'].*[\"']", line):
        return ": put a text with quotes in quotes of the other kind, as a whole"
    return next((f": {advice}" for words, advice in _ADVICE if words in error.text), "")


def _broken(name: str, text: str, line: int | None = None) -> CaseError:
    return case_error([Problem((), text, line, name)])


@dataclass
class _Builder:
    name: str
    lines: dict[KeyPath, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    built: set[int] = field(default_factory=set)
    open: list[int] = field(default_factory=list)
    repeated: int = 0

    def build(self, node: Node, path: KeyPath) -> Any:
        """Return the value of a node. An alias is the node that it points to, built again at this path."""
        line = node.line
        self.lines.setdefault(path, line)
        self._check_bounds(node, line)
        if node.kind == "scalar":
            return self._scalar(node, path)
        self.open.append(id(node))
        try:
            return self._mapping(node, path) if node.kind == "mapping" else self._sequence(node, path)
        finally:
            self.open.pop()

    def _check_bounds(self, node: Node, line: int) -> None:
        if id(node) in self.open:
            raise _broken(self.name, "an alias stands inside the value that it repeats", line)
        if len(self.open) > MAX_DEPTH:
            raise _broken(self.name, f"is nested more than {MAX_DEPTH} deep", line)
        self.repeated += id(node) in self.built
        self.built.add(id(node))
        if self.repeated > MAX_REPEATED:
            raise _broken(self.name, f"its aliases repeat more than {MAX_REPEATED} values", line)

    def _check_length(self, node: Node, path: KeyPath, count: int) -> None:
        if count > MAX_ITEMS:
            self._add(node, path, f"is {count} items long; {MAX_ITEMS} are allowed")
            raise case_error(self.problems)

    def _sequence(self, node: Node, path: KeyPath) -> list[Any]:
        self._check_length(node, path, len(node.items))
        return [self.build(item, (*path, index)) for index, item in enumerate(node.items)]

    def _mapping(self, node: Node, path: KeyPath) -> SourceMapping:
        self._check_length(node, path, len(node.items) // 2)
        own = SourceMapping()
        merged: dict[str, Any] = {}
        for key_node, value_node in node.pairs:
            if key_node.tag == "merge":
                merged = self._merge(value_node, path) | merged
                continue
            key = self._key(key_node, path)
            place = (*path, key)
            line = key_node.line
            if key in own:
                self._note(Problem(place, f"key {key!r} is there twice", line, self.name))
            self.lines[place] = line
            own[key] = self.build(value_node, place)
        own.line = self.lines[path]
        return located(merged | own, own) if merged else own

    def _merge(self, node: Node, path: KeyPath) -> dict[str, Any]:
        """Return the values that `<<` brings in; where several mappings have a key, the first wins."""
        values: dict[str, Any] = {}
        for part in reversed(list(_parts(node))):
            if part.kind == "mapping":
                values |= self.build(part, path)
            else:
                self._add(part, path, "'<<' takes a mapping or a list of mappings")
        return values

    def _key(self, node: Node, path: KeyPath) -> str:
        if node.kind == "scalar":
            return _joined(node.text)
        self._add(node, path, "a key must be a word, not a list or mapping")
        return "?"

    def _scalar(self, node: Node, path: KeyPath) -> Any:
        if node.tag in _TEXT_TAGS:
            return _joined(node.text)
        if node.tag not in _SCALARS:
            return self._add(node, path, f"the tag {node.written_tag!r} has no meaning in a case file")
        try:
            return _SCALARS[node.tag](node.text)
        except ValueError:
            return self._add(node, path, _unreadable(node.tag, node.text))

    def _add(self, node: Node, path: KeyPath, text: str) -> None:
        self._note(Problem(path, text, node.line, self.name))

    def _note(self, problem: Problem) -> None:
        """Note a problem; a file that is wrong from beginning to end is not read to its end."""
        self.problems.append(problem)
        if len(self.problems) > MAX_PROBLEMS:
            raise case_error(self.problems)


def _unreadable(kind: str, text: str) -> str:
    if text.lstrip("+-").isdecimal():
        return f"a number of {len(text)} digits is too large; put it in quotes if it is text"
    return f"{kind_text(text)} cannot be read as !!{kind}; put it in quotes if it is text"


def _parts(node: Node) -> Iterator[Node]:
    if node.kind == "sequence":
        yield from node.items
    else:
        yield node


def _joined(text: str) -> str:
    """Return text whose astral characters were written as two escapes, as JSON does, with each as one character."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


def _integer(text: str) -> int:
    digits = text.replace("_", "")
    return int(digits, 0) if digits.lstrip("+-")[:2].lower() in ("0x", "0o", "0b") else int(digits)


def _float(text: str) -> float:
    return float(text.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan"))


_SCALARS = {"null": lambda _text: None, "bool": _boolean, "int": _integer, "float": _float}
