"""How a payload becomes an RQ job: its function, time limits, attempts, and what rq-dashboard shows of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from random import SystemRandom
from typing import Any

from pydantic import BaseModel
from rq import Queue, Retry
from rq.job import Job, JobStatus

from qa_queue.cases.model import RUN_TIMEOUT_MS
from qa_queue.extensions import catalogue
from qa_queue.models import Priority, TestJobData, utc_now
from qa_queue.models.backoff import Backoff, schedule

START_ALLOWANCE_S = 60  # for the browser's start, evidence and rows around the tries themselves
RESULT_TTL_S = 24 * 3600
FAILURE_TTL_S = 7 * 24 * 3600  # dead letters
FURTHEST_S = 366 * 24 * 3600  # ahead that a job may be put off
DESCRIPTION_LENGTH = 100

# rq-dashboard writes the description into its job page unescaped (Parallels/rq-dashboard#526).
_HARMLESS = str.maketrans('<>&"`', "()+''")
_random = SystemRandom()


@dataclass(frozen=True, kw_only=True)
class EnqueueClaim:
    """An idempotency claim: `key` must hold `pending`, and holds `final` from the step on that enqueues its job."""

    key: str
    pending: str
    final: str
    keep_s: int


@dataclass(frozen=True, kw_only=True)
class JobSpec:
    """A job of any queue to be enqueued with this payload; `name` is shown to people.

    `attempts`, `backoff` and `timeout_s` are taken from the queue where they are None. The job does not start
    before `due`; `limit_keys` are what limits count it for, such as `site:shop.example`; `metadata` is kept with
    it as JSON.
    """

    data: BaseModel
    job_id: str
    name: str = ""
    priority: Priority = Priority.NORMAL
    attempts: int | None = None
    backoff: Backoff | None = None
    timeout_s: int | None = None
    due: datetime | None = None
    limit_keys: tuple[str, ...] = ()
    claim: EnqueueClaim | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of_run(
        cls, data: TestJobData, *, timeout_ms: int = RUN_TIMEOUT_MS, retries: int = 0, **fields: Any
    ) -> JobSpec:
        """Return the job of a run: its id is the run's, its time allows for every try of the case.

        `timeout_ms` is of one try and gives way to that of the run's own configuration; `fields` are those of the
        class.
        """
        timeout_s = job_timeout_s(data.config.timeout or timeout_ms, retries)
        named = {**fields, "name": fields.get("name") or data.test_case_id}
        return cls(data=data, job_id=data.test_run_id, timeout_s=timeout_s, **named)


def job_timeout_s(timeout_ms: int, retries: int) -> int:
    """The backstop of a run, in s: every try of the case at its full length, and the work around them.

    The processor ends a run at its own limit; RQ's ends one whose processor hangs.
    """
    return math.ceil(timeout_ms * (retries + 1) / 1000) + START_ALLOWANCE_S


def display_name(name: str) -> str:
    """A stranger's text made fit for a log line and for a page that does not escape it."""
    printable = "".join(char if char.isprintable() else " " for char in name)
    return " ".join(printable.translate(_HARMLESS).split())[:DESCRIPTION_LENGTH]


def build_job(queue: Queue, spec: JobSpec, *, max_attempts: int) -> Job:
    """Return an RQ job, not saved yet; its description and meta hold nothing raw.

    `max_attempts` counts where neither the job nor its queue has a number of its own.
    """
    own = catalogue().queues[queue.name]
    delayed = spec.due is not None and spec.due > utc_now()
    attempts = spec.attempts or own.attempts or max_attempts
    job = queue.create_job(
        own.function,
        kwargs={"data": spec.data.model_dump(mode="json")},
        job_id=spec.job_id,
        timeout=spec.timeout_s or own.timeout_s,
        result_ttl=RESULT_TTL_S,
        failure_ttl=FAILURE_TTL_S,
        description=display_name(spec.name or f"A job of {queue.name}"),
        meta={"priority": spec.priority.name.lower(), "max_attempts": attempts},
        status=JobStatus.SCHEDULED if delayed else JobStatus.QUEUED,
        retry=_retry(attempts, spec.backoff or own.backoff),
    )
    job.enqueued_at = None if delayed else utc_now()
    return job


def _retry(attempts: int, backoff: Backoff) -> Retry | None:
    if attempts == 1:
        return None
    jitters = tuple(_random.random() for _ in range(attempts - 1))
    return Retry(max=attempts - 1, interval=schedule(attempts, jitters=jitters, backoff=backoff))
