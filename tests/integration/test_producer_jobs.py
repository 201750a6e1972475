"""Jobs of any queue on a real Redis: checked by the queue's model, once for each key, at their time."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from rq.job import Job
from rq.serializers import JSONSerializer

from qa_queue.errors import IdempotencyConflictError, InputError, PayloadError, UnknownQueueError
from qa_queue.extensions import catalogue
from qa_queue.models import CleanupJobData, Priority
from qa_queue.models.values import Backoff
from qa_queue.producer import JobRequest, QueueProducer
from qa_queue.queues.dead_letters import DeadLetters
from qa_queue.queues.dequeue import dequeue
from qa_queue.settings import Settings
from tests.support.dead_letters import let_die
from tests.support.packages import install, spec_module
from tests.support.queueing import manager


@pytest.fixture
def parcels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The queue of an installed package, whose payload has a weight."""
    install(tmp_path, "post-office", {"parcels": "post_queue:QUEUE"}, post_queue=spec_module("parcels", "post"))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "post_queue", raising=False)
    catalogue.cache_clear()
    yield "parcels"
    catalogue.cache_clear()


@pytest.fixture
def producer(redis_db: Redis) -> QueueProducer:
    return QueueProducer(redis_db, Settings(_env_file=None))


def fetch(connection: Redis, job_id: str) -> Job:
    return Job.fetch(job_id, connection=connection, serializer=JSONSerializer)


def take(connection: Redis, queue: str) -> str | None:
    taken = dequeue(connection, [queue], None)
    return taken.job_id if taken else None


def parcel(weight: Any = 5, **overrides: Any) -> JobRequest:
    return JobRequest(data={"weight": weight}, **overrides)


def test_a_job_of_an_installed_package_s_queue_is_enqueued(
    redis_db: Redis, producer: QueueProducer, parcels: str
) -> None:
    """With the function of its queue, its payload as the model says, and the queue's defaults."""
    (submitted,) = producer.submit(parcels, parcel("7", name="A <b>heavy</b> parcel"))
    job = fetch(redis_db, submitted.job_id)
    assert (job.func_name, job.kwargs) == ("post.deliver", {"data": {"weight": 7}})
    assert (job.description, job.timeout, job.retries_left) == ("A (b)heavy(/b) parcel", 3600, 2)
    assert manager(redis_db).get_queue_stats()[parcels].waiting == 1


def test_a_job_says_otherwise(redis_db: Redis, producer: QueueProducer, parcels: str) -> None:
    """Its attempts, backoff, time-out, priority and delay count before those of the queue."""
    first = producer.submit(parcels, parcel(1))[0].job_id
    backoff = Backoff(kind="fixed", delay_ms=7000)
    urgent = parcel(2, priority=Priority.URGENT, attempts=3, backoff=backoff, timeout_s=60)
    second = producer.submit(parcels, urgent)[0].job_id
    late = producer.submit(parcels, parcel(3, delay_ms=600_000))[0].job_id
    job = fetch(redis_db, second)
    assert (job.timeout, job.retries_left, job.retry_intervals) == (60, 2, [7, 7])
    assert [take(redis_db, parcels) for _ in range(3)] == [second, first, None]
    assert fetch(redis_db, late).get_status() == "scheduled"


def test_every_bad_job_is_named_and_none_is_enqueued(
    redis_db: Redis, producer: QueueProducer, parcels: str
) -> None:
    """By its number and field."""
    requests = [parcel(1), parcel("heavy"), parcel(3, attempts=99), parcel(4, timeout_s=0)]
    with pytest.raises(PayloadError) as caught:
        producer.submit(parcels, requests)
    heavy, attempts, timeout = caught.value.problems
    assert heavy.startswith("job 2: weight: ")
    assert attempts.startswith("job 3: attempts is 99")
    assert timeout.startswith("job 4: timeout_s is 0")
    assert manager(redis_db).get_queue_stats(parcels)[parcels].total == 0


def test_fifty_racers_with_one_key_make_one_job(redis_db: Redis, producer: QueueProducer, parcels: str) -> None:
    """All are given it, and another payload under the key is refused."""
    found: list[str] = []
    start = threading.Barrier(50)

    def race() -> None:
        start.wait(30)
        found.append(producer.submit(parcels, parcel(idempotency_key="once"))[0].job_id)

    threads = [threading.Thread(target=race) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 50
    assert set(found) == {take(redis_db, parcels)}
    with pytest.raises(IdempotencyConflictError):
        producer.submit(parcels, parcel(6, idempotency_key="once"))
    assert not producer.submit(parcels, parcel(idempotency_key="once"))[0].created


def test_one_key_on_two_queues_names_two_jobs(producer: QueueProducer, parcels: str) -> None:
    """A key belongs to its queue."""
    first = producer.submit(parcels, parcel(idempotency_key="k"))[0]
    second = producer.submit("cleanup", JobRequest(data=CleanupJobData(dry_run=True), idempotency_key="k"))[0]
    assert second.created
    assert first.job_id != second.job_id


def test_a_dead_letter_of_such_a_job_shows_its_payload_and_metadata(
    redis_db: Redis, producer: QueueProducer, parcels: str
) -> None:
    """It is counted, listed, requeued and discarded as that of a run is."""
    job_id = producer.submit(parcels, parcel(metadata={"order": "<4711>"}))[0].job_id
    let_die(redis_db, job_id, queue=parcels)
    letters = DeadLetters(redis_db)
    (letter,) = letters.list(queue=parcels)
    assert (letter.data, letter.metadata, len(letter.attempts)) == ({"weight": 5}, {"order": "<4711>"}, 3)
    assert letters.count() == 1
    letters.requeue(job_id)
    assert take(redis_db, parcels) == job_id


def test_runs_are_not_submitted_without_their_rows(producer: QueueProducer) -> None:
    """Nor is anything to a queue that is not there."""
    with pytest.raises(InputError, match="JobProducer"):
        producer.submit("test-execution", JobRequest(data={}))
    with pytest.raises(UnknownQueueError, match="Did you mean cleanup"):
        producer.submit("clean-up", JobRequest(data={}))
