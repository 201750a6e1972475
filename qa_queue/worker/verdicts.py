"""Verdicts on attempts that have ended. Pure."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from qa_queue.errors import QAError
from qa_queue.models.outcomes import FAILURES, FailureKind, JobFate, cancelled_result, outcome_of
from qa_queue.worker.ipc import ChildFailure


@dataclass(frozen=True, kw_only=True)
class FinishJob:
    """The job ends with this result."""

    result: Any


@dataclass(frozen=True, kw_only=True)
class RetryJob:
    """The attempt failed; another one follows after the delay of the job's `rq.Retry`, or `at_once`."""

    failure: ChildFailure
    at_once: bool = False


@dataclass(frozen=True, kw_only=True)
class FailJob:
    """The job fails; no attempt follows."""

    failure: ChildFailure


@dataclass(frozen=True, kw_only=True)
class StopJob:
    """The job ends as stopped by an operator; no attempt follows."""

    failure: ChildFailure


@dataclass(frozen=True, kw_only=True)
class RequeueJob:
    """The job returns to its queue with every attempt that it had; a `suspect` then runs alone.

    A `deferred` one goes to the end of the queue and runs alone too.
    """

    failure: ChildFailure
    suspect: bool = False
    deferred: bool = False


Verdict = FinishJob | RetryJob | FailJob | StopJob | RequeueJob


class CrashBlame(Enum):
    """Consequence for a run when the process that it was in has died."""

    ATTEMPT = "attempt"  # its attempt failed
    NONE = "none"  # it is requeued
    SUSPICION = "suspicion"  # it is requeued and runs alone, so that it can harm only itself


def blame_for_crash(*, returning: bool, overdue: bool, any_overdue: bool, alone: bool) -> CrashBlame:
    """Return the consequence for one run of a process that has died.

    A run that was `returning` to its queue bears nothing. One that did not end when it was cancelled (`overdue`) is
    the reason why the process was killed. Otherwise the culprit is known only if it was `alone` in the process.
    """
    if returning:
        return CrashBlame.NONE
    if overdue:
        return CrashBlame.ATTEMPT
    if any_overdue:
        return CrashBlame.NONE
    return CrashBlame.ATTEMPT if alone else CrashBlame.SUSPICION


def judge(
    failure: ChildFailure, *, retries_left: int, stopped: bool = False, process_lost: bool = False
) -> Verdict:
    """Return the verdict on a job whose attempt failed.

    Only a failure of the infrastructure may be transient. A run whose process was lost is tried again at once: a
    delay gives a server time to recover, and here only a new process is needed. A cancelled run did what was asked
    of it, so its job ends without being a failure; a job that an operator `stopped` by RQ's own command is a failed
    job in RQ's terms.
    """
    if stopped:
        return StopJob(failure=failure)
    match FAILURES[failure.kind].job:
        case JobFate.REQUEUE:
            return RequeueJob(failure=failure)
        case JobFate.DEFER:
            return RequeueJob(failure=failure, deferred=True)
        case JobFate.FINISH:
            return FinishJob(result=cancelled_result(failure.message))
        case JobFate.RETRY if retries_left > 0:
            return RetryJob(failure=failure, at_once=process_lost)
        case _:
            return FailJob(failure=failure)


def child_failure(error: BaseException) -> ChildFailure:
    """Return an error as it travels from the child to the worker."""
    kind = outcome_of(error).failure
    message = str(error) or type(error).__name__
    if kind is FailureKind.BUG:
        message = f"{type(error).__name__}: {message}"
    return ChildFailure(kind=kind, message=message, detail="".join(traceback.format_exception(error)))


def error_of(failure: ChildFailure) -> QAError:
    """Return a failure as an error of its kind; the inverse of `child_failure`."""
    return FAILURES[failure.kind].error(failure.message)


def masked(failure: ChildFailure, secrets: Mapping[str, str]) -> ChildFailure:
    """Return the failure without the values of secrets: a driver's error may quote its input."""
    from qa_queue.cases.texts import mask  # noqa: PLC0415 - the case language costs more than the rest of a start

    texts = {"message": mask(failure.message, secrets), "detail": mask(failure.detail, secrets)}
    return failure.model_copy(update=texts)
