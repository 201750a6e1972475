"""The example's queue from end to end: settled exactly once, whatever dies on the way."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from redis import Redis

from qa_queue.errors import IdempotencyConflictError, PayloadError
from qa_queue.extensions import catalogue
from qa_queue.models.values import Backoff
from qa_queue.producer import JobRequest, QueueProducer
from qa_queue.queues.claims import claim_key
from qa_queue.queues.dead_letters import DeadLetters
from qa_queue.queues.job_view import JobView, read_job
from qa_settlement import enqueue_settlement
from tests.support.poll import wait_until
from tests.support.queueing import manager
from tests.support.workers import WorkerProcess

QUEUE = "settlement"
Entries = Callable[[str], list[dict[str, Any]]]
Start = Callable[..., WorkerProcess]


def settle(producer: QueueProducer, key: str, amount: Any = "12.50", user: str = "ann") -> str:
    job = enqueue_settlement(user, "cafe-7", "mission-3", amount, key, {"till": 2}, producer=producer)
    return job.job_id


def ended(connection: Redis, job_id: str) -> JobView:
    def look() -> JobView | None:
        job = read_job(connection, job_id)
        return job if job.status in ("completed", "failed") else None

    found = wait_until(look, timeout=90, what=f"the end of job {job_id}")
    assert found is not None
    return found


def test_a_settlement_is_posted_by_a_worker_of_rq_s_own_command(
    producer: QueueProducer, start_worker: Start, redis_db: Redis, entries: Entries, key: str
) -> None:
    """The job's result is its entry, with the exact amount."""
    job_id = settle(producer, key, Decimal("9999999999999.99"))
    assert manager(redis_db).get_queue_stats()[QUEUE].waiting == 1
    start_worker()
    job = ended(redis_db, job_id)
    assert (job.status, job.result["fresh"]) == ("completed", True)
    (entry,) = entries(key)
    assert (entry["amount_minor"], entry["job_id"], entry["metadata"]) == (10**15 - 1, job_id, {"till": 2})
    assert job.result["entry_id"] == entry["id"]
    assert manager(redis_db).get_queue_stats()[QUEUE].completed == 1


def test_a_worker_killed_between_posting_and_its_end_posts_once(
    producer: QueueProducer, start_worker: Start, redis_db: Redis, entries: Entries, key: str
) -> None:
    """kill -9 of the process that has posted: the job is done again, finds its entry, and posts none."""
    job_id = settle(producer, key)
    start_worker("tests.support.settling:HeldRuntime")
    pid = int(wait_until(lambda: redis_db.get(f"posted:{job_id}"), timeout=60, what="the posting"))
    assert len(entries(key)) == 1
    assert read_job(redis_db, job_id).status == "processing"
    os.kill(pid, signal.SIGKILL)
    job = ended(redis_db, job_id)
    assert (job.status, job.result["fresh"], len(job.errors)) == ("completed", False, 1)
    assert len(entries(key)) == 1


def test_a_ledger_that_stays_unavailable_makes_a_dead_letter_that_can_be_recovered(
    producer: QueueProducer, start_worker: Start, redis_db: Redis, entries: Entries, key: str
) -> None:
    """With every attempt and the payload; requeued, it is settled once."""
    payload = {"user_id": "ann", "place_id": "p", "mission_id": "m", "amount": "5", "idempotency_key": key}
    request = JobRequest(data=payload, attempts=2, backoff=Backoff(kind="fixed", delay_ms=1000))
    (job,) = producer.submit(QUEUE, request)
    start_worker("tests.support.settling:AwayRuntime")
    assert ended(redis_db, job.job_id).status == "failed"
    letters = DeadLetters(redis_db)
    (letter,) = letters.list(queue=QUEUE)
    assert [attempt.number for attempt in letter.attempts] == [1, 2]
    assert (letter.data or {})["amount"] == "5.00"
    assert "the ledger does not answer" in letter.error
    assert entries(key) == []
    redis_db.set("ledger:open", 1)
    letters.requeue(job.job_id)
    assert ended(redis_db, job.job_id).status == "completed"
    assert (len(entries(key)), letters.count(QUEUE)) == (1, 0)


def test_a_key_settled_before_is_never_settled_otherwise(
    producer: QueueProducer, start_worker: Start, redis_db: Redis, entries: Entries, key: str
) -> None:
    """The queue refuses it at once; after the queue has forgotten the key, the ledger still knows it."""
    start_worker()
    first = settle(producer, key)
    assert ended(redis_db, first).status == "completed"
    assert settle(producer, key) == first
    with pytest.raises(IdempotencyConflictError):
        settle(producer, key, "99.00")
    redis_db.delete(claim_key(key, QUEUE))  # as 24 h later
    other = ended(redis_db, settle(producer, key, "99.00"))
    assert (other.status, len(other.errors)) == ("failed", 1)
    assert "amount_minor differ" in other.errors[0].error
    redis_db.delete(claim_key(key, QUEUE))
    assert ended(redis_db, settle(producer, key)).result["fresh"] is False
    assert [entry["amount_minor"] for entry in entries(key)] == [1250]


def test_a_settlement_that_cannot_be_one_is_refused_before_it_is_queued(
    producer: QueueProducer, redis_db: Redis, key: str
) -> None:
    """Field by field."""
    with pytest.raises(PayloadError) as caught:
        settle(producer, key, 12.5, user="two words")
    assert [problem.split(":")[0] for problem in caught.value.problems] == ["user_id", "amount"]
    assert manager(redis_db).get_queue_stats(QUEUE)[QUEUE].total == 0


def test_the_package_is_found_by_its_entry_point(producer: QueueProducer) -> None:
    """As pip installed it, with nothing broken."""
    found = catalogue()
    assert (found.packages, found.broken) == ({QUEUE: "qa-settlement"}, ())
    assert found.queues[QUEUE].attempts == 5
