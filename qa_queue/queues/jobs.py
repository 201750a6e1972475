"""How a payload becomes an RQ job: its function, time limits, attempts, and what rq-dashboard shows of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from random import SystemRandom
from typing import Any, ClassVar

from pydantic import BaseModel
from rq import Queue, Retry
from rq.job import Job, JobStatus

from qa_queue.cases.model import RUN_TIMEOUT_MS
from qa_queue.extensions import catalogue
from qa_queue.models import Priority, TestJobData, utc_now
from qa_queue.models.backoff import EXPONENTIAL, Backoff, schedule
from qa_queue.queues.enqueue import EnqueueClaim

START_ALLOWANCE_S = 60  # for the browser's start, evidence and rows around the tries themselves
RESULT_TTL_S = 24 * 3600
FAILURE_TTL_S = 7 * 24 * 3600  # dead letters
FURTHEST_S = 366 * 24 * 3600  # ahead that a job may be put off
DESCRIPTION_LENGTH = 100

# rq-dashboard writes the description into its job page unescaped (Parallels/rq-dashboard#526).
_HARMLESS = str.maketrans('<>&"`', "()+''")
_random = SystemRandom()


@dataclass(frozen=True, kw_only=True)
class TestJobRequest:
    """A run to be enqueued: `timeout_ms` of one try of the case, `retries` of the case.

    `attempts` of the job when the infrastructure fails (None: QUEUE_MAX_ATTEMPTS) with `backoff` between them; it
    does not start before `due`; `limit_keys` count it for limits; `claim` is its idempotency claim.
    """

    __test__: ClassVar[bool] = False

    data: TestJobData
    name: str = ""
    priority: Priority = Priority.NORMAL
    timeout_ms: int = RUN_TIMEOUT_MS
    retries: int = 0
    attempts: int | None = None
    backoff: Backoff = EXPONENTIAL
    due: datetime | None = None
    limit_keys: tuple[str, ...] = ()
    claim: EnqueueClaim | None = None


@dataclass(frozen=True, kw_only=True)
class PayloadRequest:
    """A job of any queue to be enqueued with this payload; `name` is what people see of it.

    What is None is taken from the queue's `QueueSpec`. `metadata` travels beside the payload, as JSON, for whoever
    looks at the job; the rest is as in `TestJobRequest`.
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


@dataclass(frozen=True, kw_only=True)
class JobLimits:
    """How long a job may take, in s, and how often it is tried when the infrastructure fails."""

    timeout_s: int
    max_attempts: int
    backoff: Backoff = EXPONENTIAL


def job_timeout_s(timeout_ms: int, retries: int) -> int:
    """The backstop of a run, in s: every try of the case at its full length, and the work around them.

    The processor ends a run at its own limit; RQ's ends one whose processor hangs.
    """
    return math.ceil(timeout_ms * (retries + 1) / 1000) + START_ALLOWANCE_S


def display_name(name: str) -> str:
    """A stranger's text made fit for a log line and for a page that does not escape it."""
    printable = "".join(char if char.isprintable() else " " for char in name)
    return " ".join(printable.translate(_HARMLESS).split())[:DESCRIPTION_LENGTH]


def build_job(
    queue: Queue,
    payload: BaseModel,
    *,
    job_id: str,
    description: str,
    priority: Priority,
    limits: JobLimits,
    delayed: bool = False,
) -> Job:
    """An RQ job for this payload, not saved yet; its description and meta hold nothing raw."""
    job = queue.create_job(
        catalogue().queues[queue.name].function,
        kwargs={"data": payload.model_dump(mode="json")},
        job_id=job_id,
        timeout=limits.timeout_s,
        result_ttl=RESULT_TTL_S,
        failure_ttl=FAILURE_TTL_S,
        description=display_name(description),
        meta=_meta(priority, limits),
        status=JobStatus.SCHEDULED if delayed else JobStatus.QUEUED,
        retry=_retry(limits),
    )
    job.enqueued_at = None if delayed else utc_now()
    return job


def _meta(priority: Priority, limits: JobLimits) -> dict[str, Any]:
    return {"priority": priority.name.lower(), "max_attempts": limits.max_attempts}


def _retry(limits: JobLimits) -> Retry | None:
    if limits.max_attempts == 1:
        return None
    jitters = tuple(_random.random() for _ in range(limits.max_attempts - 1))
    intervals = schedule(limits.max_attempts, jitters=jitters, backoff=limits.backoff)
    return Retry(max=limits.max_attempts - 1, interval=intervals)
