"""Submitting runs: validated first, then recorded in the store, then enqueued; all of them or none."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from threading import Event
from typing import TypeVar
from uuid import UUID, uuid4

from redis import Redis
from redis.exceptions import RedisError

from qa_queue.errors import InputError, StoreError
from qa_queue.models import CleanupJobData, LearningJobData, QueueName, utc_now
from qa_queue.producer.idempotency import claimed, under_way, withdraw_rows
from qa_queue.producer.planning import (
    PlannedRun,
    case_records,
    distinct_cases,
    ledger_entries,
    run_records,
    run_spec,
)
from qa_queue.producer.requests import RunRequest, SubmittedBatch, SubmittedRun
from qa_queue.producer.validation import check_number, check_requests, expanded
from qa_queue.queues import MAX_JOBS_AT_ONCE, QueueManager
from qa_queue.queues.enqueue import reserve_arrivals
from qa_queue.queues.jobs import JobSpec
from qa_queue.redis import connection_of, explained
from qa_queue.settings import Settings
from qa_queue.store.ledger import LedgerEntry
from qa_queue.store.protocol import RunStore

log = logging.getLogger(__name__)

ROWS_AT_ONCE = 500
T = TypeVar("T")


class JobProducer:
    """Submits runs, with their rows in the store, and the service's own cleanup and learning jobs."""

    def __init__(self, connection: Redis, store: RunStore, settings: Settings) -> None:
        self._main = connection
        self._connection = connection_of(connection, QueueName.TEST_EXECUTION)
        self._store = store
        self._queues = QueueManager(connection, settings)
        self._instance = settings.qa_instance

    def submit(self, requests: RunRequest | Sequence[RunRequest]) -> tuple[SubmittedRun, ...]:
        """Submit runs in the order given, a repeated request as the number of runs that it asks for.

        A request whose idempotency key was used for the same case, until 24 h after the end of that run, returns
        that run and starts none.

        Raises:
            InputError: requests are invalid, every one of them is named; nothing was written.
            IdempotencyConflictError: a key was used for other content; nothing was written.
            IdempotencyBusyError, RedisUnavailableError, StoreError: no job stays enqueued, and no row of a run
                stays in the store.
        """
        plans = _plan([requests] if isinstance(requests, RunRequest) else requests)
        recording = Event()  # set once there may be something to undo
        undo = partial(self._delete_rows, recording)
        with claimed(self._connection, plans, existing=self._store.existing_runs, undo=undo) as claims:
            now, arrival = reserve_arrivals(self._connection, QueueName.TEST_EXECUTION, len(claims.fresh))
            specs = [run_spec(plan, now, arrival + position) for position, plan in enumerate(claims.fresh)]
            entries = ledger_entries(QueueName.TEST_EXECUTION, specs, now, instance=self._instance)
            if specs:
                with under_way(self._connection, specs[-1].job_id):
                    versions = self._save_cases(claims.fresh)
                    recording.set()
                    self._record(claims.fresh, versions, entries)
                    self._enqueue(specs)
        return tuple(_submitted(plan, claims.job_of(plan)) for plan in plans)

    def submit_batch(self, requests: Sequence[RunRequest], batch_id: str | None = None) -> SubmittedBatch:
        """Submit runs as one batch, under an id of the caller's (a UUID) or a new one; otherwise as `submit`.

        A run that an idempotency key returns stays in the batch that it was submitted with.
        """
        batch_id = str(uuid4()) if batch_id is None else _uuid(batch_id)
        runs = self.submit([replace(request, batch_id=batch_id) for request in requests])
        return SubmittedBatch(id=batch_id, runs=runs)

    def submit_cleanup(self, data: CleanupJobData) -> str:
        """Enqueue a cleanup; return the job's id.

        Raises:
            RedisUnavailableError: nothing was enqueued.
        """
        with explained(connection_of(self._main, QueueName.CLEANUP)):
            return self._queues.add_cleanup_job(data).id

    def submit_learning(self, data: LearningJobData) -> str:
        """Enqueue a learning job; return the job's id.

        Raises:
            RedisUnavailableError: nothing was enqueued.
        """
        with explained(connection_of(self._main, QueueName.ADAPTATION_LEARNING)):
            return self._queues.add_learning_job(data).id

    def _save_cases(self, plans: Sequence[PlannedRun]) -> dict[str, int]:
        """Save the cases of runs; return their versions by id."""
        saved = [row for chunk in _chunks(distinct_cases(plans)) for row in self._store.save_cases(chunk)]
        return {case.id: case.version for case in saved}

    def _record(
        self, plans: Sequence[PlannedRun], versions: Mapping[str, int], entries: Sequence[LedgerEntry]
    ) -> None:
        """Write the ledger's entries first: a submission is complete once each of them has the row of its run."""
        for entries_chunk in _chunks(entries):
            self._store.save(entries_chunk)
        for chunk in _chunks(run_records(plans, versions, utc_now())):
            self._store.save(chunk)

    def _enqueue(self, specs: Sequence[JobSpec]) -> None:
        """Enqueue the runs: one step in Redis, whose answer may be lost.

        A run that has begun is an answer too: all of them were enqueued, and the reconciler enqueues those again
        that Redis has lost since.
        """
        try:
            self._queues.add(QueueName.TEST_EXECUTION, specs)
        except RedisError as error:
            if not self._begun([spec.job_id for spec in specs]):
                raise
            log.warning("Redis failed after it had enqueued runs, of which some have begun: %s", error)

    def _begun(self, run_ids: Sequence[str]) -> bool:
        """Return whether any of these runs has begun, as far as the store can say."""
        try:
            return bool(self._store.existing_runs(run_ids, begun=True))
        except StoreError:
            return False

    def _delete_rows(self, recording: Event, run_ids: Sequence[str]) -> str | None:
        """Delete the rows of a failed submission; return a note if some may be left.

        The ledger's entries go first: without them, no run of the submission is enqueued again.
        """

        def delete() -> None:
            self._store.ledger.remove(run_ids)
            self._store.delete_runs(run_ids)

        return withdraw_rows(self._connection, run_ids, delete if recording.is_set() else _nothing)


def _nothing() -> None:
    """There is nothing to delete."""


def _plan(requests: Sequence[RunRequest]) -> list[PlannedRun]:
    check_number(requests, MAX_JOBS_AT_ONCE)
    environments = zip(requests, check_requests(requests), strict=True)
    repeats = [(one, env) for request, env in environments for one in expanded(request)]
    check_number([one for one, _ in repeats], MAX_JOBS_AT_ONCE)
    records = case_records([one for one, _ in repeats])
    plans = [
        PlannedRun(run_id=str(uuid4()), request=one, case=record, env=env)
        for (one, env), record in zip(repeats, records, strict=True)
    ]
    distinct_cases(plans)
    return plans


def _submitted(plan: PlannedRun, run_id: str) -> SubmittedRun:
    return SubmittedRun(run_id=run_id, job_id=run_id, case_name=plan.request.title, created=run_id == plan.run_id)


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise InputError(f"{text!r} cannot be a batch's id: give a UUID, or none for a new one.") from None


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[at : at + ROWS_AT_ONCE] for at in range(0, len(items), ROWS_AT_ONCE))
