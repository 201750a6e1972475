"""The names of a queue's keys in Redis, RQ's own and ours beside them, and the scripts that receive them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis
from rq import Queue
from rq.intermediate_queue import IntermediateQueue
from rq.job import Job
from rq.registry import (
    CanceledJobRegistry,
    FailedJobRegistry,
    FinishedJobRegistry,
    ScheduledJobRegistry,
    StartedJobRegistry,
)
from rq.results import Result
from rq.worker_registration import WORKERS_BY_QUEUE_KEY

from qa_queue.progress.events import EVENTS_KEY, MAX_EVENTS
from qa_queue.redis.counters import COUNTS_KEY, OUTCOMES_KEY
from qa_queue.redis.scripts import LuaScript

# Fields of a job's hash, beside RQ's own:
SCORE_FIELD = "qa_rank"  # its priority score, by which a retried job returns to its position
CLAIM_FIELD = "qa_claim"  # the key of its idempotency claim
METADATA_FIELD = "qa_metadata"  # the submitter's metadata, as JSON
LIMITS_FIELD = "qa_limits"  # its limit keys ("site:shop.example"), one on each line
RAW_FIELD = "qa_raw"  # of a job that could not be read: the content of its hash, as JSON
REQUEUING_FIELD = "qa_requeuing"  # of a dead letter: the time in s since when a requeue has reserved it
REQUEUES_FIELD = "qa_requeues"  # the number of times it was requeued from the dead letters
SLOTS_FIELD = "qa_slots"  # of a worker's hash: the number of jobs that it runs at once
PROCESS_FIELD = "qa_process"  # of a worker's hash: the token of its process, by which others see that it has ended

PAUSED_KEY = "qa:paused"  # set of the names of paused queues
LIMITS_KEY = "qa:limits"  # hash of limit rules by limit key

JOB_PREFIX = Job.redis_job_namespace_prefix
ATTEMPTS_PREFIX = "qa:attempts:"  # and a job's id: hash of its failed attempts
CANCEL_PREFIX = "qa:cancel:"  # and a job's id: exists while the job is to be cancelled
FAILURES_PREFIX = "qa:failures:"  # and a batch's id: its failed runs, where their number is limited
IDEMPOTENCY_PREFIX = "qa:idempotency:"  # and a digest: an idempotency claim
LOGIN_PREFIX = "qa:login:"  # and state:, lease:, fence: or failure: and a digest: see lua/login_claim.lua
REJECTED_PREFIX = "qa:rejected:"  # and a job's id: exists while rows of a rejected submission may be left
SUBMITTING_PREFIX = "qa:submitting:"  # and the last id of a submission: exists while its submitter is at work
RUNNING_PREFIX = "qa:running:"  # and a limit key: set of the ids of its running jobs
SHARDS_PREFIX = "qa:shards:"  # and a digest: the distribution of cases over machines, as JSON
STARTS_PREFIX = "qa:starts:"  # and a limit key: sorted set of its starts in the last minute

# The first argument of scripts, see lua/job.lua.
NAMES = json.dumps(
    {
        "job": JOB_PREFIX,
        "results": Result.get_key(""),  # type: ignore[no-untyped-call] # RQ
        "attempts": ATTEMPTS_PREFIX,
        "cancel": CANCEL_PREFIX,
        "running": RUNNING_PREFIX,
        "starts": STARTS_PREFIX,
        "outcomes": OUTCOMES_KEY,
        "intermediate": IntermediateQueue.get_intermediate_queue_key(f"{Queue.redis_queue_namespace_prefix}{{}}"),
        "score_field": SCORE_FIELD,
        "claim_field": CLAIM_FIELD,
        "limits_field": LIMITS_FIELD,
        "raw_field": RAW_FIELD,
        "requeues_field": REQUEUES_FIELD,
        "requeuing_field": REQUEUING_FIELD,
        "max_events": MAX_EVENTS,
    }
)


@dataclass(frozen=True)
class QueueKeys:
    """The keys of the queue `name`; lua/queue.lua documents those that scripts use."""

    name: str

    @property
    def waiting(self) -> str:
        """RQ's list of waiting ids."""
        return f"{Queue.redis_queue_namespace_prefix}{self.name}"

    @property
    def intermediate(self) -> str:
        """RQ's list of reserved ids."""
        return IntermediateQueue.get_intermediate_queue_key(self.waiting)

    @property
    def scheduled(self) -> str:
        """RQ's registry of delayed jobs."""
        return ScheduledJobRegistry.key_template.format(self.name)

    @property
    def started(self) -> str:
        """RQ's registry of running executions."""
        return StartedJobRegistry.key_template.format(self.name)

    @property
    def finished(self) -> str:
        """RQ's registry of completed jobs."""
        return FinishedJobRegistry.key_template.format(self.name)

    @property
    def failed(self) -> str:
        """RQ's registry of failed jobs: the dead letters."""
        return FailedJobRegistry.key_template.format(self.name)

    @property
    def canceled(self) -> str:
        """RQ's registry of cancelled jobs."""
        return CanceledJobRegistry.key_template.format(self.name)

    @property
    def workers(self) -> str:
        """RQ's set of the keys of the queue's workers."""
        return WORKERS_BY_QUEUE_KEY % self.name

    @property
    def scores(self) -> str:
        """Sorted set of waiting ids by priority score."""
        return f"qa:ranks:{self.name}"

    @property
    def clock(self) -> str:
        """The latest arrival time that was assigned, in µs."""
        return f"qa:clock:{self.name}"

    @property
    def wake(self) -> str:
        """List with one entry while a blocked worker has to look for a job."""
        return f"qa:wake:{self.name}"

    @property
    def parked(self) -> str:
        """Sorted set, by priority score, of the ids that a limit holds beside the list."""
        return f"qa:parked:{self.name}"

    @property
    def limited(self) -> str:
        """Sorted set of the limit keys with parked ids, by the time in µs of the next check."""
        return f"qa:limited:{self.name}"

    @property
    def unrecorded(self) -> str:
        """Hash of the ends and requeues that are closed here and not stored in the database yet, by job id."""
        return f"qa:unrecorded:{self.name}"

    @property
    def durations(self) -> str:
        """Hash with `mean_ms` and `count` of the jobs that completed."""
        return f"qa:durations:{self.name}"

    @property
    def for_scripts(self) -> list[str]:
        """The keys that scripts use, in the order of QUEUE_KEYS in lua/queue.lua."""
        return [
            self.waiting,
            self.intermediate,
            self.scheduled,
            self.failed,
            self.canceled,
            self.scores,
            self.clock,
            self.wake,
            self.parked,
            self.limited,
            self.durations,
        ]


def attempts_key(job_id: str) -> str:
    """Return the key of a job's failed attempts."""
    return f"{ATTEMPTS_PREFIX}{job_id}"


def signal_key(run_id: str) -> str:
    """Return the key that exists while a run is to be cancelled."""
    return f"{CANCEL_PREFIX}{run_id}"


def failures_key(batch_id: str) -> str:
    """Return the key of the set of a batch's failed runs."""
    return f"{FAILURES_PREFIX}{batch_id}"


@dataclass(frozen=True)
class QueueScript:
    """A script of the folder `lua` that includes queue.lua, and is called with the names and keys of its queues."""

    script: LuaScript

    @classmethod
    def load(cls, name: str) -> QueueScript:
        """Load `lua/NAME.lua`."""
        return cls(LuaScript.load("qa_queue.queues", name))

    def run(self, connection: Redis, queues: Sequence[str], *args: Any) -> Any:
        """Run the script as one step and return its reply."""
        return self.script.run(connection, _script_keys(queues), [NAMES, *queues, *args])

    def add_to(self, pipeline: Any, queue: str, *args: Any) -> None:
        """Add the script to a pipeline, or run it on a connection."""
        self.script.add_to(pipeline, _script_keys([queue]), [NAMES, queue, *args])


def _script_keys(queues: Sequence[str]) -> list[str]:
    shared = [EVENTS_KEY, PAUSED_KEY, LIMITS_KEY, Queue.redis_queues_keys, COUNTS_KEY]
    return shared + [key for queue in queues for key in QueueKeys(queue).for_scripts]
