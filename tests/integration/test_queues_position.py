"""Places in the queue, and cleaning, on a real Redis."""

from __future__ import annotations

from datetime import timedelta

import pytest
from redis import Redis

from qa_queue.errors import InputError, NotFoundError
from qa_queue.models import Priority, utc_now
from qa_queue.queues.attempts import AttemptFailure, AttemptLog
from qa_queue.queues.cancellation import request_cancel
from qa_queue.queues.dequeue import dequeue
from qa_queue.queues.events import record_event
from qa_queue.queues.jobs import RESULT_TTL_S
from tests.support.dead_letters import bury
from tests.support.queueing import QUEUE, add, add_specs, job_spec, manager, waiting


def worker(connection: Redis, name: str, slots: int) -> None:
    connection.sadd(f"rq:workers:{QUEUE}", f"rq:worker:{name}")
    connection.hset(f"rq:worker:{name}", "qa_slots", slots)


def test_a_job_s_place_is_that_in_which_it_is_taken(redis_db: Redis) -> None:
    """Priorities count."""
    for run_id, priority in (("n1", Priority.NORMAL), ("l1", Priority.LOW), ("u1", Priority.URGENT)):
        add(redis_db, run_id, priority)
    assert [manager(redis_db).get_position(run_id).position for run_id in ("u1", "n1", "l1")] == [1, 2, 3]


def test_its_start_is_estimated_from_what_ran_and_who_works(redis_db: Redis) -> None:
    """Two runs of 3 s and 5 s, two workers with two slots in all."""
    for number in range(5):
        add(redis_db, f"run-{number}")
    assert manager(redis_db).get_position("run-4").starts_at is None
    for ran_ms in (3000, 5000):
        record_event(redis_db, QUEUE, "before", "completed", {}, ran_ms=ran_ms)
    assert manager(redis_db).get_position("run-4").starts_at is None, "no worker runs"
    worker(redis_db, "one", 1)
    worker(redis_db, "two", 1)
    redis_db.sadd(f"rq:workers:{QUEUE}", "rq:worker:dead")
    starts_at = manager(redis_db).get_position("run-4").starts_at
    assert starts_at is not None
    assert timedelta(seconds=8) < starts_at - utc_now() <= timedelta(seconds=9)  # (4 + 0.5) / 2 of 4 s
    manager(redis_db).pause(QUEUE)
    assert manager(redis_db).get_position("run-4").starts_at is None


def test_the_mean_follows_what_runs_lately(redis_db: Redis) -> None:
    """After ten runs each new one counts for a tenth."""
    for _ in range(20):
        record_event(redis_db, QUEUE, "a", "completed", {}, ran_ms=1000)
    record_event(redis_db, QUEUE, "a", "completed", {}, ran_ms=2000)
    assert float(redis_db.hget(f"qa:durations:{QUEUE}", "mean_ms") or 0) == 1100


def test_a_delayed_job_starts_when_it_is_due(redis_db: Redis) -> None:
    """It has no place yet."""
    due = utc_now() + timedelta(minutes=5)
    add_specs(redis_db, job_spec("later", due=due))
    place = manager(redis_db).get_position("later")
    assert place.position is None
    assert place.starts_at is not None
    assert abs(place.starts_at - due) < timedelta(seconds=1)


@pytest.mark.parametrize("run_id", ["taken", "unknown"])
def test_what_does_not_wait_has_no_place(redis_db: Redis, run_id: str) -> None:
    """With the reason."""
    add(redis_db, "taken")
    dequeue(redis_db, [QUEUE], None)
    with pytest.raises(NotFoundError, match=run_id):
        manager(redis_db).get_position(run_id)


def test_cleaning_deletes_what_ended_long_ago_and_no_more_than_asked(redis_db: Redis) -> None:
    """The oldest first; what is younger than the grace stays."""
    for number in range(4):
        bury(redis_db, f"run-{number}", attempts=1)
        redis_db.zincrby(f"rq:failed:{QUEUE}", -3600 * (4 - number), f"run-{number}")
    add(redis_db, "waits")
    queues = manager(redis_db)
    assert queues.clean(QUEUE, 2 * 3600 * 1000, limit=2, kind="failed") == ["run-0", "run-1"]
    assert queues.clean(QUEUE, 2 * 3600 * 1000 - 60_000, limit=99, kind="failed") == ["run-2"]
    assert queues.clean(QUEUE, 0, kind="completed") == []
    assert not redis_db.exists("rq:job:run-0", "qa:attempts:run-0")
    assert redis_db.exists("rq:job:run-3")
    assert waiting(redis_db) == ["waits"]


def test_more_than_one_step_can_delete_are_cleaned_too(redis_db: Redis) -> None:
    """A step deletes 500."""
    ids = {f"run-{n}": 1 + n for n in range(1200)}
    redis_db.zadd(f"rq:failed:{QUEUE}", ids)
    assert len(manager(redis_db).clean(QUEUE, 0, limit=1100, kind="failed")) == 1100
    assert redis_db.zcard(f"rq:failed:{QUEUE}") == 100


@pytest.mark.parametrize(
    "options", [{"grace_ms": -1}, {"grace_ms": 0, "limit": -1}, {"grace_ms": 0, "kind": "all"}]
)
def test_cleaning_what_cannot_be_is_refused(redis_db: Redis, options: dict[str, object]) -> None:
    """With what is allowed."""
    with pytest.raises(InputError, match="should be"):
        manager(redis_db).clean(QUEUE, **options)


def test_trimming_deletes_the_failed_attempts_too(redis_db: Redis) -> None:
    """Those of the jobs that stay are kept."""
    for number in range(3):
        add(redis_db, f"run-{number}")
        failure = AttemptFailure(number=1, kind="bug", error="e", failed_at=utc_now())
        AttemptLog(redis_db).record(f"run-{number}", failure)
        request_cancel(redis_db, [f"run-{number}"])
        redis_db.zincrby(f"rq:canceled:{QUEUE}", number - 10, f"run-{number}")
    assert manager(redis_db, queue_remove_on_fail=1).trim(QUEUE) == 2
    assert list(redis_db.scan_iter("qa:attempts:*")) == [b"qa:attempts:run-2"]
    assert not redis_db.exists("rq:job:run-0", "rq:job:run-1")


def test_the_failed_attempts_of_a_cancelled_job_expire_with_it(redis_db: Redis) -> None:
    add(redis_db, "run-1")
    AttemptLog(redis_db).record("run-1", AttemptFailure(number=1, kind="bug", error="e", failed_at=utc_now()))
    request_cancel(redis_db, ["run-1"])
    assert 0 < redis_db.ttl("qa:attempts:run-1") <= redis_db.ttl("rq:job:run-1") + 1


def test_the_failed_attempts_of_a_completed_job_are_kept_as_long_as_its_result(redis_db: Redis) -> None:
    AttemptLog(redis_db).record("run-1", AttemptFailure(number=1, kind="bug", error="e", failed_at=utc_now()))
    record_event(redis_db, QUEUE, "run-1", "completed", {})
    assert 0 < redis_db.ttl("qa:attempts:run-1") <= RESULT_TTL_S
