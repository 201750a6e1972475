"""On which Redis a job is, where queues have servers of their own."""

from __future__ import annotations

from collections.abc import Sequence

from redis import Redis

from qa_queue.extensions import queue_names
from qa_queue.priorities.keys import JOB_PREFIX
from qa_queue.redis import by_server


def home_of(connection: Redis, job_id: str) -> Redis:
    """The Redis that has this job; the first one where none has. No round trip where there is but one."""
    return homes_of(connection, [job_id])[0][0]


def homes_of(connection: Redis, job_ids: Sequence[str]) -> list[tuple[Redis, list[str]]]:
    """These jobs by the Redis that has them, at least one; what none has is with the first. As `home_of` else.

    Raises:
        RedisUnavailableError, redis.exceptions.RedisError: one of them cannot be asked.
    """
    first, *others = [server for server, _ in by_server(connection, queue_names())]
    left, homes = list(job_ids), []
    for server in others:
        pipeline = server.pipeline(transaction=False)
        for job_id in left:
            pipeline.exists(f"{JOB_PREFIX}{job_id}")
        there = {job_id for job_id, found in zip(left, pipeline.execute(), strict=True) if found}
        if there:
            homes.append((server, [job_id for job_id in left if job_id in there]))
            left = [job_id for job_id in left if job_id not in there]
    return [(first, left), *homes] if left or not homes else homes
