"""RQ's books: an execution is opened when its job starts and closed with what became of it.

RQ keeps the registries, results, retries and counts; this module calls RQ in the order in which its own work horse
would, for several jobs at once. Every method may raise `redis.exceptions.RedisError`, and may then be called again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from copy import copy
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError
from rq.callbacks import execute_failure_callback
from rq.exceptions import DeserializationError, NoSuchJobError
from rq.executions import Execution
from rq.job import Job, JobStatus
from rq.job_lifecycle import call_exception_handlers
from rq.worker import WorkerStatus

from qa_queue.errors import InputError
from qa_queue.models import ATTEMPT_FIELD, JobContext, utc_now
from qa_queue.queues.attempts import AttemptFailure, AttemptLog
from qa_queue.queues.dequeue import ReservedJob, acknowledge
from qa_queue.queues.enqueue import push_ranked
from qa_queue.queues.keys import JOB_PREFIX, QueueKeys
from qa_queue.queues.poison_jobs import bury_unreadable
from qa_queue.worker.fencing import FencedConnection, Token, until_unwatched
from qa_queue.worker.ipc import ChildFailure
from qa_queue.worker.job_events import JobEvents
from qa_queue.worker.outcome import rebuild
from qa_queue.worker.slots import Slot, SlotDeadline

if TYPE_CHECKING:
    from rq import Queue
    from rq.worker.base import BaseWorker

    from qa_queue.worker.worker import QAWorker

log = logging.getLogger(__name__)

SUSPECT_FIELD = "qa_suspect"  # of the job's hash: it was in a process that died, and so were others


def read_call(job: Job) -> tuple[str, dict[str, Any]]:
    """The dotted path and the data of a job.

    Raises:
        InputError: the payload cannot be read, or is not one keyword `data` with a JSON object.
    """
    try:
        function, args, kwargs = job.func_name, job.args, job.kwargs
    except DeserializationError as error:
        raise InputError(f"the payload of job {job.id} cannot be read: it is not JSON as RQ writes it") from error
    known = isinstance(function, str) and isinstance(kwargs, dict) and not args
    if not known or set(kwargs) != {"data"} or not isinstance(kwargs["data"], dict):
        raise InputError(f"job {job.id} calls {function}: it takes one keyword, data, with a JSON object")
    return str(function), kwargs["data"]


class UnreadableJobError(InputError):
    """What stands in Redis in a job's place is none; `context` is what is known of it."""

    def __init__(self, taken: ReservedJob, problem: str) -> None:
        super().__init__(f"job {taken.job_id} on queue {taken.queue} is malformed in Redis: {problem}")
        self.context = JobContext(job_id=taken.job_id, queue=taken.queue)


class ReservedState(Enum):
    """How a job that was taken stands."""

    PLAIN = "plain"
    SUSPECT = "suspect"  # to be run alone
    GONE = "gone"  # it lay so long that somebody gave it back to the queue


class Bookkeeping:
    """Opens and closes executions for a worker."""

    def __init__(self, worker: QAWorker, grace: float) -> None:
        self._worker = worker
        self._grace = grace
        self._attempts = AttemptLog(worker.connection)
        self._news = JobEvents(worker.connection)

    def open(self, taken: ReservedJob, *, suspect: bool = False) -> Slot | None:
        """Register the execution of a job that was taken; None when there is no such job.

        Raises:
            UnreadableJobError: what stands there is no job; it is a dead letter now.
        """
        worker = self._worker
        queue = next(queue for queue in worker.queues if queue.name == taken.queue)
        job = self._fetch(taken)
        if job is None:
            acknowledge(worker.connection, taken)
            return None
        execution, attempt = self._register(job, queue)
        deadline = SlotDeadline.of(job.timeout, now=time.monotonic(), grace=self._grace)
        context = self._describe(job, queue, attempt)
        slot = Slot(job=job, queue=queue, execution=execution, context=context, deadline=deadline, suspect=suspect)
        self._news.active(slot)
        return slot

    def look(self, taken: ReservedJob) -> ReservedState:
        """How a job stands that was taken a moment ago."""
        with self._worker.connection.pipeline(transaction=False) as pipe:
            pipe.lpos(QueueKeys(taken.queue).intermediate, taken.job_id)
            pipe.hexists(f"{JOB_PREFIX}{taken.job_id}", SUSPECT_FIELD)
            place, suspect = pipe.execute(raise_on_error=False)  # what is no hash is found out by `open`
        return (
            ReservedState.GONE if place is None else ReservedState.SUSPECT if suspect == 1 else ReservedState.PLAIN
        )

    def reopen(self, job: Job, queue: Queue, execution: Execution) -> Slot:
        """An execution that another worker opened and left, to be closed here."""
        attempt = int(job.connection.hget(job.key, ATTEMPT_FIELD) or 1)
        context = self._describe(job, queue, attempt)
        return Slot(
            job=job,
            queue=queue,
            execution=execution,
            context=context,
            deadline=SlotDeadline.of(None, now=0, grace=0),
        )

    def finish(self, slot: Slot, result: Any) -> None:
        """Close with a result.

        Raises:
            LostError: another worker has taken the execution over; this goes for every way to close.
        """
        self._fenced(slot, partial(self._finish, slot, result), begun=False)
        self._news.completed(slot, result)

    def retry(self, slot: Slot, failure: ChildFailure) -> None:
        """Close as failed; RQ enqueues or schedules the job again, or fails it when no retry is left."""
        self._fenced(slot, partial(self._close, slot, failure, slot.job.retries_left), begun=True)
        self._news.failed(slot, failure, again=True)

    def fail(self, slot: Slot, failure: ChildFailure) -> None:
        """Close as failed for good."""
        # No retry is left in memory only: RQ tries again whatever has one.
        self._fenced(slot, partial(self._close, slot, failure, 0), begun=True)
        self._news.failed(slot, failure, again=False)

    def stopped(self, slot: Slot, failure: ChildFailure) -> None:
        """Close as stopped by an operator, which RQ never tries again."""
        self._fenced(slot, partial(self._close, slot, failure, slot.job.retries_left, stopped=True), begun=True)
        self._news.failed(slot, failure, again=False)

    def hand_back(self, slot: Slot, *, suspect: bool) -> None:
        """Put the job back to its place in the queue, with all the retries that it had."""
        self._fenced(slot, partial(self._hand_back, slot, suspect), begun=True)

    def _fenced(self, slot: Slot, close: Callable[[BaseWorker], None], *, begun: bool) -> None:
        token = Token.of(slot)
        token.renew(self._worker.connection)
        fenced = FencedConnection(self._worker.connection, token, begun=begun)
        closer = copy(self._worker)
        closer.connection = fenced  # type: ignore[assignment] # it gives what RQ's bookkeeping asks of one
        retries_left = slot.job.retries_left

        def once() -> None:
            try:
                close(closer)
                fenced.raise_noted()
            except BaseException:
                slot.job.retries_left = retries_left  # RQ counts down before it has stored anything
                raise

        until_unwatched(once)

    def _finish(self, slot: Slot, result: Any, worker: BaseWorker) -> None:
        worker._finalize_success(slot.job, slot.queue, slot.execution, result)

    def _hand_back(self, slot: Slot, suspect: bool, worker: BaseWorker) -> None:
        job = slot.job
        with worker.connection.pipeline() as pipe:
            worker.cleanup_execution(job, pipeline=pipe, execution=slot.execution)
            job.set_status(JobStatus.QUEUED, pipeline=pipe)
            pipe.hdel(job.key, "started_at", "worker_name", "last_heartbeat")
            if suspect:
                pipe.hset(job.key, SUSPECT_FIELD, 1)
            push_ranked(pipe, slot.queue.name, job.id)
            pipe.execute()

    def _close(
        self,
        slot: Slot,
        failure: ChildFailure,
        retries_left: int | None,
        worker: BaseWorker,
        *,
        stopped: bool = False,
    ) -> None:
        job = slot.job
        job.retries_left = retries_left
        worker._stopped_job_id = job.id if stopped else None
        self._attempts.note(job.id, _attempt_failure(slot, failure))
        worker.handle_execution_ended(job, slot.queue, job.failure_callback_timeout)
        job.get_meta(refresh=True)  # RQ saves the job with its meta, where the run's progress stands by now
        error = rebuild(failure)
        try:
            execute_failure_callback(job, worker.death_penalty_class, type(error), error, None)
            call_exception_handlers(worker._exc_handlers, job, type(error), error, None)
        except RedisError:
            raise
        except Exception:
            log.exception("A failure callback or exception handler of job %s raised", job.id)
        worker.handle_job_failure(
            job, slot.queue, exc_string=failure.detail or failure.message, execution=slot.execution
        )

    def _fetch(self, taken: ReservedJob) -> Job | None:
        worker = self._worker
        try:
            return worker.job_class.fetch(taken.job_id, connection=worker.connection, serializer=worker.serializer)
        except NoSuchJobError as error:
            self._bury(taken, error)
            log.warning("Job %s was on queue %s, but is gone", taken.job_id, taken.queue)
        except RedisError as error:
            if "WRONGTYPE" not in str(error):  # a right that is missing, for example, is no fault of the job's
                raise
            self._bury(taken, error)
        except Exception as error:  # noqa: BLE001 - whatever RQ stumbles over
            self._bury(taken, error)
        return None

    def _bury(self, taken: ReservedJob, problem: Exception) -> None:
        what = f"{type(problem).__name__}: {problem}"
        if bury_unreadable(self._worker.connection, taken, what):
            raise UnreadableJobError(taken, what) from problem

    def _register(self, job: Job, queue: Queue) -> tuple[Execution, int]:
        """What RQ does in `prepare_execution` and `prepare_job_execution`, in one transaction.

        So a job is either still in the intermediate list or started, whenever this worker dies; and RQ's second
        method would raise for a payload that cannot be read.
        """
        worker = self._worker
        ttl = worker.get_heartbeat_ttl(job)
        with worker.connection.pipeline() as pipe:
            execution = Execution.create(job, ttl, pipeline=pipe, worker_name=worker.name)
            worker.set_state(WorkerStatus.BUSY, pipeline=pipe)
            job.prepare_for_execution(worker.name, pipeline=pipe)
            pipe.persist(job.key)
            pipe.lrem(queue.intermediate_queue_key, 1, job.id)
            pipe.hincrby(job.key, ATTEMPT_FIELD, 1)
            *_, attempt = pipe.execute()
        worker.executions[execution.id] = execution
        return execution, int(attempt)

    def _describe(self, job: Job, queue: Queue, attempt: int) -> JobContext:
        return JobContext(
            job_id=job.id,
            queue=queue.name,
            attempt=attempt,
            max_attempts=attempt + (job.retries_left or 0),
            enqueued_at=job.enqueued_at,
            started_at=job.started_at,
            worker=self._worker.name,
        )


def _attempt_failure(slot: Slot, failure: ChildFailure) -> AttemptFailure:
    context = slot.context
    return AttemptFailure(
        number=context.attempt,
        kind=failure.kind.value,
        error=failure.message,
        traceback=failure.detail,
        worker=context.worker,
        started_at=context.started_at,
        failed_at=utc_now(),
    )
