"""Where a job stands in its queue, and an estimate of its start from how long jobs have run lately."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from redis import Redis
from rq.registry import ScheduledJobRegistry
from rq.utils import as_text
from rq.worker_registration import WORKERS_BY_QUEUE_KEY

from qa_queue.errors import NotFoundError
from qa_queue.models import utc_now
from qa_queue.queues.keys import JOB_PREFIX, PAUSED_KEY, QueueKeys

SLOTS_FIELD = "qa_slots"  # of a worker's hash: how many jobs it runs at once

# KEYS: the queue's workers. Returns how many jobs those that live can run at once.
_SLOTS = f"""
local slots = 0
for _, worker in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  if redis.call('EXISTS', worker) == 1 then slots = slots + (redis.call('HGET', worker, '{SLOTS_FIELD}') or 1) end
end
return slots
"""


@dataclass(frozen=True, kw_only=True)
class QueuePosition:
    """`position` counts from 1, as if nothing more urgent came; None for a delayed job.

    `starts_at` is an estimate, and for a delayed job the moment it is due; None while nothing can be said, because
    no job of the queue has ended yet, no worker lives, or the queue is paused. A `limited` job waits for its limit.
    """

    queue: str
    position: int | None
    starts_at: datetime | None
    limited: bool = False


def wait_ms(ahead: int, *, slots: int, mean_ms: float) -> float:
    """How long until a job starts that has `ahead` others before it, all slots being busy halfway through theirs.

    They leave one after the other, `slots` in each mean duration.
    """
    return (ahead / slots + 0.5 / slots) * mean_ms


def read_place(connection: Redis, job_id: str) -> QueuePosition:
    """See `QueueManager.get_place`; two round trips."""
    name = connection.hget(f"{JOB_PREFIX}{job_id}", "origin")
    if name is None:
        raise NotFoundError(f"No job has the id {job_id}: it was never enqueued, or is no longer kept.")
    queue = as_text(name)
    keys, pipeline = QueueKeys(queue), connection.pipeline(transaction=False)
    pipeline.zrank(keys.ranks, job_id)
    pipeline.zscore(keys.parked, job_id)
    pipeline.zscore(ScheduledJobRegistry.key_template.format(queue), job_id)
    pipeline.hget(keys.durations, "mean_ms")
    pipeline.eval(_SLOTS, 1, WORKERS_BY_QUEUE_KEY % queue)
    pipeline.sismember(PAUSED_KEY, queue)
    rank, parked, due, mean_ms, slots, paused = pipeline.execute()
    if due is not None:
        return QueuePosition(queue=queue, position=None, starts_at=datetime.fromtimestamp(due, UTC))
    if parked is not None:
        return QueuePosition(queue=queue, position=None, starts_at=None, limited=True)
    if rank is None:
        raise NotFoundError(f"Job {job_id} does not wait on {queue}: it has started, or has ended.")
    return QueuePosition(
        queue=queue, position=rank + 1, starts_at=_estimate(rank, slots, mean_ms, paused=bool(paused))
    )


def _estimate(ahead: int, slots: int, mean_ms: Any, *, paused: bool) -> datetime | None:
    if mean_ms is None or slots < 1 or paused:
        return None
    return utc_now() + timedelta(milliseconds=wait_ms(ahead, slots=slots, mean_ms=float(mean_ms)))
