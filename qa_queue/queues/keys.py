"""What a submitter says of a job, as it stands in the job's hash. Pure.

The names of a queue's keys in Redis: RQ's own, and ours beside them.

On which Redis a job is, where queues have servers of their own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis
from rq import Queue
from rq.intermediate_queue import IntermediateQueue
from rq.job import Job

from qa_queue.extensions import queue_names
from qa_queue.redis import by_server
from qa_queue.store.mapping import sanitize


def read_metadata(text: str | bytes | None) -> dict[str, Any]:
    """The metadata; none where there is nothing, or nothing that can be read."""
    try:
        read = json.loads(text or "{}")
    except ValueError:
        return {}
    return sanitize(read) if isinstance(read, dict) else {}


JOB_PREFIX = Job.redis_job_namespace_prefix
# In the job's hash, beside RQ's own fields:
RANK_FIELD = "qa_rank"  # where a retried job finds its old place
CLAIM_FIELD = "qa_claim"  # the key of its idempotency claim, or nothing
METADATA_FIELD = "qa_metadata"  # what its submitter says of it, as JSON
LIMITS_FIELD = "qa_limits"  # what limits count it for ("site:shop.example"), a line each

PAUSED_KEY = "qa:paused"  # the set of paused queues
LIMITS_KEY = "qa:limits"  # hash of rules


@dataclass(frozen=True)
class QueueKeys:
    """The keys of the queue `name`."""

    name: str

    @property
    def waiting(self) -> str:
        """RQ's list of waiting job ids."""
        return f"{Queue.redis_queue_namespace_prefix}{self.name}"

    @property
    def intermediate(self) -> str:
        """RQ's list of job ids that were taken and whose execution is not registered yet."""
        return IntermediateQueue.get_intermediate_queue_key(self.waiting)

    @property
    def ranks(self) -> str:
        """Sorted set of waiting job ids by rank."""
        return f"qa:ranks:{self.name}"

    @property
    def clock(self) -> str:
        """The last moment of arrival that was given out, in µs."""
        return f"qa:clock:{self.name}"

    @property
    def wake(self) -> str:
        """A list with one entry while a waiting taker ought to look."""
        return f"qa:wake:{self.name}"

    @property
    def parked(self) -> str:
        """Sorted set, by rank, of job ids that wait beside the list because a limit refuses them."""
        return f"qa:parked:{self.name}"

    @property
    def limited(self) -> str:
        """Sorted set of the keys whose jobs are parked, by the moment in µs to look again."""
        return f"qa:limited:{self.name}"

    @property
    def durations(self) -> str:
        """Hash with `mean_ms` and `count` of the jobs that ended."""
        return f"qa:durations:{self.name}"


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
