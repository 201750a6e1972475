"""Taking jobs from queues: the best one first, and never out of sight."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis

from qa_queue.priorities.keys import QueueKeys
from qa_queue.priorities.scripts import PUT_BACK, TAKE

BLOCK_S = 5.0  # the longest single wait inside Redis: after a failover a blocked call may never be answered
POLL_S = 0.025  # between looks at several queues: Redis can block on one list only and keep the id safe


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A job that was taken from a queue and now stands in RQ's intermediate list of that queue."""

    job_id: str
    queue: str


def dequeue(connection: Redis, queues: Sequence[str], timeout: float | None) -> Taken | None:
    """Take the best waiting job; queues in the order given, within a queue by priority, then first come.

    The id moves from the queue's list to RQ's intermediate list (`rq:queue:<name>:intermediate`) in one atomic
    step, so that a crash at any moment leaves it in one of them. The caller removes it there once the job's
    execution is registered (`acknowledge`, or RQ's
    `prepare_job_execution(job, remove_from_intermediate_queue=True)`) or gives it back with `put_back`.

    Waits up to `timeout` s when all queues are empty; None does not wait. One queue wakes at once, several within
    25 ms. None is returned when nothing came. Blocks in slices of at most 5 s, so a dead connection is noticed.

    Raises:
        redis.exceptions.RedisError: Redis failed.
    """
    deadline = time.monotonic() + (timeout or 0)
    while True:
        taken = _take(connection, queues)
        if taken is not None or timeout is None:
            return taken
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            return None
        taken = _wait(connection, queues, remaining)
        if taken is not None:
            return taken


def acknowledge(connection: Redis, taken: Taken) -> None:
    """Forget a taken job's place in the intermediate list; its execution is registered, or it is gone."""
    connection.lrem(QueueKeys(taken.queue).intermediate, 1, taken.job_id)


def put_back(connection: Redis, taken: Taken) -> bool:
    """Return a job that was taken and not started to its old place; False when it was no longer intermediate."""
    keys = QueueKeys(taken.queue)
    script = connection.register_script(PUT_BACK)
    return bool(script(keys=[keys.waiting, keys.ranks, keys.clock, keys.intermediate], args=[taken.job_id]))


def _take(connection: Redis, queues: Sequence[str]) -> Taken | None:
    keys = [QueueKeys(name) for name in queues]
    names = [name for k in keys for name in (k.waiting, k.ranks, k.clock, k.intermediate)]
    found = connection.register_script(TAKE)(keys=names)
    return Taken(job_id=found[1].decode(), queue=queues[found[0] - 1]) if found else None


def _wait(connection: Redis, queues: Sequence[str], seconds: float) -> Taken | None:
    if len(queues) > 1:
        time.sleep(min(seconds, POLL_S))
        return None
    keys = QueueKeys(queues[0])
    # The list is empty, so what comes first is the best there is.
    block: Any = min(seconds, BLOCK_S)  # Redis takes fractions; redis-py's annotation says whole seconds
    found: Any = connection.blmove(keys.waiting, keys.intermediate, block, "LEFT", "RIGHT")
    if not found:
        return None
    connection.zrem(keys.ranks, found)
    return Taken(job_id=found.decode(), queue=queues[0])
