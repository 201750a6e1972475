"""Verdicts on attempts that have ended."""

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
from qa_queue.worker.verdicts import (
    CrashBlame,
    FailJob,
    FinishJob,
    RequeueJob,
    RetryJob,
    StopJob,
    blame_for_crash,
    child_failure,
    error_of,
    judge,
)


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
def test_an_error_has_a_kind(error, kind):
    """Subclasses count as their parents; an unexpected error is a bug."""
    assert child_failure(error).kind is kind


def test_the_message_of_a_bug_names_its_class_and_an_empty_message_becomes_the_class():
    """`KeyError('x')` alone would read as `'x'`."""
    assert child_failure(KeyError("x")).message == "KeyError: 'x'"
    assert child_failure(InputError()).message == "InputError"


def test_a_failure_contains_the_traceback():
    """It becomes part of RQ's result."""

    def refuse() -> None:
        raise InputError("no steps")

    with pytest.raises(InputError) as caught:
        refuse()
    failure = child_failure(caught.value)
    assert "test_worker_verdicts.py" in failure.detail
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
def test_only_failures_of_the_infrastructure_are_retried(kind, retries_left, verdict):
    """While retries are left."""
    assert isinstance(judge(failure(kind), retries_left=retries_left), verdict)


def test_a_run_whose_process_was_lost_is_tried_again_at_once():
    """It still uses an attempt, which bounds the processes that a harmful run can end."""
    lost = failure(FailureKind.INFRASTRUCTURE)
    assert judge(lost, retries_left=1, process_lost=True) == RetryJob(failure=lost, at_once=True)
    assert judge(lost, retries_left=1) == RetryJob(failure=lost, at_once=False)
    assert judge(lost, retries_left=0, process_lost=True) == FailJob(failure=lost)


@pytest.mark.parametrize("kind", list(FailureKind))
def test_a_job_that_an_operator_stopped_stays_stopped(kind):
    """However the attempt ended."""
    assert judge(failure(kind), retries_left=5, stopped=True) == StopJob(failure=failure(kind))


def test_the_result_of_a_cancelled_run_says_so():
    """Its job did not fail."""
    assert judge(failure(FailureKind.CANCELLED), retries_left=0) == FinishJob(
        result={"status": "cancelled", "error": "because"}
    )


def test_a_returned_run_is_requeued_even_without_retries():
    """The attempt does not count."""
    returned = failure(FailureKind.RETURNED)
    assert judge(returned, retries_left=0) == RequeueJob(failure=returned)


def test_a_test_to_be_tried_again_later_goes_to_the_end():
    """Whether or not the job has retries left."""
    deferred = failure(FailureKind.DEFERRED)
    assert judge(deferred, retries_left=0) == RequeueJob(failure=deferred, deferred=True)


@pytest.mark.parametrize(
    "kind",
    [
        FailureKind.INPUT,
        FailureKind.INFRASTRUCTURE,
        FailureKind.CANCELLED,
        FailureKind.TIMED_OUT,
        FailureKind.RETURNED,
    ],
)
def test_a_failure_becomes_an_error_of_its_kind_again(kind):
    """With its message."""
    error = error_of(failure(kind))
    assert (child_failure(error).kind, str(error)) == (kind, "because")


@pytest.mark.parametrize(
    ("returning", "overdue", "any_overdue", "alone", "blame"),
    [
        (True, False, False, True, CrashBlame.NONE),
        (True, True, True, True, CrashBlame.NONE),
        (False, True, True, False, CrashBlame.ATTEMPT),
        (False, False, True, False, CrashBlame.NONE),
        (False, False, False, True, CrashBlame.ATTEMPT),
        (False, False, False, False, CrashBlame.SUSPICION),
    ],
)
def test_a_crash_of_the_process_is_blamed_on_the_run_that_caused_it(returning, overdue, any_overdue, alone, blame):
    """If the culprit is unknown, no run loses an attempt, and each runs alone the next time."""
    found = blame_for_crash(returning=returning, overdue=overdue, any_overdue=any_overdue, alone=alone)
    assert found is blame
