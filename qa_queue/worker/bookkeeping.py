"""Bookkeeping of a worker's jobs: executions opened and closed in order, the event stream, and the log.

An execution that cannot be closed because Redis is unavailable is kept, with all that ended after it.
"""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from redis import Redis
from redis.exceptions import RedisError

from qa_queue.models import RunStatus, utc_now
from qa_queue.models.outcomes import FAILURES, FailureKind
from qa_queue.queues import QueueManager
from qa_queue.queues.attempts import ERROR_LENGTH
from qa_queue.queues.dequeue import ReservedJob
from qa_queue.queues.events import WorkerEvent, record_event
from qa_queue.redis.counters import EndedRun
from qa_queue.worker.executions import (
    ActiveJob,
    EndedJob,
    UnreadableJobError,
    close_failed,
    close_finished,
    close_requeued,
    close_retried,
    open_execution,
)
from qa_queue.worker.fencing import ExecutionLostError, owned
from qa_queue.worker.ipc import Abandon, ChildFailure, RecordRequest, Release
from qa_queue.worker.verdicts import (
    FailJob,
    FinishJob,
    RequeueJob,
    RetryJob,
    StopJob,
    Verdict,
    child_failure,
    masked,
)

if TYPE_CHECKING:
    from rq.worker import BaseWorker

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ClosedJob:
    """A job whose execution is closed; `request` is what a child is to record of the run."""

    execution_id: str
    request: RecordRequest | None


class Bookkeeping:
    """Opens and closes executions for a worker. `closed` counts the executions that it closed."""

    def __init__(self, worker: BaseWorker, queues: QueueManager, secrets: Mapping[str, str]) -> None:
        self.closed = 0
        self._worker = worker
        self._queues = queues
        self._secrets = secrets
        self._events = JobEvents(worker.connection)
        self._pending: deque[EndedJob] = deque()
        self._delayed = False  # the first job is kept until Redis is available, which was logged

    @property
    def pending(self) -> bool:
        """True while ended jobs wait to be closed because Redis is unavailable."""
        return bool(self._pending)

    def open(self, reserved: ReservedJob, *, suspect: bool) -> ActiveJob | Abandon | None:
        """Register the execution of a reserved job.

        Return `Abandon` for a job that cannot be read and is now a dead letter, and None if the job is gone.

        Raises:
            redis.exceptions.RedisError: Redis failed; call again.
        """
        try:
            active = open_execution(self._worker, reserved, suspect=suspect)
        except UnreadableJobError as error:
            log.error("Moved to the dead letters: %s", error)  # noqa: TRY400 - the message is complete
            failure = masked(child_failure(error), self._secrets)
            return Abandon(id=error.context.job_id, context=error.context, failure=failure)
        if active is not None:
            self._events.active(active)
        return active

    def close(self, ended: Iterable[EndedJob]) -> list[ClosedJob]:
        """Close executions in order and return those that are closed; the others are kept for the next call."""
        self._pending.extend(ended)
        closed = []
        while self._pending:
            first = self._pending[0]
            try:
                request = self._close_owned(first)
            except RedisError as error:
                self._log_delay(first, error)
                break
            self._delayed = False
            self._pending.popleft()
            self.closed += 1
            closed.append(ClosedJob(execution_id=first.active.id, request=request))
            with contextlib.suppress(RedisError, OSError):
                self._queues.trim(first.active.queue.name)
        return closed

    def lost(self, jobs: Iterable[ActiveJob]) -> list[ActiveJob]:
        """Return those of the jobs whose execution another worker has taken over.

        Raises:
            redis.exceptions.RedisError: Redis failed.
        """
        return [active for active in jobs if not owned(self._worker.connection, active.job, active.execution)]

    def _log_delay(self, ended: EndedJob, error: RedisError) -> None:
        if not self._delayed:
            log.warning("The end of job %s is kept until Redis is back (%s)", ended.active.job.id, error)
        self._delayed = True

    def _close_owned(self, ended: EndedJob) -> RecordRequest | None:
        try:
            return self._close(ended.active, ended.verdict)
        except ExecutionLostError:
            log.warning("Job %s was taken over by another worker; its outcome here is dropped", ended.active.job.id)
            return None

    def _close(self, active: ActiveJob, verdict: Verdict) -> RecordRequest | None:
        match verdict:
            case FinishJob(result=result):
                close_finished(self._worker, active, result)
                self._events.completed(active, result)
                log.info("Job %s finished: %s", active.job.id, _status(result), extra=active.log_fields)
                return None
            case RetryJob(failure=failure, at_once=at_once):
                # A process that was lost may not have stored that this attempt began, and Redis may forget it.
                lost = Release(id=active.id, context=active.context) if at_once else None
                close_retried(self._worker, active, failure, at_once=at_once, record=lost)
                self._events.failed(active, failure, retrying=True)
                _log_failure(active, failure, "is tried again")
                return lost
            case FailJob(failure=failure) | StopJob(failure=failure):
                abandon = _abandon(active, failure)
                stopped = isinstance(verdict, StopJob)
                close_failed(self._worker, active, failure, stopped=stopped, record=abandon)
                self._events.failed(active, failure, retrying=False)
                _log_failure(active, failure, "is not tried again")
                return abandon
            case RequeueJob(failure=failure, suspect=suspect, deferred=deferred):
                release = Release(id=active.id, context=active.context)
                close_requeued(self._worker, active, suspect=suspect, deferred=deferred, record=release)
                text = "Job %s was requeued without using an attempt: %s"
                level = logging.INFO if deferred else logging.WARNING
                log.log(level, text, active.job.id, failure.message, extra=active.log_fields)
                return release


class JobEvents:
    """Publishes the events of one worker's jobs, with durations, limits and idempotency claims.

    Events may be lost: one that Redis refuses is dropped, so that it never delays the closing of an execution.
    """

    def __init__(self, connection: Redis) -> None:
        self._connection = connection

    def active(self, active: ActiveJob) -> None:
        """Publish that an attempt has started."""
        self._publish(active, "active", {"worker": active.context.worker})

    def completed(self, active: ActiveJob, result: Any) -> None:
        """Publish that a job has ended with a result."""
        ran_ms = _ran_ms(active)
        status = result.get("status") if isinstance(result, dict) else None
        ended = EndedRun(outcome=_outcome(status), ran_ms=ran_ms or 0)
        self._publish(active, "completed", {"status": status, "ran_ms": ran_ms}, ran_ms=ran_ms, ended=ended)

    def failed(self, active: ActiveJob, failure: ChildFailure, *, retrying: bool) -> None:
        """Publish that an attempt has failed, and whether another follows or the job is a dead letter."""
        data = {"error": failure.message[:ERROR_LENGTH], "kind": failure.kind.value}
        self._publish(active, "failed", data)
        if retrying:
            self._publish(active, "retrying", data)
        else:
            outcome = FAILURES[failure.kind].status.value
            self._publish(active, "dead", data, ended=EndedRun(outcome=outcome, ran_ms=_ran_ms(active) or 0))

    def _publish(
        self,
        active: ActiveJob,
        event: WorkerEvent,
        data: dict[str, Any],
        *,
        ran_ms: int | None = None,
        ended: EndedRun | None = None,
    ) -> None:
        context = active.context
        numbered = {"attempt": context.attempt} | data
        try:
            record_event(
                self._connection, context.queue, context.job_id, event, numbered, ran_ms=ran_ms, ended=ended
            )
        except RedisError as error:
            log.debug("Event %s of job %s is dropped: %s", event, context.job_id, error)


def _abandon(active: ActiveJob, failure: ChildFailure) -> Abandon:
    context = active.context
    context = replace(context, max_attempts=min(context.attempt, context.max_attempts))
    return Abandon(id=active.id, context=context, failure=failure)


def _ran_ms(active: ActiveJob) -> int | None:
    started = active.context.started_at
    return max(0, round((utc_now() - started).total_seconds() * 1000)) if started else None


def _outcome(status: object) -> str:
    """Return the status if it is one of ours: any other text of a processor would become a label of its own."""
    return str(status) if status in list(RunStatus) else RunStatus.COMPLETED.value


def _status(result: object) -> str:
    return str(result.get("status", "done")) if isinstance(result, dict) else "done"


def _log_failure(active: ActiveJob, failure: ChildFailure, what_next: str) -> None:
    context = active.context
    text = "Job %s failed on attempt %d of %d and %s: %s"
    figures = (context.job_id, context.attempt, context.max_attempts, what_next, failure.message)
    log.error(text, *figures, extra=active.log_fields)
    if failure.kind is FailureKind.BUG:
        log.error("%s", failure.detail.rstrip())
