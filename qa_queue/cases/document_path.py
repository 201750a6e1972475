"""The place of a value in a document that is not read by a model, and the problems found so far.

The importers use them: what they read is not written by people in the case format.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Literal

from qa_queue.errors import CaseError
from qa_queue.errors.schema_path import KeyPath
from qa_queue.errors.validation import Lines, Problem, did_you_mean, nearest_line

MAX_LISTED = 100


class _Invalid(Enum):
    INVALID = "invalid"


INVALID: Final = _Invalid.INVALID
"""The result of a reader that has reported its value as wrong."""
Invalid = Literal[_Invalid.INVALID]


@dataclass
class ProblemReport:
    """The problems found so far in one file."""

    source: str
    lines: Lines = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def add(self, path: KeyPath, text: str) -> Invalid:
        """Add a problem; returns INVALID, so that a reader can end with `return report.add(...)`."""
        self.problems.append(Problem(path, text, nearest_line(self.lines, path), self.source))
        return INVALID

    def raise_if_any(self) -> None:
        """Raise all problems at once, in the order of their lines.

        Raises:
            CaseError: there is at least one problem.
        """
        if self.problems:
            raise case_error(self.problems)


def case_error(problems: Collection[Problem]) -> CaseError:
    """Return one error for all problems; its message lists them one a line."""
    ordered = sorted(problems, key=lambda problem: problem.line or 0)
    texts = tuple(str(problem) for problem in ordered[:MAX_LISTED])
    if more := sum(problem.count for problem in ordered[MAX_LISTED:]):
        texts += (f"{ordered[0].source}: {more} more problems",)
    return CaseError("\n".join(texts), texts)


@dataclass(frozen=True)
class DocumentPath:
    """A position in the document that is being read."""

    report: ProblemReport
    path: KeyPath = ()

    def at(self, *keys: str | int) -> DocumentPath:
        """Return the position below this one."""
        return DocumentPath(self.report, (*self.path, *keys))

    def wrong(self, text: str) -> Invalid:
        """Report a problem here."""
        return self.report.add(self.path, text)

    def unknown(self, noun: str, name: str, known: Collection[str]) -> Invalid:
        """Report a name that is not known here."""
        return self.wrong(f"unknown {noun} {name!r}{did_you_mean(name, known)}")

    @property
    def line(self) -> int | None:
        """The line in the file, if it is known."""
        return nearest_line(self.report.lines, self.path)
