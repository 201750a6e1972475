"""The read model of a report. Every format is rendered from it; its JSON Schema describes the JSON format.

Times are in UTC, durations in whole milliseconds. Texts are already free of secrets: the values come from rows and
files that were masked when they were written.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import Field, computed_field

from qa_queue.models import Frozen
from qa_queue.models.outcomes import Outcome

VERSION: Literal[1] = 1


class CheckComparison(Frozen):
    """The two sides of a failed check."""

    expected: str
    actual: str


class Evidence(Frozen):
    """A file that a test produced. `path` is absolute, or None if the file is not on this machine."""

    kind: str = Field(description="screenshot, trace, video, console, har, download or report")
    name: str
    content_type: str
    size_bytes: int = Field(ge=0)
    attempt: int = Field(ge=1)
    step: str | None = Field(default=None, description="Position of the step that it belongs to.")
    path: str | None = None
    link: str | None = Field(default=None, description="Address of the file, or of a page that shows the trace.")

    @property
    def is_picture(self) -> bool:
        """True if a browser shows the file as an image."""
        return self.content_type in ("image/png", "image/jpeg", "image/webp", "image/gif")


class Adaptation(Frozen):
    """A step that found its element by another locator than the first one of its target."""

    reason: str
    old: dict[str, Any]
    new: dict[str, Any]
    score: float | None = None
    summary: str = ""
    status: str = "applied"


class ReportStep(Frozen):
    """One step of an attempt.

    `position` is its place in the test, such as `3` or `4[1].2`, `source` that in its file, as `checkout.yaml:14`.
    """

    position: str
    source: str | None = None
    name: str
    outcome: Outcome
    duration_ms: int = Field(ge=0)
    error: str | None = None
    notes: tuple[str, ...] = ()
    comparison: CheckComparison | None = None
    adaptation: Adaptation | None = None
    started_at: datetime | None = Field(default=None, description="Of a phase of a pytest test.")

    @property
    def place(self) -> str:
        """Its position, with its place in its file where that is known."""
        return f"{self.position} ({self.source})" if self.source else self.position


class LogEntry(Frozen):
    """A line of evidence: a console message, a page error, a failed request, a dialog, or a note."""

    type: str
    text: str
    level: str | None = None
    source: str | None = None


class TestAttempt(Frozen):
    """One try of a test, counted from 1."""

    number: int = Field(ge=1)
    outcome: Outcome
    duration_ms: int = Field(ge=0)
    steps: tuple[ReportStep, ...] = ()
    log: tuple[LogEntry, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    sections: dict[str, str] = Field(
        default_factory=dict, description="Captured texts by title, such as a traceback."
    )
    snapshot: str | None = Field(default=None, description="Accessibility snapshot of the page at the failure.")


class Test(Frozen):
    """One test with all its attempts, oldest first."""

    __test__: ClassVar[bool] = False  # not a test class of pytest

    id: str
    name: str
    suite: str = Field(default="", description="Case file, test module or batch that the test belongs to.")
    file: str | None = Field(
        default=None,
        description="Path of its file, as it was submitted; that of a pytest test begins at pytest's root.",
    )
    tags: tuple[str, ...] = ()
    outcome: Outcome
    error: str | None = None
    error_kind: str | None = None
    worker: str | None = None
    base_url: str | None = None
    queued_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    duration_ms: int = Field(default=0, ge=0)
    notes: tuple[str, ...] = Field(
        default=(), description="What a reader should know: losses of an import, dialogs."
    )
    attempts: tuple[TestAttempt, ...] = ()

    @property
    def failed_step(self) -> ReportStep | None:
        """The first step that failed in the last attempt."""
        steps = self.attempts[-1].steps if self.attempts else ()
        return next((step for step in steps if step.outcome.bad), None)

    @property
    def failed_line(self) -> int | None:
        """The line of its file that failed last: that of the step, or the last one of the traceback."""
        step = self.failed_step
        if step is not None and step.source and step.source.rpartition(":")[2].isdigit():
            return int(step.source.rpartition(":")[2])
        texts = self.attempts[-1].sections.values() if self.attempts and self.file else ()
        found = [
            line for text in texts for line in re.findall(rf"^{re.escape(self.file or '')}:(\d+): ", text, re.M)
        ]
        return int(found[-1]) if found else None


class Report(Frozen):
    """A run, a batch or a pytest session."""

    version: Literal[1] = VERSION
    title: str
    kind: Literal["run", "batch", "session"]
    id: str = ""
    created_at: datetime
    environment: dict[str, str] = Field(default_factory=dict)
    tests: tuple[Test, ...] = ()

    @computed_field  # type: ignore[prop-decorator]
    @property
    def started_at(self) -> datetime | None:
        """Start of the first test."""
        return min((test.started_at for test in self.tests if test.started_at), default=None)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def finished_at(self) -> datetime | None:
        """End of the last test."""
        return max((test.finished_at for test in self.tests if test.finished_at), default=None)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def counts(self) -> dict[str, int]:
        """Number of tests of each outcome that occurs, in the order of `Outcome`."""
        found = Counter(test.outcome for test in self.tests)
        return {outcome.value: found[outcome] for outcome in Outcome if found[outcome]}

    @computed_field  # type: ignore[prop-decorator]
    @property
    def outcome(self) -> Outcome:
        """The worst outcome: failed, error, unfinished, cancelled, flaky, in this order; otherwise passed."""
        found = {test.outcome for test in self.tests}
        if found & {Outcome.FAILED, Outcome.TIMED_OUT}:
            return Outcome.FAILED
        for outcome in (Outcome.ERROR, Outcome.UNFINISHED, Outcome.CANCELLED, Outcome.FLAKY):
            if outcome in found:
                return outcome
        return Outcome.PASSED

    @property
    def failures(self) -> tuple[Test, ...]:
        """Tests that make the report fail."""
        return tuple(test for test in self.tests if test.outcome.bad)

    @property
    def wall_ms(self) -> int:
        """Time from the first start to the last end; 0 if unknown."""
        if self.started_at is None or self.finished_at is None:
            return 0
        return max(0, round((self.finished_at - self.started_at).total_seconds() * 1000))
