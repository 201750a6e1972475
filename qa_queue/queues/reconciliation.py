"""Redis' side of keeping jobs and database in step: outcomes that are not stored, and jobs that Redis has lost.

An outcome that a worker has closed in Redis is kept beside the job until it is stored in the database, so that any
worker can store it when the first one dies. A job that Redis has lost is restored from the database's ledger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from redis import Redis
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from qa_queue.models import ATTEMPT_FIELD
from qa_queue.models.outcomes import FailureKind
from qa_queue.queues.attempts import AttemptFailure, AttemptLog
from qa_queue.queues.enqueue import job_fields, offset_us
from qa_queue.queues.jobs import FAILURE_TTL_S, JobSpec, build_job
from qa_queue.queues.keys import (
    JOB_PREFIX,
    REJECTED_PREFIX,
    REQUEUES_FIELD,
    SUBMITTING_PREFIX,
    QueueKeys,
    QueueScript,
)
from qa_queue.queues.priority_queue import PriorityQueue
from qa_queue.redis import server_time
from qa_queue.redis.scripts import LuaScript

MOST_RECORDS = 200  # outcomes read at once
ENDED_STATUSES = frozenset({"finished", "failed", "stopped", "canceled"})
_SUBMITTING_S = 7  # less than a claim is kept, so that a restored run has the claim of its dead submitter
_KEEP_REJECTED_S = 24 * 3600
_RESTORED_AT_ONCE = 100  # jobs in one step, so that Redis is not blocked for long

_DROP = LuaScript.load("qa_queue.queues", "drop_remnant")
_FORGET = LuaScript.load("qa_queue.queues", "forget_record")
_RESTORE = QueueScript.load("restore")


@dataclass(frozen=True, kw_only=True)
class JobState:
    """A job as Redis has it. `status` is RQ's, None if there is no such job.

    It is `placed` if its id is in a list, a registry or a set of its queue, `ended` if it is in one of ended jobs;
    `unstored` if its outcome is still to be stored by a worker.
    """

    status: str | None
    placed: bool
    ended: bool = False
    unstored: bool = False
    requeues: int = 0


@dataclass(frozen=True, kw_only=True)
class LostJob:
    """A job to be restored, with what it has behind it: executions, requeues, and its time of arrival in us."""

    spec: JobSpec
    arrival_us: int
    executions: int
    requeues: int
    retries_left: int | None = None  # None: all of the spec


def unstored_records(connection: Redis, queue: str) -> dict[str, bytes]:
    """Return outcomes of a queue that are not stored in the database yet, by job id; about 200 of them at most."""
    found: Any
    _, found = connection.hscan(QueueKeys(queue).unrecorded, count=MOST_RECORDS)
    return {job_id.decode(): record for job_id, record in found.items()}


def is_unstored(connection: Redis, queue: str, job_id: str) -> bool:
    """Return whether the outcome of a job is not stored in the database yet."""
    return bool(connection.hexists(QueueKeys(queue).unrecorded, job_id))


def forget_record(connection: Redis, queue: str, job_id: str, record: bytes) -> None:
    """Forget an outcome that is stored now; a later one of the same job is kept."""
    _FORGET.run(connection, [QueueKeys(queue).unrecorded], [job_id, record])


def mark_rejected(connection: Redis, job_ids: Sequence[str]) -> None:
    """Note that the submission of these jobs was rejected, and that rows of it may be left, for 24 h.

    Raises:
        redis.exceptions.RedisError: Redis failed.
    """
    with connection.pipeline(transaction=False) as pipe:
        for job_id in job_ids:
            pipe.set(f"{REJECTED_PREFIX}{job_id}", 1, ex=_KEEP_REJECTED_S)
        pipe.execute()


def rejected_among(connection: Redis, job_ids: Sequence[str]) -> set[str]:
    """Return those of these jobs whose submission was rejected.

    Raises:
        redis.exceptions.RedisError: Redis failed.
    """
    return _marked(connection, REJECTED_PREFIX, job_ids)


def _marked(connection: Redis, prefix: str, ids: Sequence[str]) -> set[str]:
    found = connection.mget([f"{prefix}{one}" for one in ids]) if ids else []
    return {one for one, mark in zip(ids, found, strict=True) if mark is not None}


def announce_submission(connection: Redis, last_id: str) -> None:
    """Note that the submission with this last id is under way, for 7 s; rows of it without jobs are not lost.

    Raises:
        redis.exceptions.RedisError: Redis failed.
    """
    connection.set(f"{SUBMITTING_PREFIX}{last_id}", 1, ex=_SUBMITTING_S)


def end_submission(connection: Redis, last_id: str) -> None:
    """Note that a submission is over: its jobs are enqueued, or it was undone.

    Raises:
        redis.exceptions.RedisError: Redis failed; the note expires.
    """
    connection.delete(f"{SUBMITTING_PREFIX}{last_id}")


def submissions_under_way(connection: Redis, last_ids: Sequence[str]) -> set[str]:
    """Return those of these last ids whose submission is under way.

    Raises:
        redis.exceptions.RedisError: Redis failed.
    """
    return _marked(connection, SUBMITTING_PREFIX, last_ids)


def drop_remnant(pipeline: Any, job_key: str) -> None:
    """Delete the hash that a heartbeat made of a job that was deleted or lost."""
    _DROP.add_to(pipeline, [job_key])


def read_states(connection: Redis, queue: str, job_ids: Sequence[str]) -> dict[str, JobState]:
    """Return the states of these jobs of a queue, in two round trips.

    They are not of one moment: a job that moves meanwhile may seem to be in no place.
    """
    keys = QueueKeys(queue)
    pipeline = connection.pipeline(transaction=False)
    for job_id in job_ids:
        pipeline.hmget(f"{JOB_PREFIX}{job_id}", "status", REQUEUES_FIELD)
    hashes = pipeline.execute()
    for name in (keys.waiting, keys.intermediate):
        pipeline.lrange(name, 0, -1)
    ended_in = (keys.finished, keys.failed, keys.canceled)
    for name in (keys.scheduled, keys.parked, keys.started, *ended_in):
        pipeline.zrange(name, 0, -1)
    pipeline.hkeys(keys.unrecorded)
    *places, unstored = pipeline.execute()
    placed = {entry.split(b":")[0] for place in places for entry in place}
    ended = {entry for place in places[-len(ended_in) :] for entry in place}
    return {
        job_id: JobState(
            status=status.decode() if status else None,
            placed=job_id.encode() in placed,
            ended=job_id.encode() in ended,
            unstored=job_id.encode() in unstored,
            requeues=int(requeues or 0),
        )
        for job_id, (status, requeues) in zip(job_ids, hashes, strict=True)
    }


def restore_jobs(connection: Redis, queue: str, jobs: Sequence[LostJob], *, default_attempts: int) -> list[str]:
    """Create and enqueue jobs that Redis has lost; return the ids of those that were lost indeed."""
    target = PriorityQueue(queue, connection=connection)
    restored: list[str] = []
    for at in range(0, len(jobs), _RESTORED_AT_ONCE):
        chunk = jobs[at : at + _RESTORED_AT_ONCE]
        now = server_time(connection)
        arguments = [value for job in chunk for value in _arguments(target, job, default_attempts, now)]
        found = _RESTORE.run(connection, [queue], QueueKeys(queue).started, *arguments)
        restored += [job_id.decode() for job_id in found]
    return restored


def restore_dead_letter(
    connection: Redis, queue: str, job: LostJob, *, error: str, died_at: datetime, default_attempts: int
) -> None:
    """Create a dead letter that Redis has lost, with the error of its last attempt."""
    target = PriorityQueue(queue, connection=connection)
    built = _built(target, job, default_attempts)
    built.ended_at, built.retries_left = died_at, 0
    fields: Any = job_fields(job.spec, built) | _history(job) | {"status": JobStatus.FAILED.value}
    expires_at = died_at + timedelta(seconds=FAILURE_TTL_S)
    failure = AttemptFailure(
        number=max(1, job.executions), kind=FailureKind.INFRASTRUCTURE.value, error=error, failed_at=died_at
    )
    AttemptLog(connection).record(built.id, failure)
    with connection.pipeline() as pipeline:
        pipeline.hset(built.key, mapping=fields)
        pipeline.expireat(built.key, expires_at)
        pipeline.zadd(QueueKeys(queue).failed, {built.id: int(expires_at.timestamp())}, nx=True)
        pipeline.execute()


def result_of(connection: Redis, job_id: str) -> Any:
    """Return the result of a finished job; None where it is no longer kept."""
    result = Job(job_id, connection=connection, serializer=JSONSerializer).latest_result()
    return result.return_value if result is not None else None


def _arguments(queue: PriorityQueue, job: LostJob, default_attempts: int, now: datetime) -> list[Any]:
    spec, built = job.spec, _built(queue, job, default_attempts)
    fields = job_fields(spec, built) | _history(job)
    due_us = job.arrival_us if spec.due is None else round(spec.due.timestamp() * 1_000_000)
    waits = spec.due is not None and spec.due > now and not job.executions
    due = f"{due_us / 1_000_000:.3f}" if waits else ""
    claim = [spec.claim.key, spec.claim.final, spec.claim.keep_s] if spec.claim else ["", "", ""]
    flat = [part for pair in fields.items() for part in pair]
    return [built.id, due_us + offset_us(spec.priority), due, *claim, len(flat), *flat]


def _built(queue: PriorityQueue, job: LostJob, default_attempts: int) -> Job:
    built = build_job(queue, job.spec, default_attempts=default_attempts)
    if job.retries_left is not None and built.retries_left is not None:
        built.retries_left = min(built.retries_left, job.retries_left)
    return built


def _history(job: LostJob) -> dict[str, Any]:
    return {ATTEMPT_FIELD: job.executions, REQUEUES_FIELD: job.requeues}
