"""Putting jobs into a queue at their place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis import Redis
from rq import Queue
from rq.job import Job

from qa_queue.models import Priority
from qa_queue.priorities.keys import QueueKeys
from qa_queue.priorities.rank import offset_us
from qa_queue.priorities.scripts import ENQUEUE, PUSH


def enqueue_all(connection: Redis, queue: str, jobs: Sequence[tuple[Job, Priority]]) -> list[str]:
    """Save these new jobs and put them into the queue in this order: all of them, or none.

    One round trip, one atomic step. Returns the ids of which a job exists already; if there are any, nothing was
    written. The same jobs sent a second time, because the answer was lost, are not queued twice.
    """
    if not jobs:
        return []
    keys = QueueKeys(queue)
    arguments = [value for job, priority in jobs for value in _arguments(job, priority)]
    found = connection.register_script(ENQUEUE)(
        keys=[keys.waiting, keys.ranks, keys.clock, Queue.redis_queues_keys], args=arguments
    )
    return [job_id.decode() for job_id in found]


def _arguments(job: Job, priority: Priority) -> list[Any]:
    document = {name: value for name, value in job.to_dict().items() if value is not None}
    fields = [part for pair in document.items() for part in pair]
    return [job.id, offset_us(priority), document["created_at"], len(fields), *fields]


def push_ranked(connection: Any, queue: str, job_id: str, *, at_front: bool = False) -> None:
    """Put a saved job into its queue: at its old place, else as NORMAL; `connection` may be a pipeline."""
    keys = QueueKeys(queue)
    connection.eval(PUSH, 3, keys.waiting, keys.ranks, keys.clock, job_id, int(at_front))
