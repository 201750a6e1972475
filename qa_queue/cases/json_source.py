"""JSON with line numbers: the standard parser for the values, a pass over the tokens for where they stand."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from qa_queue.cases.document_path import CaseProblem, KeyPath, case_error

_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s\[\]{},:"]+')


@dataclass
class _Level:
    """An array or object that is open; `key` is the index or key of the value that comes next."""

    path: KeyPath
    is_object: bool
    key: str | int | None
    seen: set[str] = field(default_factory=set)


@dataclass
class _Scan:
    name: str
    lines: dict[KeyPath, int] = field(default_factory=dict)
    problems: list[CaseProblem] = field(default_factory=list)
    levels: list[_Level] = field(default_factory=list)


def read_json(text: str, name: str) -> tuple[Any, dict[KeyPath, int], list[CaseProblem]]:
    """The document, the line of each value, and the keys that are there twice.

    Raises:
        CaseError: the text is not JSON.
    """
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise case_error(
            [CaseProblem(name, (), f"not JSON: {error.msg}, column {error.colno}", error.lineno)]
        ) from None
    except RecursionError:
        raise case_error([CaseProblem(name, (), "is nested too deep")]) from None
    scan = _Scan(name)
    line, last = 1, 0
    for piece in _PIECE.finditer(text):
        line += text.count("\n", last, piece.start())
        last = piece.start()
        _take(scan, piece[0], line)
    return document, scan.lines, scan.problems


def _take(scan: _Scan, piece: str, line: int) -> None:
    level = scan.levels[-1] if scan.levels else None
    if piece in ("{", "["):
        path = _value(scan, level, line)
        scan.levels.append(_Level(path, piece == "{", None if piece == "{" else 0))
    elif piece in ("}", "]"):
        scan.levels.pop()
    elif piece == "," and level is not None:
        level.key = level.key + 1 if isinstance(level.key, int) else None
    elif level is not None and level.is_object and level.key is None:
        _key(scan, level, json.loads(piece), line)
    elif piece != ":":
        _value(scan, level, line)


def _value(scan: _Scan, level: _Level | None, line: int) -> KeyPath:
    if level is None or level.key is None:
        path: KeyPath = ()
    else:
        path = (*level.path, level.key)
    scan.lines.setdefault(path, line)
    return path


def _key(scan: _Scan, level: _Level, key: str, line: int) -> None:
    level.key = key
    path = (*level.path, key)
    if key in level.seen:
        scan.problems.append(CaseProblem(scan.name, path, f"key {key!r} is there twice", line))
    level.seen.add(key)
    scan.lines.setdefault(path, line)
