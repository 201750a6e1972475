"""The job that is to be enqueued, as a value, and the RQ job that is built from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from random import SystemRandom
from typing import Any

from pydantic import BaseModel
from rq import Queue, Retry
from rq.job import Job, JobStatus

from qa_queue.extensions import catalogue
from qa_queue.models import Priority, utc_now
from qa_queue.models.values import Backoff, schedule
from qa_queue.queues.claims import EnqueueClaim

START_ALLOWANCE_S = 60  # of a run, for starting the browser and recording artifacts and rows
RESULT_TTL_S = 24 * 3600
FAILURE_TTL_S = 7 * 24 * 3600  # dead letters
DESCRIPTION_LENGTH = 100

# rq-dashboard writes the description into its job page unescaped (Parallels/rq-dashboard#526).
_HARMLESS = str.maketrans('<>&"`', "()+''")
_random = SystemRandom()


@dataclass(frozen=True, kw_only=True)
class JobSpec:
    """A job to enqueue, with the payload `data`; the id of a run's job is the run's id.

    `name` is shown to people. For `attempts`, `backoff` and `timeout_s` None takes the queue's. The job does not
    start before `due`; `limit_keys`, such as `site:shop.example`, count it for limits; `claim` is its idempotency
    claim; `metadata` is stored beside the payload as JSON. Jobs with one id and one `created_at` are the same
    submission. `arrival_us` is the time of arrival by Redis' clock, which orders jobs of one priority; None is the
    time of enqueueing.
    """

    job_id: str
    data: BaseModel
    name: str = ""
    priority: Priority = Priority.NORMAL
    attempts: int | None = None
    backoff: Backoff | None = None
    timeout_s: int | None = None
    due: datetime | None = None
    limit_keys: tuple[str, ...] = ()
    claim: EnqueueClaim | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None
    arrival_us: int | None = None


def run_timeout_s(timeout_ms: int, retries: int, login_ms: int = 0) -> int:
    """Return the time limit of a run's job, in s: every try of the case with its login, and the work around it.

    The processor ends a run at the run's own limit; this one ends a run whose processor hangs.
    """
    return math.ceil((timeout_ms + login_ms) * (retries + 1) / 1000) + START_ALLOWANCE_S


def display_name(name: str) -> str:
    """Return untrusted text fit for a log line and for a page that does not escape it."""
    printable = "".join(char if char.isprintable() else " " for char in name)
    return " ".join(printable.translate(_HARMLESS).split())[:DESCRIPTION_LENGTH]


def build_job(queue: Queue, spec: JobSpec, *, default_attempts: int) -> Job:
    """Return the RQ job of a spec, not saved yet; its description and meta hold no untrusted text.

    `default_attempts` are those where neither the spec nor the queue gives a number.
    """
    extension = catalogue().queues[queue.name]
    attempts = spec.attempts or extension.attempts or default_attempts
    job = queue.create_job(
        extension.function,
        kwargs={"data": spec.data.model_dump(mode="json")},
        job_id=spec.job_id,
        timeout=spec.timeout_s or extension.timeout_s,
        result_ttl=RESULT_TTL_S,
        failure_ttl=FAILURE_TTL_S,
        description=display_name(spec.name or f"A job of {queue.name}"),
        meta={"priority": spec.priority.name.lower(), "max_attempts": attempts},
        status=JobStatus.SCHEDULED if spec.due else JobStatus.QUEUED,
        retry=_retry(attempts, spec.backoff or extension.backoff),
    )
    job.enqueued_at = None if spec.due else utc_now()
    job.created_at = spec.created_at or job.created_at
    return job


def spec_document(spec: JobSpec) -> dict[str, Any]:
    """Return a job as JSON, without its id and queue."""
    return {
        "data": spec.data.model_dump(mode="json"),
        "name": spec.name,
        "priority": int(spec.priority),
        "attempts": spec.attempts,
        "backoff": spec.backoff.model_dump(mode="json") if spec.backoff else None,
        "timeout_s": spec.timeout_s,
        "due": spec.due.isoformat() if spec.due else None,
        "limit_keys": list(spec.limit_keys),
        "claim": asdict(spec.claim) if spec.claim else None,
        "metadata": dict(spec.metadata),
        "created_at": spec.created_at.isoformat() if spec.created_at else None,
        "arrival_us": spec.arrival_us,
    }


def parse_spec(job_id: str, queue: str, document: Mapping[str, Any]) -> JobSpec:
    """Return the job that `spec_document` wrote.

    Raises:
        ValueError: the document is damaged, or another version wrote it.
    """
    try:
        fields = dict(document)
        fields["data"] = catalogue().queues[queue].payload.model_validate(fields["data"])
        fields["priority"] = Priority(fields["priority"])
        fields["backoff"] = Backoff.model_validate(fields["backoff"]) if fields["backoff"] else None
        fields["due"] = datetime.fromisoformat(fields["due"]) if fields["due"] else None
        fields["limit_keys"] = tuple(fields["limit_keys"])
        fields["claim"] = EnqueueClaim(**fields["claim"]) if fields["claim"] else None
        fields["created_at"] = datetime.fromisoformat(fields["created_at"]) if fields["created_at"] else None
        return JobSpec(job_id=job_id, **fields)
    except (KeyError, TypeError) as error:
        raise ValueError(f"unknown job: {type(error).__name__}: {error}") from error


def _retry(attempts: int, backoff: Backoff) -> Retry | None:
    if attempts == 1:
        return None
    jitters = tuple(_random.random() for _ in range(attempts - 1))
    return Retry(max=attempts - 1, interval=schedule(attempts, jitters=jitters, backoff=backoff))
