"""Decisions about an attempt that has ended. Pure."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from qa_queue.cases.texts import mask
from qa_queue.errors import QAError
from qa_queue.models.outcomes import FAILURES, FailureKind, JobFate, cancelled_result, outcome_of
from qa_queue.worker.ipc import ChildFailure


@dataclass(frozen=True, kw_only=True)
class FinishJob:
    """The job ends with this result."""

    result: Any


@dataclass(frozen=True, kw_only=True)
class RetryJob:
    """The job fails and is tried again, after the delay that its `rq.Retry` says."""

    failure: ChildFailure


@dataclass(frozen=True, kw_only=True)
class FailJob:
    """The job fails for good."""

    failure: ChildFailure


@dataclass(frozen=True, kw_only=True)
class Requeue:
    """The job goes back to its queue with every attempt that it had; a `suspect` is then run alone."""

    failure: ChildFailure
    suspect: bool = False


Verdict = FinishJob | RetryJob | FailJob | Requeue


class CrashBlame(Enum):
    """What a run bears of the death of the process that it was in."""

    ATTEMPT = "attempt"  # its attempt failed
    NOTHING = "nothing"  # it goes back to the queue
    SUSPICION = "suspicion"  # it goes back, and is run alone, so that it can harm nobody but itself


def share_of_death(*, returning: bool, overdue: bool, somebody_overdue: bool, alone: bool) -> CrashBlame:
    """What a run bears when its process has died.

    `returning` runs were on their way back already. One that did not end when told (`overdue`) is why the process
    was ended. Else the culprit is only known where it was `alone` in there.
    """
    if returning:
        return CrashBlame.NOTHING
    if overdue:
        return CrashBlame.ATTEMPT
    if somebody_overdue:
        return CrashBlame.NOTHING
    return CrashBlame.ATTEMPT if alone else CrashBlame.SUSPICION


def describe(error: BaseException) -> ChildFailure:
    """What went wrong, as it travels to the parent."""
    kind = outcome_of(error).failure
    message = str(error) or type(error).__name__
    if kind is FailureKind.BUG:
        message = f"{type(error).__name__}: {message}"
    return ChildFailure(kind=kind, message=message, detail="".join(traceback.format_exception(error)))


def masked(failure: ChildFailure, secrets: Mapping[str, str]) -> ChildFailure:
    """The failure without the values of secrets, for a driver's error may quote what it was given."""
    texts = {"message": mask(failure.message, secrets), "detail": mask(failure.detail, secrets)}
    return failure.model_copy(update=texts)


def rebuild(failure: ChildFailure) -> QAError:
    """The failure as an error again."""
    return FAILURES[failure.kind].error(failure.message)


def judge(failure: ChildFailure, *, retries_left: int, stopped: bool = False) -> Verdict:
    """What becomes of a job whose attempt failed.

    Only a failure of the infrastructure may pass by itself. A cancelled run did what was asked of it, so its job
    ends without being a failure; one that an operator stopped by RQ's own command is a failed job in RQ's terms.
    """
    if stopped:
        return FailJob(failure=failure)
    match FAILURES[failure.kind].job:
        case JobFate.REQUEUE:
            return Requeue(failure=failure)
        case JobFate.FINISH:
            return FinishJob(result=cancelled_result(failure.message))
        case JobFate.RETRY if retries_left > 0:
            return RetryJob(failure=failure)
        case _:
            return FailJob(failure=failure)
