"""The table of outcomes: run status, error kind, exit code, HTTP status and fate of the job, each declared once.

An error class stands for itself and its subclasses; the most specific row wins. Everything else that maps an error,
a failure or a status to a consequence derives it from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Literal

from qa_queue.errors import (
    ConflictError,
    EvidenceError,
    ForbiddenError,
    IdempotencyConflictError,
    InfrastructureError,
    InputError,
    NotFoundError,
    QAError,
    RetryLaterError,
    RunCancelledError,
    RunReturnedError,
    RunTimedOutError,
    SettingsError,
)
from qa_queue.errors.validation import count_of
from qa_queue.models import ErrorKind, RunStatus, StepStatus

ResultStatus = Literal["completed", "adapted", "failed"]


class ExitCode(IntEnum):
    """The exit codes of the command line, as the README lists them."""

    OK = 0
    FAILED = 1
    BAD_INPUT = 2
    INFRASTRUCTURE = 3
    TIMED_OUT = 4
    INTERRUPTED = 130


class FailureKind(StrEnum):
    """The kind of an attempt's failure; decides whether another attempt makes sense."""

    INPUT = "input"  # the job cannot be done as given
    INFRASTRUCTURE = "infrastructure"  # a part under the run failed
    CANCELLED = "cancelled"  # a user or an operator ended it
    DEFERRED = "deferred"  # the test failed and is tried again at the end of the queue
    RETURNED = "returned"  # the job returns to its queue without using an attempt
    TIMED_OUT = "timed_out"  # it used up the job's time and ended when asked to
    BUG = "bug"  # anything else: an error of a processor


class JobFate(StrEnum):
    """The end of a job's attempt in RQ's terms."""

    FINISH = "finish"  # the job completed
    RETRY = "retry"  # another attempt while some are left, else it fails
    FAIL = "fail"  # the job is a dead letter
    DEFER = "defer"  # it goes to the end of its queue with the attempts that it had, and runs alone there
    REQUEUE = "requeue"  # it returns to its queue with the attempts that it had


class BatchVerdict(StrEnum):
    """The verdict on a batch: that of the first member, in this order, which one of its runs has."""

    RUNNING = "running"  # some runs have not ended
    FAILED = "failed"  # a run found a fault of the site or the case
    BROKEN = "broken"  # none did, but the infrastructure failed one for good
    CANCELLED = "cancelled"  # none of these, but not all were run
    FLAKY = "flaky"  # every run ended well, but some only on a retry
    PASSED = "passed"  # every run ended well


class Outcome(StrEnum):
    """The outcome of a test, an attempt or a step."""

    PASSED = "passed"
    ADAPTED = "adapted"  # passed, with an element that was found by another locator
    FLAKY = "flaky"  # failed first, then passed on a retry
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    ERROR = "error"  # the infrastructure failed, not the test
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    EXPECTED_FAILURE = "expected_failure"  # marked xfail, and failed
    UNFINISHED = "unfinished"  # queued or running when the report was made

    @property
    def bad(self) -> bool:
        """True if the outcome makes the whole report fail."""
        return self in (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.ERROR)

    @property
    def label(self) -> str:
        """Text for people."""
        return self.value.replace("_", " ")


@dataclass(frozen=True, kw_only=True)
class FailureOutcome:
    """Consequences of a failed attempt. `status` and `error_kind` are those of the run when no attempt is left.

    `error` is the class that represents the failure in another process.
    """

    status: RunStatus
    error_kind: ErrorKind
    job: JobFate
    error: type[QAError]


@dataclass(frozen=True, kw_only=True)
class ErrorOutcome:
    """Consequences of an error, by where it is raised: in an attempt, a command or an HTTP request."""

    failure: FailureKind
    exit_code: ExitCode
    http_status: HTTPStatus


@dataclass(frozen=True, kw_only=True)
class StatusOutcome:
    """Consequences of a run's status.

    `result` is that of its `TestJobResult`, None for a run without one; `outcome` is that of its test in reports.
    """

    exit_code: ExitCode
    result: ResultStatus | None
    verdict: BatchVerdict
    outcome: Outcome


FAILURES: Mapping[FailureKind, FailureOutcome] = MappingProxyType(
    {
        FailureKind.INPUT: FailureOutcome(
            status=RunStatus.FAILED, error_kind=ErrorKind.INPUT, job=JobFate.FAIL, error=InputError
        ),
        FailureKind.INFRASTRUCTURE: FailureOutcome(
            status=RunStatus.DEAD,
            error_kind=ErrorKind.INFRASTRUCTURE,
            job=JobFate.RETRY,
            error=InfrastructureError,
        ),
        FailureKind.CANCELLED: FailureOutcome(
            status=RunStatus.CANCELLED, error_kind=ErrorKind.CANCELLED, job=JobFate.FINISH, error=RunCancelledError
        ),
        FailureKind.RETURNED: FailureOutcome(
            status=RunStatus.QUEUED,
            error_kind=ErrorKind.INFRASTRUCTURE,
            job=JobFate.REQUEUE,
            error=RunReturnedError,
        ),
        FailureKind.DEFERRED: FailureOutcome(
            status=RunStatus.QUEUED, error_kind=ErrorKind.ASSERTION, job=JobFate.DEFER, error=RetryLaterError
        ),
        FailureKind.TIMED_OUT: FailureOutcome(
            status=RunStatus.TIMED_OUT, error_kind=ErrorKind.TIMEOUT, job=JobFate.FAIL, error=RunTimedOutError
        ),
        FailureKind.BUG: FailureOutcome(
            status=RunStatus.DEAD, error_kind=ErrorKind.INFRASTRUCTURE, job=JobFate.FAIL, error=QAError
        ),
    }
)


def _error(failure: FailureKind, exit_code: ExitCode, http_status: HTTPStatus) -> ErrorOutcome:
    return ErrorOutcome(failure=failure, exit_code=exit_code, http_status=http_status)


_REFUSED = (FailureKind.INPUT, ExitCode.BAD_INPUT)
_BUG = _error(FailureKind.BUG, ExitCode.FAILED, HTTPStatus.INTERNAL_SERVER_ERROR)

ERRORS: Mapping[type[QAError], ErrorOutcome] = MappingProxyType(
    {
        InputError: _error(*_REFUSED, HTTPStatus.UNPROCESSABLE_ENTITY),
        ForbiddenError: _error(*_REFUSED, HTTPStatus.FORBIDDEN),
        NotFoundError: _error(*_REFUSED, HTTPStatus.NOT_FOUND),
        ConflictError: _error(*_REFUSED, HTTPStatus.CONFLICT),
        IdempotencyConflictError: _error(*_REFUSED, HTTPStatus.CONFLICT),
        SettingsError: _error(*_REFUSED, HTTPStatus.SERVICE_UNAVAILABLE),  # the operator's fault, not the client's
        InfrastructureError: _error(
            FailureKind.INFRASTRUCTURE, ExitCode.INFRASTRUCTURE, HTTPStatus.SERVICE_UNAVAILABLE
        ),
        RunCancelledError: _error(FailureKind.CANCELLED, ExitCode.INTERRUPTED, HTTPStatus.INTERNAL_SERVER_ERROR),
        RunTimedOutError: _error(FailureKind.TIMED_OUT, ExitCode.TIMED_OUT, HTTPStatus.INTERNAL_SERVER_ERROR),
        RunReturnedError: _error(FailureKind.RETURNED, ExitCode.INFRASTRUCTURE, HTTPStatus.INTERNAL_SERVER_ERROR),
        RetryLaterError: _error(FailureKind.DEFERRED, ExitCode.FAILED, HTTPStatus.INTERNAL_SERVER_ERROR),
        EvidenceError: _BUG,  # handled where it is raised: one that escapes is a bug
        QAError: _BUG,
    }
)


def _status(
    exit_code: ExitCode, result: ResultStatus | None, verdict: BatchVerdict, outcome: Outcome
) -> StatusOutcome:
    return StatusOutcome(exit_code=exit_code, result=result, verdict=verdict, outcome=outcome)


STATUSES: Mapping[RunStatus, StatusOutcome] = MappingProxyType(
    {
        # The two that have not ended: the follower's time was up.
        RunStatus.QUEUED: _status(ExitCode.TIMED_OUT, None, BatchVerdict.RUNNING, Outcome.UNFINISHED),
        RunStatus.RUNNING: _status(ExitCode.TIMED_OUT, None, BatchVerdict.RUNNING, Outcome.UNFINISHED),
        RunStatus.COMPLETED: _status(ExitCode.OK, "completed", BatchVerdict.PASSED, Outcome.PASSED),
        RunStatus.ADAPTED: _status(ExitCode.OK, "adapted", BatchVerdict.PASSED, Outcome.ADAPTED),
        RunStatus.FAILED: _status(ExitCode.FAILED, "failed", BatchVerdict.FAILED, Outcome.FAILED),
        RunStatus.TIMED_OUT: _status(ExitCode.TIMED_OUT, "failed", BatchVerdict.FAILED, Outcome.TIMED_OUT),
        RunStatus.CANCELLED: _status(ExitCode.INTERRUPTED, None, BatchVerdict.CANCELLED, Outcome.CANCELLED),
        RunStatus.DEAD: _status(ExitCode.INFRASTRUCTURE, "failed", BatchVerdict.BROKEN, Outcome.ERROR),
    }
)

# Of pytest tests whose runs end well. The error of such a run begins with the outcome and has its reason.
PASSED_OVER = (Outcome.SKIPPED, Outcome.EXPECTED_FAILURE)


def passed_over_text(outcome: Outcome, reason: str | None) -> str:
    """Return the error of a run whose test was skipped, or failed as expected; `label_of` reads it."""
    return f"{outcome.label}: {reason}" if reason else outcome.label


def label_of(status: RunStatus, *, flaky: bool = False, error: str | None = None) -> str:
    """Return the status of a run as people say it; the outcome of its test where that says more."""
    if not status.good:
        return status.value.replace("_", " ")
    if flaky:
        return Outcome.FLAKY.label
    said = (error or "").partition(":")[0]
    return next((one for one in PASSED_OVER if one.label == said), STATUSES[status].outcome).label


def count_label(number: int, label: str) -> str:
    """Return the number of runs or tests with a label: `2 skipped`, `2 errors`."""
    nouns = (Outcome.ERROR.label, Outcome.EXPECTED_FAILURE.label)
    return count_of(number, label) if label in nouns else f"{number} {label}"


STEP_OUTCOMES: Mapping[StepStatus, Outcome] = MappingProxyType(
    {
        StepStatus.PASSED: Outcome.PASSED,
        StepStatus.ADAPTED: Outcome.ADAPTED,
        StepStatus.FAILED: Outcome.FAILED,
        StepStatus.SKIPPED: Outcome.SKIPPED,
    }
)


def step_outcome(status: StepStatus, kind: ErrorKind | None) -> Outcome:
    """Return the outcome of a step; one that a cancelled run cut short has not failed."""
    return Outcome.CANCELLED if kind is ErrorKind.CANCELLED else STEP_OUTCOMES[status]


# The status of a run that ends for this reason. A step that fails by a time-out of its own fails the run.
KINDS: Mapping[ErrorKind, RunStatus] = MappingProxyType(
    {
        ErrorKind.NOT_FOUND: RunStatus.FAILED,
        ErrorKind.AMBIGUOUS: RunStatus.FAILED,
        ErrorKind.NOT_ACTIONABLE: RunStatus.FAILED,
        ErrorKind.ASSERTION: RunStatus.FAILED,
        ErrorKind.NAVIGATION: RunStatus.FAILED,
        ErrorKind.PAGE_CRASH: RunStatus.FAILED,
        ErrorKind.PAGE_FLOOD: RunStatus.FAILED,
        ErrorKind.FIXTURE: RunStatus.FAILED,
        ErrorKind.PROCESS_CRASH: RunStatus.FAILED,
        **{one.error_kind: one.status for one in FAILURES.values() if one.status.final},
    }
)

# Infrastructure hides what the site would have shown, so it comes first; then time, then true failures. A run that
# was cancelled says least.
_SEVERITY = (ExitCode.INFRASTRUCTURE, ExitCode.TIMED_OUT, ExitCode.FAILED, ExitCode.INTERRUPTED)


def outcome_of(error: BaseException) -> ErrorOutcome:
    """Return the row of the error's class, or of its nearest parent; an unexpected exception is a bug."""
    return next((ERRORS[one] for one in type(error).__mro__ if one in ERRORS), _BUG)


def failure_of(error: BaseException) -> FailureOutcome:
    """Return the consequences of an attempt that ended with this error."""
    return FAILURES[outcome_of(error).failure]


def result_status(status: RunStatus) -> ResultStatus:
    """Return the status in the result of a run that has ended and was not cancelled."""
    found = STATUSES[status].result
    assert found is not None, f"a run that is {status} has no result"
    return found


RUN_CANCELLED = "the run was cancelled"
"""The error of a cancelled run of which nothing else is known."""

INTERRUPTED = "cancelled from the command line"
"""The error of a run that was waiting when Ctrl-C ended `run --wait`."""


def cancelled_result(message: str) -> dict[str, Any]:
    """Return the result of a job whose run was cancelled: the job completed."""
    return {"status": RunStatus.CANCELLED.value, "error": message}


def exit_code_of(statuses: Iterable[RunStatus]) -> ExitCode:
    """Return one exit code for many runs: the most severe, and OK for none."""
    codes = {STATUSES[status].exit_code for status in statuses}
    return next((code for code in _SEVERITY if code in codes), ExitCode.OK)


def verdict_of(counts: Mapping[RunStatus, int], *, flaky: int = 0) -> BatchVerdict:
    """Return the verdict on a batch with this number of runs by status; one without runs has passed.

    `flaky` is the number of those that passed on a retry only.
    """
    verdicts = {STATUSES[status].verdict for status, number in counts.items() if number}
    verdicts |= {BatchVerdict.FLAKY} if flaky else set()
    return next((verdict for verdict in BatchVerdict if verdict in verdicts), BatchVerdict.PASSED)
