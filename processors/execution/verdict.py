"""What steps and runs come to: every decision on a run's outcome, as pure functions of values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from processors.browser.protocol import Found, Heal, StepOutcome, TraceContent
from qa_queue.cases.model import Step
from qa_queue.models import ErrorKind, RunStatus, StepStatus, TraceMode
from qa_queue.models.outcomes import KINDS


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """One step of one try, done or skipped. `error` of a skipped optional step says why it did not pass.

    `halts` means that the steps after it are skipped, except those that always run.
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
    halts: bool = False


@dataclass(frozen=True, kw_only=True)
class RunVerdict:
    """What a run came to; the counts are of the try that decided it."""

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
    if outcome.heal is not None:
        return StepStatus.ADAPTED
    by_fallback = outcome.found is not None and outcome.found.index > 0 and not outcome.found.by_learned
    return StepStatus.ADAPTED if by_fallback else StepStatus.PASSED


def halts(step: Step, outcome: StepOutcome) -> bool:
    """Return True if the steps after this one are skipped, except those that always run."""
    return outcome.error is not None and not (step.optional or step.soft)


def judge(results: Sequence[StepResult], *, max_adaptations: int, stopped: ErrorKind | None = None) -> RunVerdict:
    """The verdict on the steps of a try; `stopped` is why it had to end early: `TIMEOUT` or `CANCELLED`.

    A run with more adapted steps than `max_adaptations` fails: so many changes are a redesign, not drift, and
    somebody should look at the case.
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


def _judge(
    results: Sequence[StepResult], adapted: int, max_adaptations: int, stopped: ErrorKind | None
) -> tuple[RunStatus, str | None, ErrorKind | None]:
    first = next((result for result in results if result.status is StepStatus.FAILED), None)
    error = f"step {first.position}: {first.error}" if first else None
    if stopped is ErrorKind.CANCELLED:
        return KINDS[stopped], "the run was cancelled", stopped
    if stopped is ErrorKind.TIMEOUT:
        return KINDS[stopped], error or "the run used up its time", stopped
    if first:
        return RunStatus.FAILED, error, first.kind
    if adapted > max_adaptations:
        return (
            RunStatus.FAILED,
            f"{adapted} steps found their element only by a fallback or a heal; {max_adaptations} may "
            "(max_adaptations): bring the case's targets up to date",
            ErrorKind.NOT_FOUND,
        )
    return (RunStatus.ADAPTED if adapted else RunStatus.COMPLETED), None, None


def may_retry(verdict: RunVerdict) -> bool:
    """Whether another try of the test could change the verdict."""
    return verdict.status is RunStatus.FAILED


def trace_content(mode: TraceMode, *, test_try: int, secrets: bool) -> TraceContent:
    """What a try records.

    The film of the page costs 35-45 % of a run's time, so a trace that most runs throw away goes without. A run
    with secrets has none either: its pictures cannot be searched for them.
    """
    wanted = mode in (TraceMode.ON, TraceMode.ON_FAILURE) or (mode is TraceMode.ON_FIRST_RETRY and test_try == 2)
    if not wanted:
        return TraceContent.NONE
    return TraceContent.SNAPSHOTS if secrets or mode is TraceMode.ON_FAILURE else TraceContent.FILM


def keeps_trace(mode: TraceMode, verdict: RunVerdict) -> bool:
    """Whether a trace that was recorded is kept; nobody looks at that of a cancelled run."""
    if verdict.status is RunStatus.CANCELLED:
        return False
    return mode is not TraceMode.ON_FAILURE or not verdict.status.good
