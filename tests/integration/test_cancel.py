"""Cancelling runs at every moment of their life."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from redis import Redis
from rq.job import Job, JobStatus
from rq.registry import CanceledJobRegistry, ScheduledJobRegistry
from rq.serializers import JSONSerializer

from qa_queue.errors import StoreUnavailableError
from qa_queue.models import FailureLimit, JobContext, Priority, RunStatus
from qa_queue.progress import ProgressReader
from qa_queue.queues.cancellation import (
    KEEP_S,
    CancelOutcome,
    CancelSignals,
    cancel_runs,
    request_cancel,
)
from qa_queue.queues.dequeue import ReservedJob, acknowledge, dequeue
from qa_queue.queues.keys import QueueKeys, signal_key
from qa_queue.store.memory import MemoryStore
from tests.support.queueing import QUEUE, add, add_specs, job_spec, manager, take_all, waiting
from tests.support.records import case_record, run_record

KEYS = QueueKeys(QUEUE)


class Flaky(MemoryStore):
    """Fails the first change of a run."""

    failed = False

    def update_run(self, run_id: str, **fields: Any) -> bool:
        """Fail once."""
        if not self.failed:
            self.failed = True
            raise StoreUnavailableError("away")
        return super().update_run(run_id, **fields)


def stored(connection: Redis, job_id: str) -> Job:
    return Job.fetch(job_id, connection=connection, serializer=JSONSerializer)


def cancel(connection: Redis, run_id: str) -> CancelOutcome:
    return request_cancel(connection, [run_id])[run_id]


def signalled(connection: Redis, run_id: str) -> bool:
    return CancelSignals(connection).requested(run_id)


def take(connection: Redis) -> ReservedJob:
    taken = dequeue(connection, [QUEUE], None)
    assert taken is not None
    return taken


@pytest.mark.parametrize("priority", Priority)
def test_a_waiting_run_leaves_its_queue_and_never_starts(redis_db: Redis, priority: Priority) -> None:
    add(redis_db, "r", priority)
    add(redis_db, "other")
    assert cancel(redis_db, "r") is CancelOutcome.REMOVED
    assert waiting(redis_db) == ["other"]
    assert redis_db.zrange(KEYS.scores, 0, -1) == [b"other"]
    assert stored(redis_db, "r").get_status() == JobStatus.CANCELED
    assert not signalled(redis_db, "r")
    assert take_all(redis_db) == ["other"]


def test_a_run_that_waits_for_its_next_attempt_is_removed(redis_db: Redis) -> None:
    add(redis_db, "r")
    acknowledge(redis_db, take(redis_db))
    job = stored(redis_db, "r")
    job.set_status(JobStatus.SCHEDULED)
    registry = ScheduledJobRegistry(QUEUE, connection=redis_db)
    registry.schedule(job, datetime(2099, 1, 1, tzinfo=UTC))
    assert cancel(redis_db, "r") is CancelOutcome.REMOVED
    assert registry.get_job_count(cleanup=False) == 0


def test_a_run_that_a_worker_took_and_has_not_started_is_signalled(redis_db: Redis) -> None:
    add(redis_db, "r")
    take(redis_db)
    assert cancel(redis_db, "r") is CancelOutcome.SIGNALLED
    assert signalled(redis_db, "r")
    assert redis_db.lrange(KEYS.intermediate, 0, -1) == [b"r"]  # the worker's to clear


def test_a_running_run_is_signalled_for_a_day(redis_db: Redis) -> None:
    add(redis_db, "r")
    acknowledge(redis_db, take(redis_db))
    stored(redis_db, "r").set_status(JobStatus.STARTED)
    assert not signalled(redis_db, "r")
    assert cancel(redis_db, "r") is CancelOutcome.SIGNALLED
    assert signalled(redis_db, "r")
    assert not signalled(redis_db, "another")
    assert 0 < redis_db.ttl(signal_key("r")) <= KEEP_S


@pytest.mark.parametrize("status", [JobStatus.FINISHED, JobStatus.FAILED, JobStatus.STOPPED, JobStatus.CANCELED])
def test_a_run_that_has_ended_stays_as_it_is(redis_db: Redis, status: JobStatus) -> None:
    add(redis_db, "r")
    acknowledge(redis_db, take(redis_db))
    stored(redis_db, "r").set_status(status)
    assert cancel(redis_db, "r") is CancelOutcome.ALREADY_FINISHED
    assert not signalled(redis_db, "r")
    assert stored(redis_db, "r").get_status() == status


def test_a_run_without_a_job_is_unknown_and_leaves_no_trace(redis_db: Redis) -> None:
    assert cancel(redis_db, "never-was") is CancelOutcome.UNKNOWN
    assert list(redis_db.scan_iter()) == []


def test_a_second_request_does_no_harm(redis_db: Redis) -> None:
    add(redis_db, "r")
    assert [cancel(redis_db, "r") for _ in range(2)] == [CancelOutcome.REMOVED, CancelOutcome.ALREADY_FINISHED]


def test_a_second_request_completes_what_the_first_left(redis_db: Redis) -> None:
    """The store failed when the jobs were off their queue already."""
    case, store = case_record(), Flaky()
    runs = [run_record(case), run_record(case)]
    store.save([case, *runs])
    for run in runs:
        add(redis_db, run.id)
    ids = [run.id for run in runs]
    with pytest.raises(StoreUnavailableError):
        cancel_runs(redis_db, store, ids, "enough")
    assert waiting(redis_db) == []
    cancel_runs(redis_db, store, ids, "enough")
    found = [store.get_run(run_id) for run_id in ids]
    assert [(run.status, run.error) for run in found if run] == [(RunStatus.CANCELLED, "enough")] * 2


def test_many_runs_are_cancelled_in_one_request(redis_db: Redis) -> None:
    add(redis_db, "taken")
    take(redis_db)
    add(redis_db, "waits")
    outcomes = request_cancel(redis_db, ["waits", "taken", "unknown"])
    assert outcomes == {
        "waits": CancelOutcome.REMOVED,
        "taken": CancelOutcome.SIGNALLED,
        "unknown": CancelOutcome.UNKNOWN,
    }


def test_followers_of_a_removed_run_see_its_end(redis_db: Redis) -> None:
    """No processor will ever report for it."""
    add(redis_db, "r")
    cancel(redis_db, "r")
    events = list(ProgressReader(redis_db).follow("r", timeout=5))
    assert [event.progress.status for event in events] == [RunStatus.CANCELLED]


def test_the_end_of_a_signalled_run_is_left_to_its_worker(redis_db: Redis) -> None:
    add(redis_db, "r")
    take(redis_db)
    cancel(redis_db, "r")
    assert ProgressReader(redis_db).latest(["r"]) == {}


def test_a_request_that_was_acted_on_can_be_cleared(redis_db: Redis) -> None:
    add(redis_db, "r")
    take(redis_db)
    cancel(redis_db, "r")
    CancelSignals(redis_db).clear("r")
    assert not signalled(redis_db, "r")


def test_an_attempt_that_rq_no_longer_lists_was_taken_over(redis_db: Redis) -> None:
    """The worker that takes it over removes its entry. Attempts of RQ's own workers have none."""
    context = JobContext(job_id="r", queue=QUEUE, execution="r:1")
    signals = CancelSignals(redis_db)
    redis_db.zadd(KEYS.started, {"r:1": 1})
    assert not signals.taken_over(context)
    redis_db.zrem(KEYS.started, "r:1")
    assert signals.taken_over(context)
    assert not signals.taken_over(JobContext(job_id="r", queue=QUEUE))


def test_failures_of_a_batch_are_counted_once_for_each_run_and_not_for_itself(redis_db: Redis) -> None:
    signals, limit = CancelSignals(redis_db), FailureLimit(batch_id="b", most=2)
    for run_id in ("one", "one", "two"):
        assert not signals.limit_reached("three", limit)
        signals.add_failure(run_id, limit)
    assert signals.limit_reached("three", limit)
    assert not signals.limit_reached("one", limit)
    assert not signals.limit_reached("three", FailureLimit(batch_id="another", most=1))
    assert 0 < redis_db.ttl("qa:failures:b") <= KEEP_S


def test_cancelled_jobs_are_shown_for_a_day_and_then_forgotten(redis_db: Redis) -> None:
    """RQ itself keeps their ids forever."""
    registry = CanceledJobRegistry(QUEUE, connection=redis_db)
    redis_db.zadd(registry.key, {"the day before yesterday": 1})
    add(redis_db, "r")
    cancel(redis_db, "r")
    assert registry.get_job_ids(cleanup=False) == ["r"]
    assert 0 < redis_db.ttl("rq:job:r") <= KEEP_S
    assert manager(redis_db).get_queue_stats(QUEUE)[QUEUE].cancelled == 1


def test_of_a_worker_and_a_cancel_at_the_same_moment_exactly_one_has_the_run(redis_db: Redis) -> None:
    """Every run is either removed and never taken, or taken and told."""
    run_ids = [f"r{n}" for n in range(200)]
    add_specs(redis_db, *map(job_spec, run_ids))
    taken: list[str] = []
    outcomes: dict[str, CancelOutcome] = {}

    def cancel_all() -> None:
        for run_id in run_ids:
            outcomes[run_id] = cancel(redis_db, run_id)

    threads = [
        threading.Thread(target=lambda: taken.extend(take_all(redis_db))),
        threading.Thread(target=cancel_all),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    removed = {run_id for run_id, outcome in outcomes.items() if outcome is CancelOutcome.REMOVED}
    assert removed | set(taken) == set(run_ids)
    assert not removed & set(taken)
    assert all(signalled(redis_db, run_id) for run_id in taken)
