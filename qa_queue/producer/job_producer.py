"""Submitting jobs of all queues but that of runs: validated by the queue's payload model, then enqueued."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from typing import Any
from uuid import uuid4

from pydantic import BaseModel, ValidationError
from redis import Redis

from qa_queue.errors import InputError, PayloadError
from qa_queue.errors.validation import problems_of
from qa_queue.extensions import ExtensionSpec, catalogue, known_queue
from qa_queue.models import QueueName
from qa_queue.producer.idempotency import claimed, under_way, withdraw_rows
from qa_queue.producer.planning import due_at, ledger_entries
from qa_queue.producer.requests import JobRequest, SubmittedJob
from qa_queue.producer.validation import check_number, timing_problems
from qa_queue.queues import MAX_JOBS_AT_ONCE, JobSpec, QueueManager
from qa_queue.queues.claims import IdempotencyClaim, claim_key
from qa_queue.queues.enqueue import reserve_arrivals
from qa_queue.redis import connection_of
from qa_queue.settings import Settings
from qa_queue.store.protocol import RunStore
from qa_queue.store.records import digest
from qa_queue.store.sanitize import sanitize

MAX_METADATA = 100  # entries
MAX_TIMEOUT_S = 24 * 3600


class QueueProducer:
    """Submits jobs without rows of runs: cleanup, learning, and those of installed packages.

    With a `store`, jobs with an idempotency key are in its ledger, and are restored when Redis loses them.
    """

    def __init__(self, connection: Redis, settings: Settings, store: RunStore | None = None) -> None:
        self._connection = connection
        self._queues = QueueManager(connection, settings)
        self._instance = settings.qa_instance
        self._store = store

    def submit(self, queue: str, requests: JobRequest | Sequence[JobRequest]) -> tuple[SubmittedJob, ...]:
        """Submit jobs to a queue, in the order given: all of them, or none.

        Raises:
            UnknownQueueError: there is no such queue.
            PayloadError: requests are invalid, every one of them is named; nothing was enqueued.
            IdempotencyConflictError: a key was used for other content; nothing was enqueued.
            IdempotencyBusyError, RedisUnavailableError, StoreError: nothing stays enqueued.
        """
        name = known_queue(queue)
        plans = _plan(name, [requests] if isinstance(requests, JobRequest) else requests)
        connection = connection_of(self._connection, name)
        with claimed(connection, plans, undo=partial(self._withdraw, connection)) as claims:
            now, arrival = reserve_arrivals(connection, name, len(claims.fresh))
            specs = [plan.spec(now, arrival + position) for position, plan in enumerate(claims.fresh)]
            with self._recorded(connection, name, specs, now):
                self._queues.add(name, specs)
        return tuple(_submitted(plan, claims.job_of(plan)) for plan in plans)

    @contextmanager
    def _recorded(self, connection: Redis, queue: str, specs: Sequence[JobSpec], now: datetime) -> Iterator[None]:
        """Write the jobs that have an idempotency key to the ledger; the block enqueues all of them."""
        keyed = [spec for spec in specs if spec.claim is not None]
        if self._store is None or not keyed:
            yield
            return
        with under_way(connection, keyed[-1].job_id):
            self._store.save(ledger_entries(queue, keyed, now, instance=self._instance))
            yield

    def _withdraw(self, connection: Redis, job_ids: Sequence[str]) -> str | None:
        if (store := self._store) is None:
            return None
        return withdraw_rows(connection, job_ids, lambda: store.ledger.remove(job_ids))


@dataclass(frozen=True, kw_only=True)
class PlannedJob:
    """A valid request with the id of its job."""

    job_id: str
    queue: str
    data: BaseModel
    request: JobRequest

    @cached_property
    def claim(self) -> IdempotencyClaim | None:
        """The idempotency claim that the job needs, if its request has a key."""
        name, key = self.request.name, self.request.idempotency_key
        if key is None:
            return None
        claimed_key = claim_key(key, self.queue)
        return IdempotencyClaim(job_id=self.job_id, key=claimed_key, digest=self._digest, label=name or key)

    def spec(self, now: datetime, arrival_us: int) -> JobSpec:
        """Return the job to enqueue, submitted now."""
        request, claim = self.request, self.claim
        return JobSpec(
            job_id=self.job_id,
            data=self.data,
            name=request.name,
            priority=request.priority,
            attempts=request.attempts,
            backoff=request.backoff,
            timeout_s=request.timeout_s,
            due=due_at(request, now),
            limit_keys=request.limit_keys,
            claim=claim.for_enqueue if claim else None,
            metadata=self._metadata,
            arrival_us=arrival_us,
        )

    @property
    def _digest(self) -> str:
        """Of the content of the job; its start time is not part of it."""
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

    @property
    def _metadata(self) -> dict[str, Any]:
        """In a form that JSON and Postgres can store."""
        sanitized: dict[str, Any] = sanitize(dict(self.request.metadata))
        return sanitized


def _plan(queue: str, requests: Sequence[JobRequest]) -> list[PlannedJob]:
    if queue == QueueName.TEST_EXECUTION:
        raise InputError(f"Jobs of {queue} are runs, with rows in the database: submit them with `JobProducer`.")
    check_number(requests, MAX_JOBS_AT_ONCE)
    spec = catalogue().queues[queue]
    plans: list[PlannedJob] = []
    problems: list[str] = []
    for number, request in enumerate(requests, start=1):
        found = [*timing_problems(request), *_job_problems(request)]
        try:
            data = _payload(spec, request.data)
        except PayloadError as error:
            found += error.problems
        else:
            plans.append(PlannedJob(job_id=str(uuid4()), queue=queue, data=data, request=request))
        where = f"job {number}: " if len(requests) > 1 else ""
        problems += [f"{where}{problem}" for problem in found]
    if problems:
        raise PayloadError("\n".join(problems), tuple(problems))
    return plans


def _job_problems(request: JobRequest) -> Iterator[str]:
    if request.timeout_s is not None and not 1 <= request.timeout_s <= MAX_TIMEOUT_S:
        yield f"timeout_s is {request.timeout_s}: it should be 1 to {MAX_TIMEOUT_S}"
    if len(request.metadata) > MAX_METADATA:
        yield f"metadata has {len(request.metadata)} entries: it should have at most {MAX_METADATA}"


def _payload(spec: ExtensionSpec, data: BaseModel | Mapping[str, Any]) -> BaseModel:
    try:
        return spec.payload.model_validate(sanitize(dict(data)) if isinstance(data, Mapping) else data)
    except ValidationError as error:
        problems = tuple(map(str, problems_of(error, spec.payload)))
        raise PayloadError("\n".join(problems), problems) from None


def _submitted(plan: PlannedJob, job_id: str) -> SubmittedJob:
    return SubmittedJob(job_id=job_id, queue=plan.queue, created=job_id == plan.job_id)
