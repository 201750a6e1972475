"""What steps and runs come to."""

from __future__ import annotations

import pytest

from processors.browser.protocol import Found, StepOutcome
from processors.execution.verdict import (
    RunVerdict,
    StepResult,
    halts,
    judge,
    limited,
    may_retry,
    step_status,
)
from qa_queue.models import ErrorKind, RunStatus, StepStatus
from tests.support.records import NOON
from tests.support.steps import on

PASSED, ADAPTED, FAILED, SKIPPED = StepStatus.PASSED, StepStatus.ADAPTED, StepStatus.FAILED, StepStatus.SKIPPED


def results(*statuses: StepStatus) -> list[StepResult]:
    """Steps of these statuses; a failed one says so."""
    return [
        StepResult(
            number=number,
            position=str(number),
            status=status,
            started_at=NOON,
            error="gone" if status is FAILED else None,
            kind=ErrorKind.NOT_FOUND if status is FAILED else None,
        )
        for number, status in enumerate(statuses, 1)
    ]


@pytest.mark.parametrize(
    ("statuses", "allowed", "stopped", "status", "error", "kind"),
    [
        ((PASSED, PASSED), 5, None, RunStatus.COMPLETED, None, None),
        ((PASSED, SKIPPED), 5, None, RunStatus.COMPLETED, None, None),
        ((PASSED, ADAPTED), 5, None, RunStatus.ADAPTED, None, None),
        ((PASSED, FAILED, FAILED), 5, None, RunStatus.FAILED, "step 2: gone", ErrorKind.NOT_FOUND),
        ((ADAPTED, FAILED), 0, None, RunStatus.FAILED, "step 2: gone", ErrorKind.NOT_FOUND),
        ((ADAPTED, ADAPTED), 2, None, RunStatus.ADAPTED, None, None),
        ((FAILED,), 5, ErrorKind.TIMEOUT, RunStatus.TIMED_OUT, "step 1: gone", ErrorKind.TIMEOUT),
        ((), 5, ErrorKind.TIMEOUT, RunStatus.TIMED_OUT, "the run exceeded its time", ErrorKind.TIMEOUT),
        ((FAILED,), 5, ErrorKind.CANCELLED, RunStatus.CANCELLED, "the run was cancelled", ErrorKind.CANCELLED),
    ],
)
def test_the_verdict(
    statuses: tuple[StepStatus, ...],
    allowed: int,
    stopped: ErrorKind | None,
    status: RunStatus,
    error: str | None,
    kind: ErrorKind | None,
) -> None:
    """A stop wins over a failure, a failure over adaptations, and the first failure speaks."""
    verdict = judge(results(*statuses), max_adaptations=allowed, stopped=stopped)
    assert (verdict.status, verdict.error, verdict.error_kind) == (status, error, kind)


def test_more_adaptations_than_allowed_are_a_failure() -> None:
    """The message has both numbers."""
    verdict = judge(results(ADAPTED, ADAPTED, ADAPTED), max_adaptations=2)
    assert (verdict.status, verdict.error_kind) == (RunStatus.FAILED, ErrorKind.NOT_FOUND)
    assert "3 steps found their element only by a fallback or a heal; 2 may" in (verdict.error or "")


def test_a_limit_that_no_step_failed_of_fails_a_good_run() -> None:
    """The reason of a bad one stays."""
    good, bad = (judge(results(one), max_adaptations=0) for one in (PASSED, FAILED))
    verdict = limited(good, "too many downloads")
    assert (verdict.status, verdict.error) == (RunStatus.FAILED, "too many downloads")
    assert (verdict.error_kind, verdict.passed) == (ErrorKind.PAGE_FLOOD, 1)
    assert limited(bad, "too many downloads") == bad
    assert limited(good, None) == good


def test_the_counts() -> None:
    """An adapted step passed; a skipped one is in no count."""
    verdict = judge(results(PASSED, ADAPTED, FAILED, SKIPPED), max_adaptations=5)
    assert (verdict.passed, verdict.adapted, verdict.failed) == (2, 1, 1)


@pytest.mark.parametrize(
    ("outcome", "optional", "status"),
    [
        (StepOutcome(), False, PASSED),
        (StepOutcome(found=Found(index=0)), False, PASSED),
        (StepOutcome(found=Found(index=2)), False, ADAPTED),
        (StepOutcome(found=Found(index=2), error="covered"), False, FAILED),
        (StepOutcome(error="gone"), True, SKIPPED),
        (StepOutcome(found=Found(index=1)), True, ADAPTED),
    ],
)
def test_the_status_of_a_step(outcome: StepOutcome, optional: bool, status: StepStatus) -> None:
    """An error fails a step, unless it is optional; a fallback adapts it."""
    assert step_status(outcome, optional=optional) is status


@pytest.mark.parametrize(
    ("fields", "error", "ends"),
    [
        ({}, "gone", True),
        ({"soft": True}, "gone", False),
        ({"optional": True}, "gone", False),
        ({}, None, False),
    ],
)
def test_steps_after_a_failure_are_skipped(fields: dict[str, bool], error: str | None, ends: bool) -> None:
    """A failure halts the try unless the step is soft or optional."""
    assert halts(on("click", "#x").model_copy(update=fields), StepOutcome(error=error)) is ends


@pytest.mark.parametrize(("status", "again"), [(s, s is RunStatus.FAILED) for s in RunStatus if s.final])
def test_only_a_failed_test_is_tried_again(status: RunStatus, again: bool) -> None:
    """Neither a time-out nor a cancel leaves time for another try."""
    assert may_retry(RunVerdict(status=status)) is again
