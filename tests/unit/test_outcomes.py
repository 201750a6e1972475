"""The table of outcomes: total, consistent, and the exit codes that follow from it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from http import HTTPStatus

import pytest

import processors
import qa_queue
from qa_queue.errors import (
    BrowserMissingError,
    CaseError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    QAError,
    RedisUnavailableError,
    RunCancelledError,
    RunTimedOutError,
    SettingsError,
    StoreSchemaError,
)
from qa_queue.models import ErrorKind
from qa_queue.models import RunStatus as S
from qa_queue.models.outcomes import (
    ERRORS,
    FAILURES,
    KINDS,
    STATUSES,
    ExitCode,
    FailureKind,
    JobFate,
    exit_code_of,
    failure_of,
    outcome_of,
    result_status,
)
from qa_queue.queues.attempts import AttemptFailure
from qa_queue.queues.dead_letter import death_reason
from tests.support.records import NOON

# They never leave the place that raises them: a response's own status, and a step's failure.
HANDLED_WHERE_RAISED = {"RefusedError", "StepFailedError"}


def every_error() -> Iterator[type[QAError]]:
    """All subclasses of QAError in the product, its root excluded."""
    for package in (qa_queue, processors):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    waiting = list(QAError.__subclasses__())
    while waiting:
        found = waiting.pop()
        waiting += found.__subclasses__()
        if found.__module__.partition(".")[0] in ("qa_queue", "processors"):
            yield found


def test_every_error_of_the_product_has_an_outcome_of_its_own_or_of_its_parent() -> None:
    errors = list(every_error())
    missing = {
        error.__name__ for error in errors if not any(one in ERRORS for one in error.__mro__ if one is not QAError)
    }
    assert len(errors) > 20
    assert missing == HANDLED_WHERE_RAISED


def test_every_status_kind_and_failure_has_a_row() -> None:
    assert set(STATUSES) == set(S)
    assert set(KINDS) == set(ErrorKind)
    assert set(FAILURES) == set(FailureKind)


def test_a_run_that_has_ended_has_a_result_unless_it_was_cancelled() -> None:
    assert {status for status in S if STATUSES[status].result is None} == {S.QUEUED, S.RUNNING, S.CANCELLED}
    assert result_status(S.DEAD) == result_status(S.TIMED_OUT) == "failed"


@pytest.mark.parametrize("kind", list(FailureKind))
def test_a_failure_and_the_error_that_represents_it_agree(kind: FailureKind) -> None:
    """In another process the error stands for the failure."""
    assert outcome_of(FAILURES[kind].error("x")).failure is kind
    queued = kind in (FailureKind.RETURNED, FailureKind.DEFERRED)
    assert KINDS[FAILURES[kind].error_kind] is FAILURES[kind].status or queued


@pytest.mark.parametrize("kind", [kind for kind in FailureKind if FAILURES[kind].job is JobFate.FAIL])
def test_a_job_that_is_not_tried_again_says_why_in_its_dead_letter(kind: FailureKind) -> None:
    attempt = AttemptFailure(number=1, kind=kind.value, error="e", failed_at=NOON)
    assert "not retried" in death_reason("failed", [attempt], readable=True)


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        ([], ExitCode.OK),
        ([S.COMPLETED, S.ADAPTED], ExitCode.OK),
        ([S.COMPLETED, S.FAILED], ExitCode.FAILED),
        ([S.CANCELLED], ExitCode.INTERRUPTED),
        ([S.CANCELLED, S.FAILED], ExitCode.FAILED),
        ([S.FAILED, S.TIMED_OUT], ExitCode.TIMED_OUT),
        ([S.COMPLETED, S.RUNNING], ExitCode.TIMED_OUT),
        ([S.QUEUED], ExitCode.TIMED_OUT),
        ([S.FAILED, S.TIMED_OUT, S.DEAD], ExitCode.INFRASTRUCTURE),
    ],
)
def test_the_most_severe_end_of_all_runs_decides_the_exit_code(statuses: list[S], code: ExitCode) -> None:
    assert exit_code_of(statuses) is code


def test_the_exit_code_of_one_run_is_that_of_its_status() -> None:
    """The order of severity leaves none out."""
    assert {status: exit_code_of([status]) for status in S} == {s: row.exit_code for s, row in STATUSES.items()}


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (CaseError("x"), 2, 422),
        (SettingsError("x"), 2, 503),
        (NotFoundError("x"), 2, 404),
        (ForbiddenError("x"), 2, 403),
        (ConflictError("x"), 2, 409),
        (RedisUnavailableError("x"), 3, 503),
        (StoreSchemaError("x"), 3, 503),
        (BrowserMissingError("x"), 3, 503),
        (RunTimedOutError("x"), 4, 500),
        (RunCancelledError("x"), 130, 500),
        (QAError("x"), 1, 500),
        (KeyError("x"), 1, 500),
    ],
)
def test_each_kind_of_error_has_its_exit_code_and_http_status(error: Exception, code: int, status: int) -> None:
    found = outcome_of(error)
    assert (found.exit_code, found.http_status) == (code, HTTPStatus(status))


def test_only_the_infrastructure_is_tried_again() -> None:
    assert failure_of(StoreSchemaError("x")).job is JobFate.RETRY
    assert {kind for kind, row in FAILURES.items() if row.job is JobFate.RETRY} == {FailureKind.INFRASTRUCTURE}
