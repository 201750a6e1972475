"""Pausing a queue and resuming it."""

from __future__ import annotations

import threading

import pytest
from redis import Redis

from qa_queue.errors import UnknownQueueError
from qa_queue.models import CleanupJobData
from qa_queue.queues.dequeue import ReservedJob, dequeue
from tests.support.poll import wait_until
from tests.support.queueing import QUEUE, add, manager, take_all


def test_nothing_is_taken_from_a_paused_queue(redis_db: Redis) -> None:
    """What is added waits, and the stats say why."""
    assert manager(redis_db).pause(QUEUE)
    add(redis_db, "run-1")
    stats = manager(redis_db).get_queue_stats(QUEUE)[QUEUE]
    assert (stats.paused, stats.waiting) == (True, 1)
    assert take_all(redis_db) == []
    assert manager(redis_db).resume(QUEUE)
    assert not manager(redis_db).get_queue_stats(QUEUE)[QUEUE].paused
    assert take_all(redis_db) == ["run-1"]


def test_a_queue_is_paused_alone(redis_db: Redis) -> None:
    """The others go on."""
    manager(redis_db).pause(QUEUE)
    add(redis_db, "run-1")
    job = manager(redis_db).add_cleanup_job(CleanupJobData())
    assert dequeue(redis_db, [QUEUE, "cleanup"], None) == ReservedJob(job_id=job.id, queue="cleanup")


def test_pausing_and_resuming_twice_is_reported(redis_db: Redis) -> None:
    """The second call changes nothing."""
    queues = manager(redis_db)
    assert [queues.pause(QUEUE), queues.pause(QUEUE), queues.resume(QUEUE), queues.resume(QUEUE)] == [1, 0, 1, 0]


def test_an_unknown_queue_cannot_be_paused(redis_db: Redis) -> None:
    """A wrong name would pause nothing and look as if it had."""
    with pytest.raises(UnknownQueueError):
        manager(redis_db).pause("test-exection")


def test_resuming_wakes_a_taker_that_waits(redis_db: Redis, redis_url: str) -> None:
    """It blocks inside Redis while the queue is paused, though jobs wait."""
    manager(redis_db).pause(QUEUE)
    add(redis_db, "run-1")
    found: list[ReservedJob | None] = []
    with Redis.from_url(redis_url) as connection:
        thread = threading.Thread(target=lambda: found.append(dequeue(connection, [QUEUE], 30)))
        thread.start()
        wait_until(lambda: redis_db.info("clients")["blocked_clients"], what="a blocked taker")
        assert found == []
        manager(redis_db).resume(QUEUE)
        thread.join(10)
    assert found == [ReservedJob(job_id="run-1", queue=QUEUE)]


def test_one_word_wakes_as_many_takers_as_there_are_jobs(redis_db: Redis, redis_url: str) -> None:
    """Each taker that finds more than it takes passes the word on."""
    found: list[ReservedJob | None] = []
    connections = [Redis.from_url(redis_url) for _ in range(4)]
    threads = [
        threading.Thread(target=lambda c=connection: found.append(dequeue(c, [QUEUE], 30)))
        for connection in connections
    ]
    for thread in threads:
        thread.start()
    wait_until(lambda: redis_db.info("clients")["blocked_clients"] == 4, what="four blocked takers")
    for number in range(4):
        add(redis_db, f"run-{number}")
    for thread, connection in zip(threads, connections, strict=True):
        thread.join(10)
        connection.close()
    assert sorted(taken.job_id for taken in found if taken) == [f"run-{n}" for n in range(4)]
