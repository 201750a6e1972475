"""The order in which waiting jobs are taken, and taking them without a moment in which a job is nowhere.

RQ's own list of a queue stays the truth of what waits, so plain `rq worker`, `rq info` and rq-dashboard see the
queue as it is. It is kept in order: a job enters it at the place that its rank says. The rank is the moment of
arrival moved by its priority (`offset_us`), so it never changes while the job waits, and a job retried by RQ's
scheduler gets its old place back. Ranks stand beside the list in `qa:ranks:<queue>`; where the two disagree (a
plain worker took a job, a scheduler put one back) the next enqueue or dequeue mends it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis
from rq import Queue

from qa_queue.models import Priority


def offset_us(priority: Priority) -> int:
    """How far, in µs, a job of this priority is moved from its moment of arrival; smaller goes first."""
    raise NotImplementedError


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
    25 ms. None is returned when nothing came. Blocks in slices of at most 5 s, so a stale connection is noticed.

    Raises:
        redis.exceptions.RedisError: Redis failed.
    """
    raise NotImplementedError


def acknowledge(connection: Redis, taken: Taken) -> None:
    """Forget a taken job's place in the intermediate list; its execution is registered, or it is gone."""
    raise NotImplementedError


def put_back(connection: Redis, taken: Taken) -> bool:
    """Return a job that was taken and not started to its old place; False when it was no longer intermediate."""
    raise NotImplementedError


class PriorityQueue(Queue):
    """RQ's queue with priorities; a worker that has it as `queue_class` takes jobs by priority, reliably.

    Every way into the queue that goes through this class ranks the job (`push_job_id`), and `dequeue_any` takes
    with `dequeue`. Ids taken stay in the intermediate list until the execution is registered, for one queue and for
    several alike, so a worker must call `prepare_job_execution(job, remove_from_intermediate_queue=True)`; RQ's
    own `perform_job` does so only with a single queue.
    """


def push_ranked(connection: Any, queue: str, job_id: str) -> None:
    """Put a saved job into its queue at its place; `connection` may be a pipeline."""
    raise NotImplementedError
