"""Coalescing: fewer writes, the same outcome."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from qa_queue.models import RunStatus
from qa_queue.store.entries import Entry, RunChange, coalesce
from qa_queue.store.memory import MemoryStore
from qa_queue.store.records import RunRecord
from tests.support.records import NOON, case_record, run_record, step_record

CASE = case_record(key="the case")
IDS = ("00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002")
RUNS = [run_record(CASE, id=run_id) for run_id in IDS]

fields = st.fixed_dictionaries(
    {},
    optional={"status": st.sampled_from(RunStatus), "attempt": st.integers(0, 3), "worker": st.sampled_from("ab")},
)
changes = st.builds(RunChange, st.sampled_from(IDS), fields)
rows = st.builds(lambda run, some: run.model_copy(update=some), st.sampled_from(RUNS), fields)
steps = st.builds(
    lambda run, n, name: step_record(run, n, name=name), st.sampled_from(IDS), st.integers(1, 3), st.text()
)


def write(store: MemoryStore, entry: Entry) -> None:
    if isinstance(entry, RunChange):
        store.update_run(entry.run_id, **entry.fields)
    else:
        store.save([entry])


def content(store: MemoryStore) -> list[Any]:
    return [*store.list_runs(limit=9), *store.list_steps(IDS)]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(changes, rows, steps), max_size=8))
def test_batches_leave_the_store_as_single_writes_do(entries: list[Entry]) -> None:
    """Whatever the order of rows, steps and changes, also of runs that end, the outcome is the same."""
    single, batched = MemoryStore(), MemoryStore()
    for store in (single, batched):
        store.save([CASE, *RUNS])
    for entry in entries:
        write(single, entry)
    for batch in coalesce(entries):
        batched.save(batch.records)
        for change in batch.changes:
            write(batched, change)
    assert content(batched) == content(single)


def test_many_steps_and_changes_of_two_runs_are_one_batch() -> None:
    """The common case: one call for the steps, one for each run."""
    entries: list[Entry] = []
    for number in range(1, 6):
        for run in RUNS:
            entries += [step_record(run, number), RunChange(run.id, {"completed_steps": number})]
    (batch,) = coalesce(entries)
    assert len(batch.records) == 10
    assert [change.fields for change in batch.changes] == [{"completed_steps": 5}] * 2


def test_a_runs_whole_row_does_not_overtake_its_changes() -> None:
    """A row put after a change starts a new batch."""
    late = RunRecord(id=IDS[0], test_case_id=CASE.id, queued_at=NOON)
    assert len(coalesce([RunChange(IDS[0], {"attempt": 1}), late])) == 2
    assert len(coalesce([RunChange(IDS[1], {"attempt": 1}), late])) == 1
