"""The stream of events on a real Redis."""

from __future__ import annotations

import threading

from redis import Redis

from qa_queue.models import CleanupJobData
from qa_queue.progress import ProgressWriter
from qa_queue.progress.events import MAX_EVENTS
from qa_queue.queues.events import PAGE, EventStream, QueueEvent, record_event
from tests.support.poll import wait_until
from tests.support.queueing import QUEUE, add, manager, report


def seen(connection: Redis, **options: object) -> list[tuple[str, str]]:
    events = EventStream(connection).follow(**{"from_id": "0", "timeout": 0, **options})
    return [(event.kind, event.job_id) for event in events]


def test_what_happens_to_a_job_is_reported_in_order(redis_db: Redis) -> None:
    """From the moment it waits; progress comes with its report."""
    add(redis_db, "run-1")
    record_event(redis_db, QUEUE, "run-1", "active", {"attempt": 1})
    ProgressWriter(redis_db).write("run-1", report("run-1", 2))
    record_event(redis_db, QUEUE, "run-1", "completed", {"status": "adapted"}, ran_ms=5)
    assert [kind for kind, _ in seen(redis_db)] == ["waiting", "active", "progress", "completed"]
    (progress,) = EventStream(redis_db).follow(from_id="0", kinds=("progress",), timeout=0)
    assert (progress.queue, progress.data["percentage"]) == (QUEUE, 50)


def test_events_are_picked_by_kind_queue_and_job(redis_db: Redis) -> None:
    """All three at once, if wanted."""
    add(redis_db, "run-1")
    add(redis_db, "run-2")
    cleanup = manager(redis_db).add_cleanup_job(CleanupJobData()).id
    assert seen(redis_db, queue="cleanup") == [("waiting", cleanup)]
    assert seen(redis_db, job_id="run-2") == [("waiting", "run-2")]
    assert seen(redis_db, kinds=("dead",)) == []


def test_a_reader_goes_on_where_it_stopped(redis_db: Redis) -> None:
    """After a break it misses nothing and meets nothing twice."""
    for number in range(3):
        add(redis_db, f"run-{number}")
    first = next(EventStream(redis_db).follow(from_id="0", timeout=0))
    assert seen(redis_db, from_id=first.id) == [("waiting", "run-1"), ("waiting", "run-2")]


def test_a_reader_that_waits_for_nothing_gets_all_that_is_there(redis_db: Redis) -> None:
    """More than Redis is asked for at once."""
    pipeline = redis_db.pipeline()
    for number in range(2 * PAGE + 1):
        pipeline.xadd("qa:events", {"event": "waiting", "queue": QUEUE, "job": f"run-{number}", "data": "{}"})
    pipeline.execute()
    assert [job_id for _, job_id in seen(redis_db)] == [f"run-{number}" for number in range(2 * PAGE + 1)]


def test_a_reader_that_waits_gets_what_comes(redis_db: Redis, redis_url: str) -> None:
    """By default from now on; earlier events are left out."""
    add(redis_db, "before")
    found: list[QueueEvent] = []
    with Redis.from_url(redis_url) as connection:
        stream = EventStream(connection).follow(timeout=30)
        thread = threading.Thread(target=lambda: found.append(next(stream)))
        thread.start()
        wait_until(lambda: redis_db.info("clients")["blocked_clients"], what="a blocked reader")
        add(redis_db, "now")
        thread.join(10)
    assert [event.job_id for event in found] == ["now"]


def test_the_stream_stays_small(redis_db: Redis) -> None:
    """The oldest go; Redis trims whole blocks."""
    pipeline = redis_db.pipeline()
    for number in range(MAX_EVENTS + 1000):
        pipeline.xadd("qa:events", {"event": "x", "queue": QUEUE, "job": number, "data": "{}"})
    pipeline.execute()
    add(redis_db, "run-1")
    assert redis_db.xlen("qa:events") <= MAX_EVENTS + 200
