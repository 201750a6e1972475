"""Submitting jobs of any queue but that of runs: checked by the queue's own payload model, then enqueued."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from pydantic import BaseModel, ValidationError
from redis import Redis

from qa_queue.errors import InputError, PayloadError
from qa_queue.extensions import ExtensionSpec, catalogue, known_queue
from qa_queue.models import Priority, QueueName, utc_now
from qa_queue.models.backoff import Backoff
from qa_queue.producer.idempotency import IdempotencyClaim, claim_key, claimed
from qa_queue.producer.planning import due_at
from qa_queue.producer.validation import check_number, problems_of
from qa_queue.queues import MAX_JOBS_AT_ONCE, QueueManager
from qa_queue.queues.jobs import JobSpec
from qa_queue.redis import connection_of
from qa_queue.settings import Settings
from qa_queue.store.mapping import sanitize
from qa_queue.store.records import digest

LONGEST_METADATA = 100  # entries
LONGEST_S = 24 * 3600


@dataclass(frozen=True, kw_only=True)
class JobRequest:
    """A job with this payload, a value of the queue's model or what the model can read.

    `name` is what people see of it. The `idempotency_key` names, together with the queue, one job until 24 h after
    its end. `attempts`, `backoff` and `timeout_s` are the queue's where they are None. `metadata` stays beside the
    payload for whoever looks at the job. The rest is as in `RunRequest`.
    """

    data: BaseModel | Mapping[str, Any]
    name: str = ""
    idempotency_key: str | None = None
    priority: Priority = Priority.NORMAL
    attempts: int | None = None
    backoff: Backoff | None = None
    timeout_s: int | None = None
    delay_ms: int | None = None
    run_at: datetime | None = None
    limit_keys: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SubmittedJob:
    """A job that is on its queue. `created` is False when the idempotency key had been used: it is that job."""

    job_id: str
    queue: str
    created: bool = True


@dataclass(frozen=True, kw_only=True)
class _Planned:
    job_id: str
    queue: str
    data: BaseModel
    request: JobRequest

    @property
    def claim(self) -> IdempotencyClaim | None:
        key = self.request.idempotency_key
        if key is None:
            return None
        label = self.request.name or key
        return IdempotencyClaim(
            job_id=self.job_id, key=claim_key(key, self.queue), digest=self._digest, label=label
        )

    @property
    def _digest(self) -> str:
        """Of all that the job is asked to do; when it is to start is not part of it."""
        request, backoff = self.request, self.request.backoff
        return digest(
            {
                "data": self.data.model_dump(mode="json"),
                "priority": int(request.priority),
                "attempts": request.attempts,
                "backoff": backoff.model_dump(mode="json") if backoff else None,
                "timeout_s": request.timeout_s,
                "metadata": self._metadata,
            }
        )

    def spec(self, now: datetime) -> JobSpec:
        request, claim = self.request, self.claim
        return JobSpec(
            data=self.data,
            job_id=self.job_id,
            name=request.name,
            priority=request.priority,
            attempts=request.attempts,
            backoff=request.backoff,
            timeout_s=request.timeout_s,
            due=due_at(request, now),
            limit_keys=request.limit_keys,
            claim=claim.when_enqueued if claim else None,
            metadata=self._metadata,
        )

    @property
    def _metadata(self) -> dict[str, Any]:
        """As JSON and Postgres can keep it."""
        sanitized: dict[str, Any] = sanitize(dict(self.request.metadata))
        return sanitized


class QueueProducer:
    """Puts jobs on the queues whose jobs have no rows: clean-up, learning, and those of installed packages."""

    def __init__(self, connection: Redis, settings: Settings) -> None:
        self._connection = connection
        self._queues = QueueManager(connection, settings)

    def submit(self, queue: str, requests: JobRequest | Sequence[JobRequest]) -> tuple[SubmittedJob, ...]:
        """Submit jobs to a queue, in the order given: all of them, or none.

        Raises:
            UnknownQueueError: there is no such queue.
            PayloadError: requests cannot be used, every one of them is named; nothing was enqueued.
            IdempotencyConflictError: a key was used for something else; nothing was enqueued.
            IdempotencyBusyError, RedisUnavailableError: nothing stays enqueued.
        """
        name = known_queue(queue)
        plans = _planned(name, [requests] if isinstance(requests, JobRequest) else requests)
        with claimed(connection_of(self._connection, name), plans) as claims:
            now = utc_now()
            self._queues.add_jobs(name, [plan.spec(now) for plan in claims.fresh])
        return tuple(_submitted(plan, claims.holder(plan)) for plan in plans)


def _planned(queue: str, requests: Sequence[JobRequest]) -> list[_Planned]:
    if queue == QueueName.TEST_EXECUTION:
        raise InputError(f"Jobs of {queue} are runs, with rows in the database: submit them with `JobProducer`.")
    check_number(requests, MAX_JOBS_AT_ONCE)
    spec = catalogue().queues[queue]
    plans: list[_Planned] = []
    problems: list[str] = []
    for number, request in enumerate(requests, start=1):
        found = [*problems_of(request), *_job_problems(request)]
        try:
            data = _read(spec, request.data)
        except PayloadError as error:
            found += error.problems
        else:
            plans.append(_Planned(job_id=str(uuid4()), queue=queue, data=data, request=request))
        where = f"job {number}: " if len(requests) > 1 else ""
        problems += [f"{where}{problem}" for problem in found]
    if problems:
        raise PayloadError("\n".join(problems), tuple(problems))
    return plans


def _job_problems(request: JobRequest) -> Iterator[str]:
    if request.timeout_s is not None and not 1 <= request.timeout_s <= LONGEST_S:
        yield f"timeout_s is {request.timeout_s}: it should be 1 to {LONGEST_S}"
    if len(request.metadata) > LONGEST_METADATA:
        yield f"metadata has {len(request.metadata)} entries: it should have at most {LONGEST_METADATA}"


def _read(spec: ExtensionSpec, data: BaseModel | Mapping[str, Any]) -> BaseModel:
    try:
        return spec.payload.model_validate(sanitize(dict(data)) if isinstance(data, Mapping) else data)
    except ValidationError as error:
        problems = tuple(f"{'.'.join(map(str, one['loc'])) or 'data'}: {one['msg']}" for one in error.errors())
        raise PayloadError("\n".join(problems), problems) from None


def _submitted(plan: _Planned, job_id: str) -> SubmittedJob:
    return SubmittedJob(job_id=job_id, queue=plan.queue, created=job_id == plan.job_id)
