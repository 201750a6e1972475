"""The names of a queue's keys in Redis: RQ's own, and ours beside them."""

from __future__ import annotations

from dataclasses import dataclass

from rq import Queue
from rq.intermediate_queue import IntermediateQueue
from rq.job import Job

JOB_PREFIX = Job.redis_job_namespace_prefix
RANK_FIELD = "qa_rank"  # in the job's hash: where a retried job finds its old place


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
