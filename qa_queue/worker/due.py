"""Moving jobs whose time has come from a queue's schedule to their places in the queue.

RQ's own scheduler is one process that holds a lock for 60 s beyond its death. Here the move is one transaction on
the queue's schedule, so any number of processes may do it at once, and none that dies is waited for.
"""

from __future__ import annotations

from typing import Any, cast

from redis import Redis
from redis.exceptions import WatchError
from rq.job import Job, JobStatus
from rq.registry import ScheduledJobRegistry
from rq.scheduler import RQScheduler
from rq.utils import as_text, current_timestamp, now, utcformat

from qa_queue.priorities import push_ranked

_CHUNK = 100


def enqueue_due(connection: Redis, queue: str) -> int:
    """Move the jobs of a queue that are due from its schedule to their places in it; returns how many.

    A queue that one of RQ's own schedulers has locked is left to it, since it would put the same jobs on the queue.
    """
    moved = 0
    while batch := _move(connection, queue):
        moved += batch
    return moved


def _move(connection: Redis, queue: str) -> int:
    key = ScheduledJobRegistry(queue, connection=connection).key  # type: ignore[no-untyped-call] # RQ
    with connection.pipeline() as pipe:
        pipe.watch(key)  # type: ignore[no-untyped-call] # redis-py
        due = pipe.zrangebyscore(key, 0, current_timestamp(), start=0, num=_CHUNK)
        ids = [str(as_text(cast(bytes, job_id))) for job_id in due]
        if not ids or connection.exists(RQScheduler.get_locking_key(queue)):
            return 0
        known = [job_id for job_id in ids if connection.exists(Job.key_for(job_id))]
        pipe.multi()
        pipe.zrem(key, *ids)
        for job_id in known:
            fields: dict[Any, Any] = {"status": JobStatus.QUEUED.value, "enqueued_at": utcformat(now())}
            pipe.hset(Job.key_for(job_id), mapping=fields)
            push_ranked(pipe, queue, job_id)
        try:
            pipe.execute()
        except WatchError:
            return 0  # another process is at it; what it leaves is for the next turn
    return len(ids)
