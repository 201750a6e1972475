"""Statistics of queues, and the position of a waiting job, read without changing anything.

RQ's own counts (`len(queue.started_job_registry)`, ...) clean up as they read; two readers at once can double jobs.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from redis import Redis
from rq.utils import as_text, parse_composite_key

from qa_queue.errors import NotFoundError
from qa_queue.models import utc_now
from qa_queue.queues.keys import JOB_PREFIX, PAUSED_KEY, SLOTS_FIELD, QueueKeys
from qa_queue.redis.scripts import LuaScript

_READS = 10  # commands of one queue in the pipeline

_COUNT_WORKERS = LuaScript.load("qa_queue.queues", "count_workers")


@dataclass(frozen=True, kw_only=True)
class QueueStats:
    """The number of jobs of a queue at one moment, by state.

    `waiting` includes jobs that a limit holds back (`limited` of them); `processing` are jobs that a worker has,
    started or about to start; `delayed` jobs wait until they are due or for their next attempt; `failed` are dead
    letters: jobs without an attempt left; `workers` are those that run.
    """

    name: str
    waiting: int
    processing: int
    delayed: int
    completed: int
    failed: int
    cancelled: int
    workers: int
    limited: int = 0
    paused: bool = False

    @property
    def dlq(self) -> int:
        """The number of dead letters: every failed job is one until it is requeued or discarded."""
        return self.failed

    @property
    def total(self) -> int:
        """The number of all jobs of the queue that are in Redis."""
        return self.waiting + self.processing + self.delayed + self.completed + self.failed + self.cancelled


@dataclass(frozen=True, kw_only=True)
class QueuePosition:
    """The position of a job that has not started, from 1 in the present order; None for a delayed or limited job.

    `starts_at` is an estimate, and of a delayed job the time at which it is due. It is None without grounds for an
    estimate: no job of the queue has completed yet, no worker runs, the queue is paused, or the job is `limited`.
    """

    queue: str
    position: int | None
    starts_at: datetime | None
    limited: bool = False


def read_stats(connection: Redis, names: Sequence[str]) -> dict[str, QueueStats]:
    """Return the statistics of these queues by name, in one round trip."""
    pipeline = connection.pipeline(transaction=False)
    now = int(time.time())
    for name in names:
        _ask(pipeline, QueueKeys(name), now)
    replies = pipeline.execute()
    return {name: _stats(name, replies[at * _READS : (at + 1) * _READS]) for at, name in enumerate(names)}


def _ask(pipeline: Any, keys: QueueKeys, now: int) -> None:
    pipeline.llen(keys.waiting)
    pipeline.lrange(keys.intermediate, 0, -1)
    pipeline.zrange(keys.started, 0, -1)
    pipeline.zcard(keys.scheduled)
    # The score is the time of expiry: entries before now have expired, though they are still listed.
    pipeline.zcount(keys.finished, now, "+inf")
    pipeline.zcount(keys.failed, now, "+inf")
    pipeline.zcard(keys.canceled)
    _COUNT_WORKERS.add_to(pipeline, [keys.workers], [SLOTS_FIELD])
    pipeline.zcard(keys.parked)
    pipeline.sismember(PAUSED_KEY, keys.name)


def _stats(name: str, replies: Sequence[Any]) -> QueueStats:
    waiting, intermediate, started, delayed, completed, failed, cancelled, (workers, _), limited, paused = replies
    held = {entry.decode() for entry in intermediate}
    held |= {parse_composite_key(entry.decode())[0] for entry in started}
    return QueueStats(
        name=name,
        waiting=waiting + limited,
        processing=len(held),
        delayed=delayed,
        completed=completed,
        failed=failed,
        cancelled=cancelled,
        workers=workers,
        limited=limited,
        paused=bool(paused),
    )


def read_position(connection: Redis, job_id: str) -> QueuePosition:
    """Return the position of a job that has not started, in two round trips.

    Raises:
        NotFoundError: there is no such job, or it has started.
    """
    name = connection.hget(f"{JOB_PREFIX}{job_id}", "origin")
    if name is None:
        raise NotFoundError(f"No job has the id {job_id}: it was never enqueued, or is no longer kept.")
    queue = as_text(name)
    keys, pipeline = QueueKeys(queue), connection.pipeline(transaction=False)
    pipeline.zrank(keys.scores, job_id)
    pipeline.zscore(keys.parked, job_id)
    pipeline.zscore(keys.scheduled, job_id)
    pipeline.hget(keys.durations, "mean_ms")
    _COUNT_WORKERS.add_to(pipeline, [keys.workers], [SLOTS_FIELD])
    pipeline.sismember(PAUSED_KEY, queue)
    ahead, parked, due, mean_ms, (_, slots), paused = pipeline.execute()
    if due is not None:
        return QueuePosition(queue=queue, position=None, starts_at=datetime.fromtimestamp(due, UTC))
    if parked is not None:
        return QueuePosition(queue=queue, position=None, starts_at=None, limited=True)
    if ahead is None:
        raise NotFoundError(f"Job {job_id} is not waiting on {queue}: it has started, or has ended.")
    starts_at = None if paused else _estimate(ahead, slots, mean_ms)
    return QueuePosition(queue=queue, position=ahead + 1, starts_at=starts_at)


def wait_ms(ahead: int, *, slots: int, mean_ms: float) -> float:
    """Return the estimated wait of a job behind `ahead` others, when all slots are halfway through their jobs.

    The jobs end one after the other, `slots` of them in each mean duration.
    """
    return (ahead / slots + 0.5 / slots) * mean_ms


def _estimate(ahead: int, slots: int, mean_ms: Any) -> datetime | None:
    if mean_ms is None or slots < 1:
        return None
    return utc_now() + timedelta(milliseconds=wait_ms(ahead, slots=slots, mean_ms=float(mean_ms)))
