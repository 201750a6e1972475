"""The contract of the ledger in a store, checked in memory and on a real Supabase."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

from qa_queue.models import RunStatus, utc_now
from qa_queue.store.ledger import LedgerEntry
from qa_queue.store.protocol import RunStore
from tests.support.records import case_record, run_record


def entry(**fields: Any) -> LedgerEntry:
    """An entry of a job of its own."""
    job_id = fields.pop("id", str(uuid4()))
    known = {"queue": "test-execution", "last_id": job_id, "position": 0, "spec": {"data": {}}}
    return LedgerEntry(**{"id": job_id, "submitted_at": utc_now(), **known, **fields})


def test_an_entry_comes_back_as_it_was_written(store: RunStore) -> None:
    """Twice the same write is one entry, and an unknown id has none."""
    given = entry(
        position=3, claim="qa:idempotency:abc", instance="staging", spec={"data": {"env": {"A": "ä"}}, "due": None}
    )
    store.save([given])
    store.save([given])
    assert store.ledger.entries([given.id, str(uuid4()), "no id"]) == {given.id: given}


def test_entries_are_found_by_their_claims(store: RunStore) -> None:
    """All of them, or those of some keys."""
    keys = [f"qa:idempotency:{uuid4()}" for _ in range(2)]
    first, second, without = entry(claim=keys[0]), entry(claim=keys[1]), entry()
    store.save([first, second, without])
    assert store.ledger.with_claims([keys[0]]) == [first]
    found = {one.id for one in store.ledger.with_claims()}
    assert {first.id, second.id} <= found
    assert without.id not in found


def test_open_jobs_are_those_of_other_queues_without_an_end(store: RunStore) -> None:
    """An end is noted by writing the entry again."""
    run, job, other = entry(), entry(queue="cleanup"), entry(queue="parcels")
    store.save([run, job, other])
    found = {one.id: one for one in store.ledger.open_jobs()}
    assert found[job.id] == job
    assert other.id in found
    assert run.id not in found
    store.save([job.model_copy(update={"ended_at": utc_now()})])
    assert job.id not in {one.id for one in store.ledger.open_jobs()}
    store.ledger.remove([run.id, job.id, other.id])


def test_the_oldest_entries_come_first(store: RunStore) -> None:
    """And no newer ones."""
    past = utc_now() - timedelta(days=4000)
    older, newer = entry(submitted_at=past), entry(submitted_at=past + timedelta(seconds=1))
    store.save([newer, older])
    assert store.ledger.oldest(past + timedelta(seconds=2), 10) == [older, newer]
    assert store.ledger.oldest(past + timedelta(seconds=2), 1) == [older]
    store.ledger.remove([older.id])
    assert store.ledger.oldest(past + timedelta(seconds=2), 10) == [newer]


def test_open_runs_are_those_that_have_not_ended(store: RunStore) -> None:
    """With what the reconciler compares."""
    (case,) = store.save_cases([case_record()])
    runs = [
        run_record(case, id=str(uuid4()), status=status, fence=2, requeues=1)
        for status in (RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.COMPLETED)
    ]
    store.save(runs)
    ids = [run.id for run in runs]
    found = {run.id: run for run in store.ledger.open_runs() if run.id in ids}
    assert set(found) == set(ids[:2])
    assert (found[ids[1]].status, found[ids[1]].fence, found[ids[1]].requeues) == (RunStatus.RUNNING, 2, 1)


def test_a_run_that_is_deleted_takes_its_entry_along(store: RunStore) -> None:
    """Also with its case."""
    (case,) = store.save_cases([case_record()])
    runs = [run_record(case, id=str(uuid4())) for _ in range(2)]
    store.save([entry(id=run.id) for run in runs])
    store.save(runs)
    store.delete_runs([runs[0].id])
    assert set(store.ledger.entries([run.id for run in runs])) == {runs[1].id}
    store.delete_cases([case.id])
    assert store.ledger.entries([run.id for run in runs]) == {}
