"""Taking a submission back that Redis may have taken in part, and saying what is wrong with Redis.

The order in which a submission happens, and how it is undone when a part of it fails.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar
from uuid import UUID, uuid4

from redis import Redis
from redis.exceptions import RedisError

from qa_queue.errors import InputError, RedisUnavailableError, StoreError
from qa_queue.models import CleanupJobData, LearningJobData, QueueName, utc_now
from qa_queue.producer.idempotency import IdempotencyClaim, claim, release
from qa_queue.producer.planning import PlannedRun, case_records, distinct_cases, job_request, run_record
from qa_queue.producer.requests import RunRequest, SubmittedBatch, SubmittedRun
from qa_queue.producer.validation import check_number, check_requests, expanded
from qa_queue.queues import MAX_JOBS_AT_ONCE, QueueManager
from qa_queue.queues.cancellation import request_cancel
from qa_queue.redis import address_of, connection_of, explain
from qa_queue.settings import Settings
from qa_queue.store.protocol import RunStore

log = logging.getLogger(__name__)


def forget(connection: Redis, job_ids: Sequence[str], claims: Mapping[str, str]) -> None:
    """Have Redis forget these jobs and `{job id: claim key}`: it may have taken them though its answer was lost.

    What it refuses is logged, for the first error counts.
    """
    try:
        request_cancel(connection, job_ids)
        release(connection, claims)
    except RedisError as error:
        log.warning("Redis could not be asked to forget %d jobs: %s", len(job_ids), error)


@contextmanager
def explained(connection: Redis) -> Iterator[None]:
    """Raise what Redis fails with as `RedisUnavailableError`."""
    try:
        yield
    except RedisError as error:
        raise RedisUnavailableError(explain(error, address_of(connection))) from error


log = logging.getLogger(__name__)

ROWS_AT_ONCE = 500
T = TypeVar("T")


class JobProducer:
    """Puts work on the queues and its rows in the store."""

    def __init__(self, connection: Redis, store: RunStore, settings: Settings) -> None:
        self._main = connection
        self._connection = connection_of(connection, QueueName.TEST_EXECUTION)
        self._store = store
        self._queues = QueueManager(connection, settings)

    def submit(self, requests: RunRequest | Sequence[RunRequest]) -> tuple[SubmittedRun, ...]:
        """Submit runs, in the order given; one that is repeated as often as it is.

        A request whose idempotency key was used for the same case, until 24 h after the end of that run, gets that
        run and starts none.

        Raises:
            InputError: requests cannot be used, every one of them is named; nothing was written.
            IdempotencyConflictError: a key was used for something else; nothing was written.
            IdempotencyBusyError, RedisUnavailableError, StoreError: nothing stays enqueued, and no row of a run is
                left.
        """
        plans = _planned([requests] if isinstance(requests, RunRequest) else requests)
        with explained(self._connection):
            self._connection.ping()
            wanted = [plan.wanted for plan in plans if plan.wanted is not None]
            holders = self._claim(wanted)
            fresh = [plan for plan in plans if holders.get(plan.run_id, plan.run_id) == plan.run_id]
            try:
                self._record(fresh)
                now = utc_now()
                self._queues.add_test_jobs([job_request(plan, now) for plan in fresh])
            except BaseException:
                self._undo(fresh, {one.run_id: one.key for one in wanted})
                raise
        return tuple(_submitted(plan, holders.get(plan.run_id, plan.run_id)) for plan in plans)

    def submit_batch(self, requests: Sequence[RunRequest], batch_id: str | None = None) -> SubmittedBatch:
        """Submit runs as one batch, under an id of the caller's (a UUID) or a new one; as `submit` in all else.

        A run that its idempotency key gives back stays in the batch that it was submitted with.
        """
        batch_id = str(uuid4()) if batch_id is None else _uuid(batch_id)
        runs = self.submit([replace(request, batch_id=batch_id) for request in requests])
        return SubmittedBatch(id=batch_id, runs=runs)

    def submit_cleanup(self, data: CleanupJobData) -> str:
        """Put a clean-up on its queue; returns the job's id.

        Raises:
            RedisUnavailableError: nothing was enqueued.
        """
        with explained(connection_of(self._main, QueueName.CLEANUP)):
            return self._queues.add_cleanup_job(data).id

    def submit_learning(self, data: LearningJobData) -> str:
        """Put a learning job on its queue; returns the job's id.

        Raises:
            RedisUnavailableError: nothing was enqueued.
        """
        with explained(connection_of(self._main, QueueName.ADAPTATION_LEARNING)):
            return self._queues.add_learning_job(data).id

    def _claim(self, wanted: Sequence[IdempotencyClaim]) -> dict[str, str]:
        """The run that holds each claim; a claim of a run that was deleted since, with its case, is free again."""
        holders = claim(self._connection, wanted)
        given_back = {one.key: holders[one.run_id] for one in wanted if holders[one.run_id] != one.run_id}
        if not given_back:
            return holders
        there = self._store.existing_runs(sorted(set(given_back.values())))
        lost = {run_id: key for key, run_id in given_back.items() if run_id not in there}
        if not lost:
            return holders
        release(self._connection, lost)
        return claim(self._connection, wanted)

    def _record(self, plans: Sequence[PlannedRun]) -> None:
        cases = distinct_cases(plans)
        saved = [row for batch in _batches(cases) for row in self._store.save_cases(batch)]
        versions = {case.id: case.version for case in saved}
        queued_at = utc_now()
        for batch in _batches([run_record(plan, versions, queued_at) for plan in plans]):
            self._store.save(batch)

    def _undo(self, plans: Sequence[PlannedRun], claims: Mapping[str, str]) -> None:
        """Take back what may have been done; what cannot be taken back is logged, for the first error counts."""
        run_ids = [plan.run_id for plan in plans]
        forget(self._connection, run_ids, claims)
        try:
            self._store.delete_runs(run_ids)
        except StoreError as error:
            log.warning("The rows of %d runs that were not enqueued may be left as queued: %s", len(run_ids), error)


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise InputError(f"{text!r} cannot be a batch's id: give a UUID, or none for a new one.") from None


def _planned(requests: Sequence[RunRequest]) -> list[PlannedRun]:
    check_number(requests, MAX_JOBS_AT_ONCE)
    found = zip(requests, check_requests(requests), strict=True)
    repeats = [(one, env) for request, env in found for one in expanded(request)]
    check_number([one for one, _ in repeats], MAX_JOBS_AT_ONCE)
    records = case_records([one for one, _ in repeats])
    plans = [
        PlannedRun(run_id=str(uuid4()), request=one, case=record, env=env)
        for (one, env), record in zip(repeats, records, strict=True)
    ]
    distinct_cases(plans)
    return plans


def _submitted(plan: PlannedRun, run_id: str) -> SubmittedRun:
    return SubmittedRun(
        run_id=run_id, job_id=run_id, case_name=plan.request.case.name, created=run_id == plan.run_id
    )


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[at : at + ROWS_AT_ONCE] for at in range(0, len(items), ROWS_AT_ONCE))
