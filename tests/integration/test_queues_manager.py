"""Jobs on real queues: what stands in Redis, what is refused, what stats and trimming do."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry
from rq import Queue
from rq.job import Job, JobStatus
from rq.registry import CanceledJobRegistry, FailedJobRegistry, FinishedJobRegistry
from rq.results import Result
from rq.serializers import JSONSerializer
from rq.utils import import_attribute
from rq.worker import BaseWorker

from qa_queue.errors import InputError, UnknownQueueError
from qa_queue.models import CleanupJobData, LearningJobData, Priority, QueueName, TestConfig
from qa_queue.queues import WORKER_CLASS, QueueStats
from qa_queue.queues.cancellation import request_cancel
from qa_queue.queues.dequeue import dequeue
from qa_queue.queues.enqueue import EnqueueConflict, enqueue_all
from qa_queue.queues.jobs import FAILURE_TTL_S, RESULT_TTL_S, START_ALLOWANCE_S
from tests.support.queueing import QUEUE, add, add_specs, job_data, job_spec, manager, snapshot, waiting

EMPTY = {"waiting": 0, "processing": 0, "delayed": 0, "completed": 0, "failed": 0, "cancelled": 0, "workers": 0}


def stored(connection: Redis, job_id: str) -> Job:
    return Job.fetch(job_id, connection=connection, serializer=JSONSerializer)


def end(connection: Redis, job_id: str, *, failed: bool = False) -> None:
    """Let a waiting job end as RQ's workers do."""
    job = stored(connection, job_id)
    connection.lrem(f"rq:queue:{QUEUE}", 1, job_id)
    with connection.pipeline() as pipeline:
        if failed:
            job.set_status(JobStatus.FAILED, pipeline=pipeline)
            job._handle_failure("it broke", pipeline)
        else:
            job._result = {}
            job._handle_success(RESULT_TTL_S, pipeline)
            job.cleanup(RESULT_TTL_S, pipeline=pipeline, remove_from_queue=False)
        pipeline.execute()


def stats(connection: Redis) -> QueueStats:
    return manager(connection).get_queue_stats(QUEUE)[QUEUE]


def test_a_queue_carries_json_and_goes_by_its_name(redis_db: Redis) -> None:
    for name in QueueName:
        queue = manager(redis_db).get_queue(name)
        assert (queue.name, queue.serializer) == (str(name), JSONSerializer)


def test_an_unknown_queue_is_refused_with_the_known_ones_and_the_nearest(redis_db: Redis) -> None:
    with pytest.raises(UnknownQueueError) as caught:
        manager(redis_db).get_queue("test-exekution")
    message = str(caught.value)
    assert "'test-exekution'" in message
    assert "Did you mean test-execution?" in message
    assert "cleanup, adaptation-learning" in message


def test_a_run_becomes_a_job_that_rq_can_read(redis_db: Redis) -> None:
    data = job_data("run-1", env={"USER": "ann"}, config=TestConfig(timeout=5000))
    manager(redis_db).add_test_job(data, name="Order a coffee", priority=Priority.HIGH, retries=1)
    job = stored(redis_db, "run-1")
    assert job.func_name == "processors.entry.execute_run"
    assert job.kwargs == {"data": data.model_dump(mode="json")}
    assert (job.origin, job.get_status(), job.description) == (QUEUE, JobStatus.QUEUED, "Order a coffee")
    assert (job.timeout, job.result_ttl, job.failure_ttl) == (10 + START_ALLOWANCE_S, RESULT_TTL_S, FAILURE_TTL_S)
    assert job.meta == {"priority": "high", "max_attempts": 3}
    assert job.enqueued_at is not None
    assert [queue.name for queue in Queue.all(connection=redis_db)] == [QUEUE]


def test_the_payload_is_json_and_no_pickle(redis_db: Redis) -> None:
    add(redis_db, "run-1")
    function, _, _, kwargs = json.loads(stored(redis_db, "run-1").data)
    assert function == "processors.entry.execute_run"
    assert kwargs["data"]["test_run_id"] == "run-1"


@pytest.mark.parametrize(("attempts", "retries"), [(1, None), (2, 1), (5, 4)])
def test_max_attempts_become_retries_with_growing_delays(
    redis_db: Redis, attempts: int, retries: int | None
) -> None:
    manager(redis_db, queue_max_attempts=attempts).add_test_job(job_data("run-1"))
    job = stored(redis_db, "run-1")
    assert job.retries_left == retries
    assert len(job.retry_intervals or []) == attempts - 1
    assert all(1 <= delay <= 300 for delay in job.retry_intervals or [])


def test_what_rq_dashboard_shows_of_a_job_holds_no_markup(redis_db: Redis) -> None:
    data = job_data("run-1", user_id="<script>alert(2)</script>")
    manager(redis_db).add_test_job(data, name="<img src=x onerror=alert(1)>\nforged")
    job = stored(redis_db, "run-1")
    assert job.description == "(img src=x onerror=alert(1)) forged"
    assert "<" not in json.dumps(job.meta)


def test_an_id_that_has_a_job_is_refused_and_its_job_stays_as_it_is(redis_db: Redis) -> None:
    add(redis_db, "run-1")
    before = snapshot(redis_db)
    with pytest.raises(InputError, match="id run-1 already"):
        manager(redis_db).add_test_job(job_data("run-1", base_url="http://other.test"))
    assert snapshot(redis_db) == before


def test_of_many_jobs_none_is_added_when_one_id_is_taken(redis_db: Redis) -> None:
    add(redis_db, "run-1")
    before = snapshot(redis_db)
    with pytest.raises(InputError):
        add_specs(redis_db, *map(job_spec, ("run-0", "run-1", "run-2")))
    assert snapshot(redis_db) == before


@pytest.mark.parametrize("ids", [["run/1"], ["a b"], [""], ["ok", "../x"], ["twice", "twice"]])
def test_ids_that_cannot_be_used_are_refused(redis_db: Redis, ids: list[str]) -> None:
    with pytest.raises(InputError):
        add_specs(redis_db, *map(job_spec, ids))
    assert list(redis_db.scan_iter()) == []


def test_of_racers_with_one_id_one_wins(redis_db: Redis) -> None:
    outcomes: list[str] = []

    def race() -> None:
        try:
            add(redis_db, "run-1")
            outcomes.append("won")
        except InputError:
            outcomes.append("lost")

    threads = [threading.Thread(target=race) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["lost"] * 19 + ["won"]
    assert waiting(redis_db) == ["run-1"]


def test_the_same_enqueue_sent_again_after_a_lost_answer_queues_once(redis_db: Redis) -> None:
    """The client sends a command again when the connection broke before its answer came."""
    queue = manager(redis_db).get_queue(QUEUE)
    job = manager(redis_db).add_test_job(job_data("run-1"))
    assert enqueue_all(redis_db, queue.name, [(job_spec("run-1"), job)]) == EnqueueConflict()
    assert waiting(redis_db) == ["run-1"]


def test_ten_thousand_runs_are_the_most_at_once(redis_db: Redis) -> None:
    with pytest.raises(InputError, match="at most 10000"):
        add_specs(redis_db, *[job_spec()] * 10_001)


def test_adding_nothing_is_nothing(redis_db: Redis) -> None:
    assert manager(redis_db).add(QUEUE, []) == []
    assert list(redis_db.scan_iter()) == []


def test_housekeeping_jobs_go_to_their_queues(redis_db: Redis) -> None:
    queues = manager(redis_db)
    cleanup = queues.add_cleanup_job(CleanupJobData(dry_run=True))
    learning = queues.add_learning_job(LearningJobData(test_case_ids=("a", "b")))
    jobs = [stored(redis_db, job.id) for job in (cleanup, learning)]
    assert [(job.origin, job.func_name, job.description) for job in jobs] == [
        ("cleanup", "processors.entry.clean_up", "Dry run of the cleanup"),
        ("adaptation-learning", "processors.entry.learn", "Learn from the runs of 2 cases"),
    ]
    assert stored(redis_db, cleanup.id).kwargs["data"]["dry_run"] is True


def test_a_worker_is_made_for_queues_in_order(redis_db: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """RQ's own class stands in: ours opens pipes that only its work loop closes."""
    monkeypatch.setattr("qa_queue.queues.manager.WORKER_CLASS", "rq.SimpleWorker")
    worker = manager(redis_db).create_worker(["cleanup", "test-execution"], name="w1")
    assert (worker.name, worker.queue_names()) == ("w1", ["cleanup", "test-execution"])
    assert worker.serializer is JSONSerializer


def test_the_worker_s_class_is_found_by_its_name() -> None:
    assert issubclass(import_attribute(WORKER_CLASS), BaseWorker)


def test_no_worker_is_made_for_an_unknown_queue(redis_db: Redis) -> None:
    with pytest.raises(UnknownQueueError):
        manager(redis_db).create_worker(["nope"])


def test_stats_of_every_queue_are_zero_at_first(redis_db: Redis) -> None:
    assert manager(redis_db).get_queue_stats() == {str(n): QueueStats(name=n, **EMPTY) for n in QueueName}


def test_stats_count_jobs_where_they_stand(redis_db: Redis) -> None:
    for run_id in ("waits-1", "waits-2", "taken", "done", "broke-1", "broke-2"):
        add(redis_db, run_id, Priority.HIGH if run_id == "taken" else Priority.NORMAL)
    dequeue(redis_db, [QUEUE], None)
    end(redis_db, "done")
    end(redis_db, "broke-1", failed=True)
    end(redis_db, "broke-2", failed=True)
    redis_db.zadd(f"rq:scheduled:{QUEUE}", {"later": 9_999_999_999})
    redis_db.sadd(f"rq:workers:{QUEUE}", "rq:worker:alive", "rq:worker:dead")
    redis_db.hset("rq:worker:alive", "state", "idle")
    expected = {"waiting": 2, "processing": 1, "delayed": 1, "completed": 1, "failed": 2, "workers": 1}
    assert stats(redis_db) == QueueStats(name=QUEUE, **EMPTY | expected)


def test_a_job_between_taken_and_started_counts_once(redis_db: Redis) -> None:
    """Its execution is registered before it leaves the intermediate list."""
    add(redis_db, "run-1")
    dequeue(redis_db, [QUEUE], None)
    redis_db.zadd(f"rq:wip:{QUEUE}", {"run-1:execution": 9_999_999_999})
    assert stats(redis_db).processing == 1


def test_reading_stats_changes_nothing(redis_db: Redis) -> None:
    """RQ's own counts requeue expired jobs and drop old entries as they read."""
    for run_id in ("run-1", "run-2", "run-3"):
        add(redis_db, run_id)
    end(redis_db, "run-2")
    redis_db.zadd(f"rq:wip:{QUEUE}", {"run-1:lost": 1})
    redis_db.zadd(f"rq:finished:{QUEUE}", {"long-gone": 1})
    redis_db.zadd(f"rq:failed:{QUEUE}", {"long-gone-too": 1})
    redis_db.sadd(f"rq:workers:{QUEUE}", "rq:worker:dead")
    before = snapshot(redis_db)
    found = stats(redis_db)
    assert (found.processing, found.completed, found.failed, found.workers) == (1, 1, 0, 0)
    assert snapshot(redis_db) == before


def test_stats_of_all_queues_take_one_round_trip(redis_db: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    trips: list[int] = []
    real = redis_db.pipeline

    def counted(*args: Any, **kwargs: Any) -> Any:
        trips.append(1)
        return real(*args, **kwargs)

    monkeypatch.setattr(redis_db, "pipeline", counted)
    monkeypatch.setattr(
        redis_db, "execute_command", lambda *args, **kwargs: pytest.fail(f"a trip of its own: {args}")
    )
    manager(redis_db).get_queue_stats()
    assert trips == [1]


def test_trimming_keeps_the_newest_of_each_kind(redis_db: Redis) -> None:
    for number in range(5):
        for kind in ("done", "cancelled"):
            add(redis_db, f"{kind}-{number}")
        end(redis_db, f"done-{number}")
        request_cancel(redis_db, [f"cancelled-{number}"])
        for kind, key in (("done", f"rq:finished:{QUEUE}"), ("cancelled", f"rq:canceled:{QUEUE}")):
            redis_db.zincrby(key, number, f"{kind}-{number}")  # each ended a second after the one before
    queues = manager(redis_db, queue_remove_on_complete=2, queue_remove_on_fail=3)
    assert queues.trim(QUEUE) == 5
    kept = ["done-3", "done-4"], ["cancelled-2", "cancelled-3", "cancelled-4"]
    assert FinishedJobRegistry(QUEUE, connection=redis_db).get_job_ids(cleanup=False) == kept[0]
    assert CanceledJobRegistry(QUEUE, connection=redis_db).get_job_ids(cleanup=False) == kept[1]
    assert {key.decode() for key in redis_db.scan_iter("rq:job:*")} == {
        f"rq:job:{name}" for name in kept[0] + kept[1]
    }
    assert {key.decode() for key in redis_db.scan_iter("rq:results:*")} == {
        f"rq:results:{name}" for name in kept[0]
    }
    assert queues.trim(QUEUE) == 0


def test_trimming_never_deletes_a_dead_letter(redis_db: Redis) -> None:
    """They are kept for 7 days, whatever their number."""
    for number in range(3):
        add(redis_db, f"run-{number}")
        end(redis_db, f"run-{number}", failed=True)
    assert manager(redis_db, queue_remove_on_complete=0, queue_remove_on_fail=0).trim(QUEUE) == 0
    assert len(FailedJobRegistry(QUEUE, connection=redis_db).get_job_ids(cleanup=False)) == 3


def test_keeping_none_removes_a_job_as_soon_as_it_ended(redis_db: Redis) -> None:
    add(redis_db, "run-1")
    end(redis_db, "run-1")
    assert Result.fetch_latest(stored(redis_db, "run-1"), serializer=JSONSerializer) is not None
    assert manager(redis_db, queue_remove_on_complete=0).trim(QUEUE) == 1
    assert not list(redis_db.scan_iter("rq:*:run-1"))


def test_trimming_spares_a_job_that_waits_again(redis_db: Redis) -> None:
    add(redis_db, "run-1")
    redis_db.zadd(f"rq:canceled:{QUEUE}", {"run-1": 1})
    manager(redis_db, queue_remove_on_fail=0).trim(QUEUE)
    assert stored(redis_db, "run-1").get_status() == JobStatus.QUEUED


def test_without_redis_the_driver_s_error_comes_through() -> None:
    """The command line and the producer explain it."""
    with Redis(port=1, retry=Retry(NoBackoff(), 0)) as unreachable, pytest.raises(RedisConnectionError):
        manager(unreachable).add_test_job(job_data())
