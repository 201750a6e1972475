"""Jobs that are put off: when they start, at which place, and what they survive."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from redis import Redis

from qa_queue.local.redis import start_redis
from qa_queue.models import Priority, utc_now
from qa_queue.queues.cancellation import CancelOutcome, request_cancel
from qa_queue.queues.enqueue import promote_due
from tests.support.queueing import QUEUE, add, add_specs, job_spec, manager, take_all, waiting


def put_off(connection: Redis, run_id: str, seconds: float, **overrides: object) -> None:
    due = utc_now() + timedelta(seconds=seconds)
    add_specs(connection, job_spec(run_id, due=due, **overrides))


def pass_time(connection: Redis, seconds: float) -> None:
    """Let what is put off be due so much earlier."""
    for job_id, score in connection.zrange(f"rq:scheduled:{QUEUE}", 0, -1, withscores=True):
        connection.zadd(f"rq:scheduled:{QUEUE}", {job_id: score - seconds})


def test_a_job_that_is_put_off_waits_in_rq_s_schedule(redis_db: Redis) -> None:
    """It is delayed, not waiting, and no one can take it."""
    put_off(redis_db, "later", 60)
    stats = manager(redis_db).get_queue_stats(QUEUE)[QUEUE]
    assert (stats.waiting, stats.delayed, stats.total) == (0, 1, 1)
    assert redis_db.hget("rq:job:later", "status") == b"scheduled"
    assert promote_due(redis_db, QUEUE) == 0
    assert take_all(redis_db) == []


def test_a_job_that_is_due_goes_to_its_place(redis_db: Redis) -> None:
    """After what came before its time, before what is less urgent."""
    put_off(redis_db, "low", 60, priority=Priority.LOW)
    put_off(redis_db, "normal", 60)
    put_off(redis_db, "urgent", 60, priority=Priority.URGENT)
    put_off(redis_db, "not-yet", 600)
    add(redis_db, "here")
    pass_time(redis_db, 61)
    assert promote_due(redis_db, QUEUE) == 3
    assert waiting(redis_db) == ["urgent", "here", "normal", "low"]
    assert redis_db.hget("rq:job:urgent", "status") == b"queued"
    assert take_all(redis_db) == ["urgent", "here", "normal", "low"]


def test_a_moment_that_has_passed_is_not_a_delay(redis_db: Redis) -> None:
    """The job waits at once."""
    put_off(redis_db, "now", -5)
    assert waiting(redis_db) == ["now"]


def test_many_due_jobs_leave_the_schedule_in_steps(redis_db: Redis) -> None:
    """No single step holds Redis up for long."""
    due = utc_now() + timedelta(seconds=60)
    ids = [f"run-{n:03}" for n in range(150)]
    add_specs(redis_db, *(job_spec(run_id, due=due) for run_id in ids))
    pass_time(redis_db, 61)
    assert [promote_due(redis_db, QUEUE) for _ in range(3)] == [100, 50, 0]
    assert sorted(take_all(redis_db)) == ids


def test_a_job_that_is_put_off_can_be_cancelled(redis_db: Redis) -> None:
    """It never starts."""
    put_off(redis_db, "later", 60)
    assert request_cancel(redis_db, ["later"]) == {"later": CancelOutcome.REMOVED}
    pass_time(redis_db, 61)
    assert promote_due(redis_db, QUEUE) == 0
    assert take_all(redis_db) == []


def test_a_delay_outlives_a_restart_of_redis(tmp_path: Path) -> None:
    """The schedule is on the disk with everything else."""
    with start_redis(tmp_path) as server, Redis.from_url(server.url) as connection:
        put_off(connection, "later", 60)
    with start_redis(tmp_path) as server, Redis.from_url(server.url) as connection:
        assert manager(connection).get_queue_stats(QUEUE)[QUEUE].delayed == 1
        pass_time(connection, 61)
        assert promote_due(connection, QUEUE) == 1
        assert take_all(connection) == ["later"]
