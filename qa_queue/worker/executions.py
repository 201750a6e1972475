"""Executions of jobs in RQ's registries: opened from a reserved job id, closed as finished, failed or requeued.

RQ keeps registries, results, retries and counts. This module calls RQ in the order in which its own work horse
would. Every function may raise `redis.exceptions.RedisError` and may then be called again with the same arguments.
Closing raises `ExecutionLostError` if another worker has taken the execution over.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import nullcontext
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redis.client import Pipeline
from redis.exceptions import RedisError
from rq.callbacks import execute_failure_callback
from rq.exceptions import DeserializationError, NoSuchJobError
from rq.executions import Execution
from rq.job import Job, JobStatus
from rq.job_lifecycle import call_exception_handlers
from rq.worker import WorkerStatus

from qa_queue.errors import InputError
from qa_queue.models import ATTEMPT_FIELD, DEFERRALS_FIELD, JobContext, utc_now
from qa_queue.queues.attempts import AttemptFailure, AttemptLog
from qa_queue.queues.dequeue import ReservedJob, acknowledge, bury_poison_job, start_reserved
from qa_queue.queues.enqueue import Position, push_job
from qa_queue.queues.keys import REQUEUES_FIELD, QueueKeys
from qa_queue.redis import server_time
from qa_queue.worker.fencing import (
    FencedConnection,
    FencingToken,
    status_in_transaction,
    until_unwatched,
    without_delay,
)
from qa_queue.worker.ipc import Abandon, ChildFailure, RecordRequest, Release, encode
from qa_queue.worker.verdicts import Verdict, error_of

if TYPE_CHECKING:
    from rq import Queue
    from rq.worker import BaseWorker

log = logging.getLogger(__name__)

_OUT_OF_REACH_S = 10 * 365 * 24 * 3600
SUSPECT_FIELD = "qa_suspect"  # of the job's hash: it was in a process that died, together with other jobs


@dataclass(frozen=True, kw_only=True)
class ActiveJob:
    """A job with an open execution. A `suspect` runs alone in its process."""

    job: Job
    queue: Queue
    execution: Execution
    context: JobContext
    suspect: bool = False

    @property
    def id(self) -> str:
        """Id of the execution."""
        return self.execution.id

    @property
    def log_fields(self) -> dict[str, object]:
        """The `extra` of log records about this job."""
        context = self.context
        return {"data": {"job_id": context.job_id, "queue": context.queue, "attempt": context.attempt}}


@dataclass(frozen=True, kw_only=True)
class EndedJob:
    """A job whose attempt has ended and whose execution is still open."""

    active: ActiveJob
    verdict: Verdict


class UnreadableJobError(InputError):
    """The Redis key of a job does not hold a job; `context` is what is known of it."""

    def __init__(self, reserved: ReservedJob, problem: str) -> None:
        super().__init__(f"job {reserved.job_id} on queue {reserved.queue} is malformed in Redis: {problem}")
        self.context = JobContext(job_id=reserved.job_id, queue=reserved.queue)


def registry_score() -> float:
    """Return the score of a running execution in RQ's registry: a heartbeat, ten years ahead.

    RQ's clean-up (`rq info`, the `count` of a registry) ends executions whose score has passed by the clock of the
    machine that it runs on, and knows nothing of rows and fences. It does not reach these.
    """
    return time.time() + _OUT_OF_REACH_S


def open_execution(worker: BaseWorker, reserved: ReservedJob, *, suspect: bool) -> ActiveJob | None:
    """Register the execution of a reserved job; None if there is no such job.

    Raises:
        UnreadableJobError: the job's key does not hold a job; it is now a dead letter.
    """
    queue = next(queue for queue in worker.queues if queue.name == reserved.queue)
    job = _fetch(worker, reserved)
    if job is None:
        acknowledge(worker.connection, reserved)
        return None
    registered = _register(worker, job, queue)
    if registered is None:
        return None
    execution, attempt, requeues, deferrals = registered
    context = _context(worker.name, job, execution, attempt, requeues, deferrals)
    return ActiveJob(job=job, queue=queue, execution=execution, context=context, suspect=suspect)


def adopt_execution(worker_name: str, job: Job, queue: Queue, execution: Execution) -> ActiveJob:
    """Return the execution that another worker opened and left, to be closed by the worker of this name."""
    found = job.connection.hmget(job.key, ATTEMPT_FIELD, REQUEUES_FIELD, DEFERRALS_FIELD)
    attempt, requeues, deferrals = (int(one or 0) for one in found)
    context = _context(worker_name, job, execution, attempt or 1, requeues, deferrals)
    return ActiveJob(job=job, queue=queue, execution=execution, context=context)


def read_call(job: Job) -> tuple[str, dict[str, Any]]:
    """Return the dotted path and the data of a job.

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


def close_finished(worker: BaseWorker, active: ActiveJob, result: Any) -> None:
    """Close an execution with the job's result."""

    def close(fenced: BaseWorker) -> None:
        fenced._finalize_success(active.job, active.queue, active.execution, result)

    _close_fenced(worker, active, close, begun=False)


def close_retried(
    worker: BaseWorker, active: ActiveJob, failure: ChildFailure, *, at_once: bool, record: Release | None
) -> None:
    """Close an execution as failed; RQ enqueues the job again `at_once`, or schedules it after its delay.

    `record` is kept until it is stored.
    """
    with without_delay(active.job) if at_once else nullcontext():
        _close_failed(worker, active, failure, final=False, stopped=False, record=record)


def close_failed(
    worker: BaseWorker, active: ActiveJob, failure: ChildFailure, *, stopped: bool, record: Abandon
) -> None:
    """Close an execution as failed, or as `stopped`, without another attempt; keep `record` until it is stored."""
    _close_failed(worker, active, failure, final=not stopped, stopped=stopped, record=record)


def _close_failed(
    worker: BaseWorker,
    active: ActiveJob,
    failure: ChildFailure,
    *,
    final: bool,
    stopped: bool,
    record: RecordRequest | None,
) -> None:

    def close(fenced: BaseWorker) -> None:
        if final:
            active.job.retries_left = 0  # in memory only: RQ retries every failed job that has a retry left
        fenced._stopped_job_id = active.job.id if stopped else None
        AttemptLog(worker.connection).record(active.job.id, _attempt_failure(active, failure))
        _fail(fenced, active, failure)

    _close_fenced(worker, active, close, begun=True, record=record)


def close_requeued(
    worker: BaseWorker, active: ActiveJob, *, suspect: bool, deferred: bool, record: Release
) -> None:
    """Close an execution and return its job to its queue with all retries; keep `record` until it is stored.

    The job gets its old position; a `deferred` one the last position, and it runs alone from then on.
    """
    job = active.job

    def close(fenced: BaseWorker) -> None:
        with fenced.connection.pipeline() as pipe:
            fenced.cleanup_execution(job, pipeline=pipe, execution=active.execution)
            job.set_status(JobStatus.QUEUED, pipeline=pipe)
            pipe.hdel(job.key, "started_at", "worker_name", "last_heartbeat")
            if suspect or deferred:
                pipe.hset(job.key, SUSPECT_FIELD, 1)
            if deferred:
                pipe.hincrby(job.key, DEFERRALS_FIELD, 1)
            push_job(pipe, active.queue.name, job.id, at=Position.END if deferred else Position.OWN)
            pipe.execute()

    _close_fenced(worker, active, close, begun=True, record=record)


def _fetch(worker: BaseWorker, reserved: ReservedJob) -> Job | None:
    try:
        return worker.job_class.fetch(reserved.job_id, connection=worker.connection, serializer=worker.serializer)
    except NoSuchJobError as error:
        _bury(worker, reserved, error)
        log.warning("Job %s was on queue %s but no longer exists", reserved.job_id, reserved.queue)
    except RedisError as error:
        if "WRONGTYPE" not in str(error):  # a missing permission, for example, is not the job's fault
            raise
        _bury(worker, reserved, error)
    except Exception as error:  # noqa: BLE001 - RQ raises errors of any class for a malformed hash
        _bury(worker, reserved, error)
    return None


def _bury(worker: BaseWorker, reserved: ReservedJob, problem: Exception) -> None:
    text = f"{type(problem).__name__}: {problem}"
    if bury_poison_job(worker.connection, reserved, text):
        raise UnreadableJobError(reserved, text) from problem


def _register(worker: BaseWorker, job: Job, queue: Queue) -> tuple[Execution, int, int, int] | None:
    """Register an execution in one step; return it with the numbers of the attempt, of requeues and of deferrals.

    Returns None if the job is no longer reserved: this process was frozen, and another may have the job.

    RQ does it in two steps, `prepare_execution` and `prepare_job_execution`. In one, a job is either still in the
    intermediate list or started whenever this worker dies; and RQ's second step raises for an unreadable payload.
    """
    ttl = worker.get_heartbeat_ttl(job)
    with worker.connection.pipeline() as pipe:
        execution = Execution.create(job, ttl, pipeline=pipe, worker_name=worker.name)
        worker.set_state(WorkerStatus.BUSY, pipeline=pipe)
        job.prepare_for_execution(worker.name, pipeline=pipe)
        pipe.persist(job.key)
        pipe.zadd(queue.started_job_registry.key, {execution.composite_key: registry_score()})
        pipe.hincrby(job.key, ATTEMPT_FIELD, 1)
        pipe.hget(job.key, REQUEUES_FIELD)
        pipe.hget(job.key, DEFERRALS_FIELD)
        replies = start_reserved(worker.connection, ReservedJob(job_id=job.id, queue=queue.name), pipe)
    if replies is None:
        log.warning("Job %s is not started: it was released while this worker was frozen", job.id)
        return None
    *_, attempt, requeues, deferrals = replies
    worker.executions[execution.id] = execution
    return execution, int(attempt), int(requeues or 0), int(deferrals or 0)


def _context(
    worker_name: str, job: Job, execution: Execution, attempt: int, requeues: int, deferrals: int
) -> JobContext:
    return JobContext(
        job_id=job.id,
        queue=job.origin,
        attempt=attempt,
        max_attempts=attempt + (job.retries_left or 0),
        enqueued_at=job.enqueued_at,
        started_at=job.started_at,
        worker=worker_name,
        requeues=requeues,
        deferrals=deferrals,
        can_defer=True,
        execution=execution.composite_key,
    )


def _close_fenced(
    worker: BaseWorker,
    active: ActiveJob,
    close: Callable[[BaseWorker], None],
    *,
    begun: bool,
    record: RecordRequest | None = None,
) -> None:
    """Call `close` with a copy of the worker that can write only while the execution is ours.

    Its transaction also writes `record`, so that any worker can store the outcome of the run.
    """
    offset = (server_time(worker.connection) - utc_now()).total_seconds()
    token = FencingToken.of(active.job, active.execution, offset)
    token.renew(worker.connection)

    def write_record(pipe: Pipeline) -> None:
        if record is not None:
            pipe.hset(QueueKeys(active.queue.name).unrecorded, active.job.id, encode(record))

    connection = FencedConnection(worker.connection, token, begun=begun, also=write_record)
    fenced = copy(worker)
    fenced.connection = connection  # type: ignore[assignment] # it has what RQ uses of a connection here
    retries_left = active.job.retries_left

    def once() -> None:
        try:
            close(fenced)
            connection.raise_error()
        except BaseException:
            active.job.retries_left = retries_left  # RQ counts down before it has stored anything
            raise

    until_unwatched(once)


def _fail(fenced: BaseWorker, active: ActiveJob, failure: ChildFailure) -> None:
    job = active.job
    fenced.handle_execution_ended(job, active.queue, job.failure_callback_timeout)
    job.get_meta(refresh=True)  # RQ saves the job with its meta, which now holds the run's progress
    error = error_of(failure)
    try:
        execute_failure_callback(job, fenced.death_penalty_class, type(error), error, None)
        call_exception_handlers(fenced._exc_handlers, job, type(error), error, None)
    except RedisError:
        raise
    except Exception:
        log.exception("A failure callback or exception handler of job %s raised", job.id)
    text = failure.detail or failure.message
    with status_in_transaction(job, fenced.connection):
        fenced.handle_job_failure(job, active.queue, exc_string=text, execution=active.execution)


def _attempt_failure(active: ActiveJob, failure: ChildFailure) -> AttemptFailure:
    context = active.context
    return AttemptFailure(
        number=context.attempt,
        kind=failure.kind.value,
        error=failure.message,
        traceback=failure.detail,
        worker=context.worker,
        started_at=context.started_at,
        failed_at=utc_now(),
    )
