"""Dequeueing: reserve the next job without ever losing it, then acknowledge, release or bury it."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import ResponseError
from rq.job import JobStatus
from rq.utils import as_text, utcformat

from qa_queue.models import utc_now
from qa_queue.queues.attempts import AttemptFailure, AttemptLog
from qa_queue.queues.jobs import FAILURE_TTL_S
from qa_queue.queues.keys import JOB_PREFIX, RAW_FIELD, QueueKeys, QueueScript
from qa_queue.redis.scripts import LuaScript

# The longest single wait inside Redis: jobs that plain RQ code pushed, and jobs that a limit lets start as time
# passes, are not announced, and after a failover a blocked call may never be answered.
BLOCK_S = 1.0
RAW_LENGTH = 64_000  # characters kept of a hash that cannot be read
POISON_FUNCTION = "qa_queue.unreadable"  # not a function: RQ needs a name

_DEQUEUE = QueueScript.load("dequeue")
_RELEASE = QueueScript.load("release")
_START = LuaScript.load("qa_queue.queues", "start")
_BURY = QueueScript.load("bury")


@dataclass(frozen=True, kw_only=True)
class ReservedJob:
    """A job that was dequeued: its id is in RQ's intermediate list of its queue."""

    job_id: str
    queue: str


def dequeue(connection: Redis, queues: Sequence[str], timeout: float | None) -> ReservedJob | None:
    """Reserve the next job; queues in the order given, within a queue by priority, then by arrival.

    The id moves from the queue's list to RQ's intermediate list (`rq:queue:<name>:intermediate`) in one atomic
    step, so that a crash at any moment leaves it in one of them. The caller removes it there once the job's
    execution is registered (`acknowledge`, or RQ's
    `prepare_job_execution(job, remove_from_intermediate_queue=True)`), or returns the job with `release`.

    A paused queue gives no job; a job that a limit refuses is passed over until the limit lets it start.

    Without a job, waits up to `timeout` s inside Redis; None does not wait. A job that is enqueued and a queue that
    is resumed end the wait at once, a job that others push onto RQ's list within 1 s. Returns None when there was
    none.

    Raises:
        redis.exceptions.RedisError: Redis failed.
    """
    deadline = time.monotonic() + (timeout or 0)
    while True:
        reserved = _reserve(connection, queues)
        if reserved is not None or timeout is None:
            return reserved
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            return None
        _wait(connection, queues, remaining)


def acknowledge(connection: Redis, reserved: ReservedJob) -> None:
    """Remove a job from the intermediate list: its execution is registered, or the job was deleted."""
    connection.lrem(QueueKeys(reserved.queue).intermediate, 1, reserved.job_id)


def start_reserved(connection: Redis, reserved: ReservedJob, commands: Pipeline) -> list[Any] | None:
    """Start a job by the commands that a pipeline has collected; return their replies.

    Returns None, and runs none of them, when the job is no longer in the intermediate list: it was released because
    this process was frozen, and another worker may have it.
    """
    collected = [words for words, _ in commands.command_stack]
    arguments = [part for words in collected for part in (len(words), *words)]
    replies = _START.run(connection, [QueueKeys(reserved.queue).intermediate], [reserved.job_id, *arguments])
    return None if replies is None else list(replies)


def release(connection: Redis, reserved: ReservedJob) -> bool:
    """Return a job that was not started to its position; False when it was no longer in the intermediate list."""
    return bool(_RELEASE.run(connection, [reserved.queue], reserved.job_id))


def bury_poison_job(connection: Redis, reserved: ReservedJob, problem: str) -> bool:
    """Replace a job whose hash cannot be read by a dead letter that RQ and its dashboard can read.

    The content of the hash is kept as text: the dead letter can be read and discarded, but not requeued. Returns
    False when the job was deleted or is no longer in the intermediate list.

    Raises:
        redis.exceptions.RedisError: Redis failed; call again.
    """
    raw = _raw(connection, reserved.job_id)
    if raw is None:
        return False
    error = f"job {reserved.job_id} cannot be read: {problem}"
    failure = AttemptFailure(number=1, kind="input", error=error, failed_at=utc_now())
    AttemptLog(connection).record(reserved.job_id, failure)
    fields = [part for pair in _poison_fields(reserved.queue, raw).items() for part in pair]
    return bool(_BURY.run(connection, [reserved.queue], reserved.job_id, FAILURE_TTL_S, *fields))


def _reserve(connection: Redis, queues: Sequence[str]) -> ReservedJob | None:
    found = _DEQUEUE.run(connection, queues)
    return ReservedJob(job_id=found[1].decode(), queue=queues[found[0] - 1]) if found else None


def _wait(connection: Redis, queues: Sequence[str], seconds: float) -> None:
    """Block until a queue announces a job; several workers of a queue are woken one after the other."""
    connection.blpop([QueueKeys(name).wake for name in queues], timeout=max(0.01, min(seconds, BLOCK_S)))


def _raw(connection: Redis, job_id: str) -> str | None:
    key = f"{JOB_PREFIX}{job_id}"
    try:
        found = connection.hgetall(key)
    except ResponseError:
        return f"a {as_text(connection.type(key))} instead of a hash"
    texts = {repr(name)[2:-1]: repr(value)[2:-1] for name, value in found.items()}
    return json.dumps(texts)[:RAW_LENGTH] if found else None


def _poison_fields(queue: str, raw: str) -> dict[str, str | bytes]:
    now = utcformat(utc_now())
    return {
        "created_at": now,
        "enqueued_at": now,
        "ended_at": now,
        "status": JobStatus.FAILED.value,
        "origin": queue,
        "description": "A job that could not be read",
        "data": zlib.compress(json.dumps([POISON_FUNCTION, None, [], {"data": {}}]).encode()),
        RAW_FIELD: raw,
    }
