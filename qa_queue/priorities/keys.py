"""The names of a queue's keys in Redis: RQ's own, and ours beside them."""

from __future__ import annotations

from dataclasses import dataclass

from rq import Queue
from rq.intermediate_queue import IntermediateQueue
from rq.job import Job

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
