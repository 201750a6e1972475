"""The results that jobs return, and the progress that runs report. Durations are in ms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal, Protocol, Self

from pydantic import Field

from qa_queue.errors.validation import count_of
from qa_queue.models.payloads import PAYLOAD_VERSION
from qa_queue.models.values import ErrorKind, Frozen, RunStatus, StepStatus

BASELINE = "baseline-"  # begins the names of artifacts that are new baselines of screenshots


class StepData(Frozen):
    """The step of a progress report.

    `position` is its place in the case, as `3` or `4[1].2`, `source` that in its file; `duration` is in ms.
    """

    action: str
    position: str | None = None
    source: str | None = None
    status: StepStatus
    duration: int
    error: str | None = None


class JobProgress(Frozen):
    """A progress report of a run; `status` changes at the start and end of the run.

    `total_steps` and `percentage` (0..100) are None while the number of steps is unknown, as in a loop.
    """

    version: Literal[1] = PAYLOAD_VERSION
    test_run_id: str
    current_step: int = Field(ge=0)
    total_steps: int | None = Field(ge=0)
    percentage: int | None = Field(ge=0, le=100)
    message: str = ""
    status: RunStatus = RunStatus.RUNNING
    label: str | None = Field(default=None, description="The result as people say it, in the last report.")
    step_data: StepData | None = None

    @classmethod
    def ended(cls, run_id: str, status: RunStatus, label: str, *, done: int, total: int, message: str = "") -> Self:
        """Return the last report of a run that has executed `done` of `total` steps."""
        percentage = 100 if status.good else min(100, 100 * done // max(1, total))
        return cls(
            test_run_id=run_id,
            current_step=done,
            total_steps=total,
            percentage=percentage,
            message=message,
            status=status,
            label=label,
        )


class ExecutedStep(Protocol):
    """A step that was executed or skipped, as a row or as a result."""

    @property
    def number(self) -> int:
        """Its number, from 1."""

    @property
    def status(self) -> StepStatus:
        """Its status at the end."""

    @property
    def error(self) -> str | None:
        """The reason for a failure, also that of an optional step, whose status is `skipped`."""


def steps_done(steps: Iterable[ExecutedStep]) -> int:
    """Return the number of the last step that was executed, or 0; those skipped after a failure do not count."""
    return max((step.number for step in steps if step.status is not StepStatus.SKIPPED or step.error), default=0)


class AdaptationRecord(Frozen):
    """A step whose element was located by other means than its target's first entry.

    `old` and `new` are targets as JSON; `score` and `margin` are in 0..1, and None for a fallback that the case
    itself declares.
    """

    step_number: int
    reason: Literal["fallback", "learned", "healed"]
    old: dict[str, Any]
    new: dict[str, Any]
    score: float | None = None
    margin: float | None = None


class TestJobResult(Frozen):
    """The result of a `test-execution` job. `duration` is in ms; `failed`: the site or the case is wrong.

    `completed_steps` counts the steps that passed, adapted ones included.
    """

    __test__: ClassVar[bool] = False

    version: Literal[1] = PAYLOAD_VERSION
    test_run_id: str
    status: Literal["completed", "failed", "adapted"]
    total_steps: int = Field(ge=0)
    completed_steps: int = Field(ge=0)
    failed_steps: int = Field(ge=0)
    adapted_steps: int = Field(default=0, ge=0)
    duration: int = Field(ge=0)
    error: str | None = None
    error_kind: ErrorKind | None = None
    flaky: bool = False
    adaptations: tuple[AdaptationRecord, ...] = ()


class CleanupJobResult(Frozen):
    """The number of items that a `cleanup` job deleted or, in a dry run, would delete.

    `runs`, `steps`, `artifacts` and `adaptations` count rows; `files` and `bytes_freed` count what was on the disk;
    `orphans` counts artifact folders without a run. `evidence` counts the files of runs that stay, and `pinned` the
    runs that stay only because they are pinned. `run_ids` lists only the first of those deleted.
    """

    version: Literal[1] = PAYLOAD_VERSION
    dry_run: bool
    runs: int = Field(default=0, ge=0)
    steps: int = Field(default=0, ge=0)
    artifacts: int = Field(default=0, ge=0)
    adaptations: int = Field(default=0, ge=0)
    files: int = Field(default=0, ge=0)
    orphans: int = Field(default=0, ge=0)
    evidence: int = Field(default=0, ge=0)
    pinned: int = Field(default=0, ge=0)
    bytes_freed: int = Field(default=0, ge=0)
    run_ids: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """The result in one line."""
        counts = (
            count_of(self.runs, "run"),
            count_of(self.steps, "step"),
            count_of(self.artifacts, "artifact"),
            f"{count_of(self.files, 'file')} ({count_of(self.bytes_freed, 'byte')})",
            f"{count_of(self.orphans, 'folder')} without a run",
            *((f"{count_of(self.evidence, 'file')} of runs that stay",) if self.evidence else ()),
        )
        kept = f"; {count_of(self.pinned, 'pinned run')} kept" if self.pinned else ""
        return f"{'would delete' if self.dry_run else 'deleted'} {', '.join(counts)}{kept}"


class LearningJobResult(Frozen):
    """The number of items that an `adaptation-learning` job read and changed; `patterns` counts all known ones."""

    version: Literal[1] = PAYLOAD_VERSION
    cases: int = Field(default=0, ge=0)
    runs: int = Field(default=0, ge=0)
    patterns: int = Field(default=0, ge=0)
    patterns_changed: int = Field(default=0, ge=0)
    patterns_removed: int = Field(default=0, ge=0)

    @property
    def summary(self) -> str:
        """The result in one line."""
        return (
            f"learned from {count_of(self.runs, 'run')} of {count_of(self.cases, 'case')}: "
            f"{count_of(self.patterns, 'locator')} known, {self.patterns_changed} changed, "
            f"{self.patterns_removed} removed"
        )


def run_title(case_name: str, data_row: Mapping[str, Any] | None) -> str:
    """Return the title of a run: the name of its case, and that of its row of data in brackets."""
    return f"{case_name} [{data_row['name']}]" if data_row else case_name
