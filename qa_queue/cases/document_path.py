"""Where a value stands in a case file, and the list of what is wrong there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import Enum
from typing import Final, Literal

from qa_queue.errors import CaseError

KeyPath = tuple[str | int, ...]  # of keys and indices, from the top of the document
Lines = Mapping[KeyPath, int]  # 1-based


class _Invalid(Enum):
    INVALID = "invalid"


INVALID: Final = _Invalid.INVALID
"""What a reader returns for a value that it has reported as wrong."""
Invalid = Literal[_Invalid.INVALID]


@dataclass(frozen=True)
class CaseProblem:
    """One thing that is wrong with a file."""

    source: str
    path: KeyPath
    text: str
    line: int | None = None

    def __str__(self) -> str:
        where = f"{self.source}:{self.line}" if self.line else self.source
        path = path_text(self.path)
        return f"{where}: {path}: {self.text}" if path else f"{where}: {self.text}"


@dataclass
class Report:
    """The problems found so far in one file."""

    source: str
    lines: Lines = field(default_factory=dict)
    problems: list[CaseProblem] = field(default_factory=list)

    def add(self, path: KeyPath, text: str) -> Invalid:
        """Note a problem; returns INVALID, so that a reader can end with `return report.add(...)`."""
        self.problems.append(CaseProblem(self.source, path, text, self.line(path)))
        return INVALID

    def line(self, path: KeyPath) -> int | None:
        """The line of this path, else of the nearest thing around it that has one."""
        for end in range(len(path), -1, -1):
            if (line := self.lines.get(path[:end])) is not None:
                return line
        return None

    def raise_if_any(self) -> None:
        """Raise all problems at once, in the order of their lines.

        Raises:
            CaseError: there is at least one problem.
        """
        if self.problems:
            raise case_error(self.problems)


def case_error(problems: Collection[CaseProblem]) -> CaseError:
    """One error for all problems; its message lists them one a line."""
    texts = tuple(str(problem) for problem in sorted(problems, key=lambda problem: problem.line or 0))
    return CaseError("\n".join(texts), texts)


@dataclass(frozen=True)
class DocumentPath:
    """A position in the document that is being read."""

    report: Report
    path: KeyPath = ()

    def at(self, *keys: str | int) -> DocumentPath:
        """The place below this one."""
        return DocumentPath(self.report, (*self.path, *keys))

    def wrong(self, text: str) -> Invalid:
        """Report a problem here."""
        return self.report.add(self.path, text)

    def unknown(self, noun: str, name: str, known: Collection[str], later: Collection[str] = ()) -> Invalid:
        """Report a name that is not known here; `later` are names of the format that this version lacks."""
        if name in later:
            return self.wrong(f"{name!r} is part of the format but not supported by this version")
        return self.wrong(f"unknown {noun} {name!r}{did_you_mean(name, known)}")

    @property
    def line(self) -> int | None:
        """The line in the file, if it is known."""
        return self.report.line(self.path)


def did_you_mean(name: str, known: Collection[str]) -> str:
    """`; did you mean 'X'?` for the nearest known name, else all known ones when they are few, else nothing."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    near = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {by_lower[near[0]]!r}?"
    if known and len(known) <= 6:
        return f"; known are {', '.join(sorted(known))}"
    return ""


def path_text(path: KeyPath) -> str:
    """A path as people write it: `steps[3].click.target`; indices count from 0."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def kind_text(value: object) -> str:
    """What a value is, for `expected text, got a list`."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str():
            return repr(value if len(value) <= 60 else value[:57] + "...")
        case int() | float():
            return f"the number {value}"
        case list() | tuple():
            return "a list"
        case _:
            return "a mapping"
