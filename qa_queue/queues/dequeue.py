"""Taking jobs from queues: the best one first, and never out of sight."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from redis import Redis

from qa_queue.queues.keys import QueueKeys
from qa_queue.queues.scripts import PUT_BACK, TAKE

# The longest single wait inside Redis: what plain RQ code pushed, and what a limit lets go with time, is not
# announced, and after a failover a blocked call may never be answered.
BLOCK_S = 1.0


@dataclass(frozen=True, kw_only=True)
class ReservedJob:
    """A job that was taken from a queue and now stands in RQ's intermediate list of that queue."""

    job_id: str
    queue: str


def dequeue(connection: Redis, queues: Sequence[str], timeout: float | None) -> ReservedJob | None:
    """Take the best waiting job; queues in the order given, within a queue by priority, then first come.

    The id moves from the queue's list to RQ's intermediate list (`rq:queue:<name>:intermediate`) in one atomic
    step, so that a crash at any moment leaves it in one of them. The caller removes it there once the job's
    execution is registered (`acknowledge`, or RQ's
    `prepare_job_execution(job, remove_from_intermediate_queue=True)`) or gives it back with `put_back`.

    A paused queue gives nothing; a job that a limit refuses is passed over until the limit lets it go.

    Waits up to `timeout` s inside Redis when there is nothing to take; None does not wait. What is enqueued, or a
    queue that is resumed, wakes at once; what others push onto RQ's list is noticed within 1 s. None is returned
    when nothing came.

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
        _wait(connection, queues, remaining)


def acknowledge(connection: Redis, taken: ReservedJob) -> None:
    """Forget a taken job's place in the intermediate list; its execution is registered, or it is gone."""
    connection.lrem(QueueKeys(taken.queue).intermediate, 1, taken.job_id)


def release(connection: Redis, taken: ReservedJob) -> bool:
    """Return a job that was taken and not started to its old place; False when it was no longer intermediate."""
    return bool(connection.register_script(PUT_BACK)(args=[taken.queue, taken.job_id]))


def _take(connection: Redis, queues: Sequence[str]) -> ReservedJob | None:
    found = connection.register_script(TAKE)(args=list(queues))
    return ReservedJob(job_id=found[1].decode(), queue=queues[found[0] - 1]) if found else None


def _wait(connection: Redis, queues: Sequence[str], seconds: float) -> None:
    """Block until a queue announces something; several takers of a queue are woken one after the other."""
    connection.blpop([QueueKeys(name).wake for name in queues], timeout=max(0.01, min(seconds, BLOCK_S)))
