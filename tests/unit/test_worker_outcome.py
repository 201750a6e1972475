"""What becomes of an attempt that ended."""

from __future__ import annotations

import pytest

from qa_queue.errors import (
    BrowserCrashedError,
    CaseError,
    InputError,
    QAError,
    RunCancelledError,
    RunTimedOutError,
    StoreUnavailableError,
)
from qa_queue.models.outcomes import FailureKind
from qa_queue.worker.ipc import ChildFailure
from qa_queue.worker.outcome import FailJob, FinishJob, RetryJob, describe, judge, rebuild


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (InputError("x"), FailureKind.INPUT),
        (CaseError("x"), FailureKind.INPUT),
        (BrowserCrashedError("x"), FailureKind.INFRASTRUCTURE),
        (StoreUnavailableError("x"), FailureKind.INFRASTRUCTURE),
        (RunCancelledError("x"), FailureKind.CANCELLED),
        (RunTimedOutError("x"), FailureKind.TIMED_OUT),
        (QAError("x"), FailureKind.BUG),
        (KeyError("x"), FailureKind.BUG),
    ],
)
def test_an_error_is_told_by_its_kind(error, kind):
    """Subclasses count as their parents; what nobody expected is a bug."""
    assert describe(error).kind is kind


def test_a_bug_is_told_with_its_class_and_an_empty_message_by_its_class():
    """`KeyError('x')` alone would read as `'x'`."""
    assert describe(KeyError("x")).message == "KeyError: 'x'"
    assert describe(InputError()).message == "InputError"


def test_the_traceback_travels_along():
    """It ends in RQ's result, for whoever looks."""

    def refuse() -> None:
        raise InputError("no steps")

    with pytest.raises(InputError) as caught:
        refuse()
    failure = describe(caught.value)
    assert "test_worker_outcome.py" in failure.detail
    assert failure.detail.rstrip().endswith("InputError: no steps")


def failure(kind: FailureKind) -> ChildFailure:
    return ChildFailure(kind=kind, message="because", detail="at ...")


@pytest.mark.parametrize(
    ("kind", "retries_left", "verdict"),
    [
        (FailureKind.INFRASTRUCTURE, 2, RetryJob),
        (FailureKind.INFRASTRUCTURE, 0, FailJob),
        (FailureKind.INPUT, 2, FailJob),
        (FailureKind.BUG, 2, FailJob),
        (FailureKind.TIMED_OUT, 2, FailJob),
        (FailureKind.CANCELLED, 2, FinishJob),
        (FailureKind.CANCELLED, 0, FinishJob),
    ],
)
def test_only_the_infrastructure_is_given_another_try(kind, retries_left, verdict):
    """And only while there are tries."""
    assert isinstance(judge(failure(kind), retries_left=retries_left), verdict)


@pytest.mark.parametrize("kind", list(FailureKind))
def test_what_an_operator_stopped_stays_stopped(kind):
    """However the attempt ended."""
    assert judge(failure(kind), retries_left=5, stopped=True) == FailJob(failure=failure(kind))


def test_a_cancelled_run_says_so_in_its_result():
    """Its job is no failure."""
    assert judge(failure(FailureKind.CANCELLED), retries_left=0) == FinishJob(
        result={"status": "cancelled", "error": "because"}
    )


@pytest.mark.parametrize(
    "kind", [FailureKind.INPUT, FailureKind.INFRASTRUCTURE, FailureKind.CANCELLED, FailureKind.TIMED_OUT]
)
def test_a_failure_becomes_an_error_of_its_kind_again(kind):
    """With its message."""
    error = rebuild(failure(kind))
    assert (describe(error).kind, str(error)) == (kind, "because")
