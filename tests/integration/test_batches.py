"""Batches on a real Redis."""

from __future__ import annotations

from uuid import uuid4

import pytest
from redis import Redis

from qa_queue.errors import InputError, NotFoundError
from qa_queue.models import RunStatus
from qa_queue.models.outcomes import BatchVerdict
from qa_queue.producer import JobProducer, SubmittedBatch
from qa_queue.progress import ProgressWriter
from qa_queue.queues.batches import Batches
from qa_queue.queues.cancellation import CancelOutcome, CancelSignals
from qa_queue.queues.dequeue import dequeue
from qa_queue.settings import Settings
from qa_queue.store.memory import MemoryStore
from tests.support.queueing import QUEUE, report, run_request, take_all


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def submit(connection: Redis, store: MemoryStore, number: int, batch_id: str | None = None) -> SubmittedBatch:
    requests = [run_request(f"Case {n}") for n in range(number)]
    return JobProducer(connection, store, Settings(_env_file=None)).submit_batch(requests, batch_id)


def test_the_runs_of_a_batch_are_seen_as_one(redis_db: Redis, store: MemoryStore) -> None:
    """While they wait, run and have ended."""
    batch, other = submit(redis_db, store, 4), submit(redis_db, store, 2)
    batches = Batches(redis_db, store)
    assert (batches.view(batch.id).total, batches.view(other.id).total) == (4, 2)
    assert set(batches.view(batch.id).run_ids) == {run.run_id for run in batch.runs}
    first = batch.runs[0].run_id
    store.update_run(first, status=RunStatus.RUNNING)
    ProgressWriter(redis_db).write(first, report(first, 2))
    view = batches.view(batch.id)
    assert (view.verdict, view.percentage) == (BatchVerdict.RUNNING, 12)
    for run in batch.runs:
        store.update_run(run.run_id, status=RunStatus.COMPLETED)
    assert (batches.view(batch.id).verdict, batches.view(batch.id).percentage) == (BatchVerdict.PASSED, 100)


def test_a_batch_is_cancelled_as_a_whole(redis_db: Redis, store: MemoryStore) -> None:
    """What waits never starts, what runs is asked to stop, what has ended stays."""
    batch = submit(redis_db, store, 3)
    ended, runs, waits = (run.run_id for run in batch.runs)
    assert [taken.job_id for _ in range(2) if (taken := dequeue(redis_db, [QUEUE], None))] == [ended, runs]
    store.update_run(ended, status=RunStatus.COMPLETED)
    outcomes = Batches(redis_db, store).cancel(batch.id)
    assert outcomes == {runs: CancelOutcome.SIGNALLED, waits: CancelOutcome.REMOVED}
    assert CancelSignals(redis_db).requested(runs)
    assert take_all(redis_db) == []
    assert Batches(redis_db, store).view(batch.id).counts[RunStatus.CANCELLED] == 1


def test_an_unknown_batch_is_reported(redis_db: Redis, store: MemoryStore) -> None:
    """Neither its view nor its cancel makes one up."""
    for act in (Batches(redis_db, store).view, Batches(redis_db, store).cancel):
        with pytest.raises(NotFoundError, match="No run belongs"):
            act(str(uuid4()))


def test_a_batch_s_id_is_a_uuid(redis_db: Redis, store: MemoryStore) -> None:
    """The caller's own, or a new one; anything else is refused before anything is written."""
    own = str(uuid4())
    assert submit(redis_db, store, 1, own).id == own
    with pytest.raises(InputError, match="'nightly' cannot be"):
        submit(redis_db, store, 1, "nightly")
    assert len(store.list_runs()) == 1
