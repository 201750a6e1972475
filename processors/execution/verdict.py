"""Verdicts: every decision about the outcome of steps and runs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from processors.browser.protocol import Found, Heal, StepOutcome
from qa_queue.cases.locations import place_text
from qa_queue.cases.model import Step
from qa_queue.models import ErrorKind, RunStatus, StepStatus
from qa_queue.models.outcomes import KINDS, RUN_CANCELLED


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """One step of one try. The `error` of a skipped optional step says why it did not pass.

    `saved` has the values that it sets. `halts` means that the steps after it are skipped, except those that always
    run.
    """

    number: int
    position: str
    status: StepStatus
    started_at: datetime
    duration_ms: int = 0
    error: str | None = None
    kind: ErrorKind | None = None
    found: Found | None = None
    heal: Heal | None = None
    saved: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    halts: bool = False
    source: str | None = None  # its place in its file

    @property
    def place(self) -> str:
        """Its position, with its place in its file where that is known."""
        return place_text(self.position, self.source)


@dataclass(frozen=True, kw_only=True)
class RunVerdict:
    """The verdict on a run; the counts are those of its last try."""

    status: RunStatus
    error: str | None = None
    error_kind: ErrorKind | None = None
    passed: int = 0  # adapted ones included
    failed: int = 0
    adapted: int = 0


def step_status(outcome: StepOutcome, *, optional: bool = False) -> StepStatus:
    """Return the status of a step: skipped if it is optional and failed, passed by a learned locator."""
    if outcome.error is not None:
        return StepStatus.SKIPPED if optional else StepStatus.FAILED
    if outcome.heal is not None or outcome.adapted:
        return StepStatus.ADAPTED
    by_fallback = outcome.found is not None and outcome.found.index > 0 and not outcome.found.by_learned
    return StepStatus.ADAPTED if by_fallback else StepStatus.PASSED


def halts(step: Step, outcome: StepOutcome) -> bool:
    """Return True if the steps after this one are skipped, except those that always run."""
    return outcome.error is not None and not (step.optional or step.soft)


def judge(results: Sequence[StepResult], *, max_adaptations: int, stopped: ErrorKind | None = None) -> RunVerdict:
    """Return the verdict on a try; `stopped` is the reason for its early end, `TIMEOUT` or `CANCELLED`.

    A run with more adapted steps than `max_adaptations` fails: that many changes mean a redesign, and the case
    needs an update.
    """
    statuses = [result.status for result in results]
    adapted = statuses.count(StepStatus.ADAPTED)
    status, error, kind = _judge(results, adapted, max_adaptations, stopped)
    return RunVerdict(
        status=status,
        error=error,
        error_kind=kind,
        passed=statuses.count(StepStatus.PASSED) + adapted,
        failed=statuses.count(StepStatus.FAILED),
        adapted=adapted,
    )


def limited(verdict: RunVerdict, exceeded: str | None) -> RunVerdict:
    """Return the verdict on a try with a limit that it went beyond, in words, where no step has failed of that."""
    if exceeded is None or not verdict.status.good:
        return verdict
    return replace(verdict, status=RunStatus.FAILED, error=exceeded, error_kind=ErrorKind.PAGE_FLOOD)


def _judge(
    results: Sequence[StepResult], adapted: int, max_adaptations: int, stopped: ErrorKind | None
) -> tuple[RunStatus, str | None, ErrorKind | None]:
    first = next((result for result in results if result.status is StepStatus.FAILED), None)
    error = f"step {first.place}: {first.error}" if first else None
    if stopped is ErrorKind.CANCELLED:
        return KINDS[stopped], RUN_CANCELLED, stopped
    if stopped is ErrorKind.TIMEOUT:
        return KINDS[stopped], error or "the run exceeded its time", stopped
    if first:
        return RunStatus.FAILED, error, first.kind
    if adapted > max_adaptations:
        return (
            RunStatus.FAILED,
            f"{adapted} steps found their element only by a fallback or a heal; {max_adaptations} may "
            "(max_adaptations): update the targets of the case",
            ErrorKind.NOT_FOUND,
        )
    return (RunStatus.ADAPTED if adapted else RunStatus.COMPLETED), None, None


def may_retry(verdict: RunVerdict) -> bool:
    """Return True if another try of the test could change the verdict."""
    return verdict.status is RunStatus.FAILED
