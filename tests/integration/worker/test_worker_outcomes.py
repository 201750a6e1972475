"""The outcome of a job reaches the database, whichever process dies and whatever answer is lost."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis
from rq import Worker
from rq.defaults import DEFAULT_FAILURE_TTL
from rq.job import Job
from rq.serializers import JSONSerializer

from qa_queue.errors import InfrastructureError
from qa_queue.models.outcomes import FailureKind
from qa_queue.queues import QueueManager
from qa_queue.queues.cancellation import CancelSignals
from qa_queue.queues.dequeue import dequeue, release
from qa_queue.queues.priority_queue import PriorityQueue
from qa_queue.queues.reconciliation import unstored_records
from qa_queue.redis import RedisClient
from qa_queue.settings import load_settings
from qa_queue.worker.bookkeeping import Bookkeeping
from qa_queue.worker.executions import EndedJob, close_failed, close_finished, close_retried, open_execution
from qa_queue.worker.fencing import ExecutionLostError
from qa_queue.worker.ipc import Abandon, ChildFailure, Release, encode
from qa_queue.worker.stalled_jobs import UnstoredOutcomes
from qa_queue.worker.verdicts import FailJob
from tests.support.clocks import clock_off
from tests.support.poll import wait_until
from tests.support.queueing import snapshot
from tests.support.workers import QUEUE, ended, enqueue, opened

FAILURE = ChildFailure(kind=FailureKind.INFRASTRUCTURE, message="the browser died")


def abandoned(redis: Redis) -> list[dict[str, Any]]:
    return [json.loads(entry) for entry in redis.lrange("abandoned", 0, -1)]


def test_the_end_of_a_job_is_stored_though_the_answer_to_its_closing_was_lost(redis_db: Redis) -> None:
    """The second try finds the execution closed; the outcome was written by the first, in the same transaction."""
    worker, active = opened(redis_db, enqueue(redis_db, "echo"))
    record = Abandon(id=active.id, context=active.context, failure=FAILURE)
    close_failed(worker, active, FAILURE, stopped=False, record=record)
    with pytest.raises(ExecutionLostError):
        close_failed(worker, active, FAILURE, stopped=False, record=record)
    assert unstored_records(redis_db, QUEUE) == {active.job.id: encode(record)}
    outcomes = UnstoredOutcomes(redis_db, [QUEUE])
    now = time.monotonic()
    assert outcomes.due(now, []) == []
    assert outcomes.due(now + 5, []) == [record]
    assert outcomes.due(now + 6, [active.job.id]) == []
    outcomes.forget([record])
    assert outcomes.due(now + 7, []) == []


def test_a_retry_that_another_worker_overtakes_changes_nothing(
    redis_db: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even the job's status, which RQ writes beside the transaction where the retry is delayed."""
    worker, active = opened(redis_db, enqueue(redis_db, "echo", attempts=2, interval=30))
    other = replace(active, job=Job.fetch(active.job.id, connection=redis_db, serializer=JSONSerializer))
    interval = Job.get_retry_interval

    def overtaken(job: Job) -> int:
        monkeypatch.setattr(Job, "get_retry_interval", interval)
        close_finished(worker, other, {"status": "completed"})
        return interval(job)

    monkeypatch.setattr(Job, "get_retry_interval", overtaken)
    with pytest.raises(ExecutionLostError):
        close_retried(worker, active, FAILURE, at_once=False, record=None)
    assert other.job.get_status(refresh=True).value == "finished"
    assert redis_db.zcard(f"rq:scheduled:{QUEUE}") == 0


def test_an_outcome_that_a_later_one_has_replaced_is_not_forgotten(redis_db: Redis) -> None:
    """Only the one that was stored is forgotten; an entry that cannot be read is dropped."""
    _, active = opened(redis_db, enqueue(redis_db, "echo"))
    first = Release(id="first", context=active.context)
    later = Abandon(id="later", context=active.context, failure=FAILURE)
    key = f"qa:unrecorded:{QUEUE}"
    redis_db.hset(key, mapping={active.job.id: encode(later), "odd": "not JSON"})
    outcomes = UnstoredOutcomes(redis_db, [QUEUE])
    outcomes.forget([first])
    now = time.monotonic()
    assert outcomes.due(now, []) == []
    assert outcomes.due(now + 5, []) == [later]
    assert redis_db.hkeys(key) == [active.job.id.encode()]


def test_an_outcome_that_could_not_be_stored_is_stored_later(redis_db, start_worker) -> None:
    """The outbox is full when the job dies; the record is repeated until it is taken, then forgotten."""
    redis_db.set("store:full", 1)
    worker = start_worker()
    job = enqueue(redis_db, "refuses")
    assert ended(job, 30) == "failed"
    worker.says("could not be recorded yet: the outbox is full")
    assert abandoned(redis_db) == []
    redis_db.delete("store:full")
    wait_until(lambda: abandoned(redis_db), timeout=30, what="the record of the end")
    assert abandoned(redis_db)[0]["job"] == job.id
    wait_until(lambda: not unstored_records(redis_db, QUEUE), what="the record to be forgotten")


def test_another_worker_stores_the_outcome_of_a_worker_that_died(redis_db, start_worker) -> None:
    """The first one was killed after it had closed the job, before the outcome was stored."""
    redis_db.set("store:full", 1)
    first = start_worker()
    job = enqueue(redis_db, "refuses")
    assert ended(job, 30) == "failed"
    first.says("could not be recorded yet")
    first.kill()
    redis_db.delete("store:full")
    start_worker()
    wait_until(lambda: abandoned(redis_db), timeout=30, what="the record of the end")
    assert [entry["job"] for entry in abandoned(redis_db)] == [job.id]


def test_a_run_whose_row_has_ended_is_not_a_dead_letter(redis_db, start_worker) -> None:
    """Its process died between storing the end and reporting it, on the last attempt."""
    job = enqueue(redis_db, "killer", {"good": 9})
    redis_db.set(f"result:{job.id}", json.dumps({"status": "completed"}))
    start_worker()
    assert ended(job, 30) == "finished"
    assert job.return_value() == {"status": "completed"}
    assert abandoned(redis_db) == []


def test_a_cancellation_check_survives_an_outage(redis_url) -> None:
    """It says that Redis is unavailable, an error after which a run continues and checks again."""
    settings = load_settings(redis_url=redis_url)
    connection = RedisClient(settings).connect()
    connection.connection_pool.connection_kwargs["port"] = 1
    connection.connection_pool.disconnect()
    with pytest.raises(InfrastructureError):
        CancelSignals(connection).requested("some-run")


def test_a_failed_job_keeps_its_outcome_until_it_is_stored(redis_db: Redis) -> None:
    """Bookkeeping passes the same record to the transaction and to the child."""
    worker, active = opened(redis_db, enqueue(redis_db, "echo"))
    books = Bookkeeping(worker, QueueManager(redis_db, load_settings()), {})
    (closed,) = books.close([EndedJob(active=active, verdict=FailJob(failure=FAILURE))])
    assert closed.request is not None
    assert unstored_records(redis_db, QUEUE) == {active.job.id: encode(closed.request)}


def test_a_job_that_was_released_meanwhile_is_not_started(redis_db: Redis) -> None:
    """A worker was frozen between its check and its registration; another one may have the job."""
    job = enqueue(redis_db, "echo")
    worker = Worker([PriorityQueue(QUEUE, connection=redis_db)], connection=redis_db, serializer=JSONSerializer)
    reserved = dequeue(redis_db, [QUEUE], None)
    assert reserved is not None
    assert release(redis_db, reserved)
    before = snapshot(redis_db)
    assert open_execution(worker, reserved, suspect=False) is None
    assert snapshot(redis_db) == before
    assert job.get_status(refresh=True).value == "queued"


@pytest.mark.parametrize("ahead", [0, 60, 8 * 24 * 3600])
def test_rqs_clean_up_does_not_reach_a_job_that_runs(redis_db: Redis, ahead: int) -> None:
    """`rq info` cleans registries as it reads, with the clock of its machine."""
    _, active = opened(redis_db, enqueue(redis_db, "echo", attempts=3))
    registry = active.job.started_job_registry
    registry.cleanup(time.time() + 20 + ahead)
    assert registry.get_job_count(cleanup=False) == 1
    assert active.job.get_status(refresh=True).value == "started"


def test_a_worker_whose_clock_is_days_ahead_ends_nothing_early(redis_db, start_worker) -> None:
    """Dead letters stay, a delayed job waits, and a job that it fails expires when RQ would have it expire."""
    old = enqueue(redis_db, "refuses")
    start_worker("--burst").wait(60)
    assert ended(old) == "failed"
    later = PriorityQueue(QUEUE, connection=redis_db).enqueue_in(
        timedelta(hours=1), "jobs.echo", kwargs={"data": {}}
    )
    worker = start_worker(**clock_off(8 * 24 * 3600))
    new = enqueue(redis_db, "refuses")
    assert ended(new, 60) == "failed"
    scores = dict(redis_db.zrange(f"rq:failed:{QUEUE}", 0, -1, withscores=True))
    year = time.time() + DEFAULT_FAILURE_TTL
    assert set(scores) == {old.id.encode(), new.id.encode()}
    assert scores[new.id.encode()] == pytest.approx(year, abs=60)
    assert later.get_status(refresh=True).value == "scheduled"
    assert worker.running
