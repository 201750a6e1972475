"""The record writer: in order, many at once, and what it does with a store that fails."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from qa_queue.errors import RowRefusedError, StoreAuthError, StoreError, StoreSchemaError, StoreUnavailableError
from qa_queue.models import RunStatus
from qa_queue.store.records import RunRecord
from qa_queue.store.writer import RecordWriter
from tests.support.faulty_store import FaultyStore
from tests.support.poll import wait_until
from tests.support.records import case_record, pattern_record, run_record, step_record

UNAVAILABLE = StoreUnavailableError("Supabase is unavailable")
BAD = RowRefusedError("row refused")


@pytest.fixture
def store() -> FaultyStore:
    return FaultyStore()


@pytest.fixture
def runs(store: FaultyStore) -> list[RunRecord]:
    """Two runs of a stored case, not stored themselves."""
    case = store.save_cases([case_record()])[0]
    return [run_record(case), run_record(case)]


@pytest.fixture
def writer(store: FaultyStore) -> Iterator[RecordWriter]:
    writer = RecordWriter(store, gather_s=0, jitter=lambda: 0.0)
    yield writer
    store.outage = None
    store.refused.clear()
    store.open.set()
    writer.close()


def test_what_is_flushed_is_stored(writer: RecordWriter, store: FaultyStore, runs: list[RunRecord]) -> None:
    """A run, its step and its changes stand in the store when flush returns."""
    writer.put(runs[0], step_record(runs[0]))
    writer.update_run(runs[0].id, status=RunStatus.RUNNING, attempt=1)
    writer.flush(5)
    assert store.get_run(runs[0].id) == runs[0].model_copy(update={"status": RunStatus.RUNNING, "attempt": 1})
    assert len(store.list_steps([runs[0].id])) == 1


def test_flushing_nothing_returns_at_once(writer: RecordWriter) -> None:
    """No rows, no thread, no error."""
    assert writer.flush(0) is None


def test_what_piles_up_goes_in_few_calls(writer: RecordWriter, store: FaultyStore, runs: list[RunRecord]) -> None:
    """While one call is on its way the next rows gather, and changes of one run become one."""
    store.save(runs)
    store.open.clear()
    writer.put(step_record(runs[0], 1))
    wait_until(lambda: store.calls[-1] == "save 1", what="the first call")
    for number in range(2, 100):
        writer.put(step_record(runs[0], number))
        writer.update_run(runs[0].id, completed_steps=number)
    writer.update_run(runs[0].id, worker="w")
    store.open.set()
    writer.flush(5)
    assert store.calls == ["save 2", "save 1", "save 98", "update_run completed_steps,worker"]
    stored = store.get_run(runs[0].id)
    assert stored is not None
    assert (stored.completed_steps, stored.worker) == (99, "w")


def test_a_batch_has_a_limit(store: FaultyStore, runs: list[RunRecord]) -> None:
    """No call takes more than `max_batch` entries."""
    store.save(runs)
    writer = RecordWriter(store, max_batch=10)
    writer.put(*(step_record(runs[0], number) for number in range(1, 26)))
    writer.close()
    assert store.calls == ["save 2", "save 10", "save 10", "save 5"]


def test_an_outage_is_waited_out(writer: RecordWriter, store: FaultyStore, runs: list[RunRecord]) -> None:
    """Rows put while Supabase is unavailable are stored, in order, when it answers again."""
    store.outage = UNAVAILABLE
    writer.put(runs[0])
    writer.update_run(runs[0].id, status=RunStatus.RUNNING)
    wait_until(lambda: len(store.calls) >= 2, what="a second attempt")
    store.outage = None
    writer.flush(5)
    stored = store.get_run(runs[0].id)
    assert stored is not None
    assert stored.status is RunStatus.RUNNING


def test_an_outage_that_lasts_fails_the_flush(
    writer: RecordWriter, store: FaultyStore, runs: list[RunRecord]
) -> None:
    """The store's own error comes out, and the run's rows are given up; those of the other run wait on."""
    store.outage = UNAVAILABLE
    writer.put(*runs)
    with pytest.raises(StoreUnavailableError, match="Supabase is unavailable"):
        writer.flush(0.05, runs[0].id)
    store.outage = None
    writer.flush(5)
    assert store.existing_runs([run.id for run in runs]) == {runs[1].id}


def test_a_slow_store_fails_the_flush(writer: RecordWriter, store: FaultyStore, runs: list[RunRecord]) -> None:
    """Without an error of the store's own the message says how long was waited."""
    store.open.clear()
    writer.put(runs[0])
    with pytest.raises(StoreUnavailableError, match=r"within 0\.05 s"):
        writer.flush(0.05)


def test_one_bad_row_costs_no_other(writer: RecordWriter, store: FaultyStore, runs: list[RunRecord]) -> None:
    """Of a refused batch every good row is stored, and only the bad row's run hears of it, once."""
    store.save(runs)
    bad = step_record(runs[0], 7)
    store.refused[bad.id] = BAD
    store.open.clear()
    writer.put(*(step_record(run, number) for number in range(1, 20) for run in runs))
    store.open.set()
    writer.flush(5, runs[1].id)
    with pytest.raises(StoreError, match="row refused"):
        writer.flush(5, runs[0].id)
    writer.flush(5)
    assert store.count_rows([runs[0].id]).steps == 18
    assert store.count_rows([runs[1].id]).steps == 19


def test_a_refused_change_is_its_runs_error(
    writer: RecordWriter, store: FaultyStore, runs: list[RunRecord]
) -> None:
    """The flush of the run raises the error of the refused update."""
    writer.put(*runs)
    store.refused[runs[0].id] = BAD
    writer.update_run(runs[0].id, attempt=1)
    with pytest.raises(StoreError, match="row refused"):
        writer.flush(5)


@pytest.mark.parametrize("error", [StoreAuthError("key refused"), StoreSchemaError("run `qa-queue migrate`")])
def test_what_concerns_every_row_is_asked_once(
    writer: RecordWriter, store: FaultyStore, runs: list[RunRecord], error: StoreError
) -> None:
    """A wrong key or a missing table is not tried again row by row, and every run hears of it."""
    store.outage = error
    writer.put(*runs)
    for run in runs:
        with pytest.raises(type(error), match=str(error)):
            writer.flush(5, run.id)
    assert store.calls == ["save 2"]


def test_a_bug_in_the_store_reaches_the_flush(
    writer: RecordWriter, store: FaultyStore, runs: list[RunRecord]
) -> None:
    """An error of another kind does not end the thread in silence."""
    store.outage = ZeroDivisionError("division by zero")
    writer.put(runs[0])
    with pytest.raises(StoreError, match="ZeroDivisionError: division by zero"):
        writer.flush(5)
    store.outage = None
    writer.put(runs[1])
    writer.flush(5)
    assert store.get_run(runs[1].id) == runs[1]


def test_a_refused_pattern_belongs_to_no_run(
    writer: RecordWriter, store: FaultyStore, runs: list[RunRecord]
) -> None:
    """It fails the flush of everything, and no run's."""
    pattern = pattern_record(runs[0].test_case_id)
    store.refused[pattern.id] = BAD
    writer.put(pattern)
    writer.flush(5, runs[0].id)
    with pytest.raises(StoreError, match="row refused"):
        writer.flush(5)


def test_closing_stores_what_waits_and_ends_the_writer(store: FaultyStore, runs: list[RunRecord]) -> None:
    """Afterwards `put` raises; closing again does not."""
    writer = RecordWriter(store)
    writer.put(*runs)
    writer.close()
    writer.close()
    assert store.existing_runs([run.id for run in runs]) == {run.id for run in runs}
    with pytest.raises(StoreError, match="closed"):
        writer.put(runs[0])


def test_closing_in_an_outage_says_what_was_lost(store: FaultyStore, runs: list[RunRecord]) -> None:
    """The error comes out and no thread stays behind."""
    store.outage = UNAVAILABLE
    writer = RecordWriter(store)
    writer.put(*runs)
    with pytest.raises(StoreUnavailableError):
        writer.close(0.05)


def test_a_change_of_no_column_is_refused_where_it_is_made(writer: RecordWriter) -> None:
    """The call raises, not a later flush."""
    with pytest.raises(StoreError, match="no column 'colour'"):
        writer.update_run("id", colour="red")


def test_the_rows_of_a_run_wait_for_its_flush(store: FaultyStore, runs: list[RunRecord]) -> None:
    """They go in one call, after its start, which does not wait; those of another run gather on."""
    store.save(runs)
    writer = RecordWriter(store, gather_s=3600)
    writer.update_run(runs[0].id, fence=1, status=RunStatus.RUNNING)
    wait_until(lambda: store.calls[-1] == "update_run fence,status", what="the start")
    for number in (1, 2):
        for run in runs:
            writer.put(step_record(run, number))
    writer.update_run(runs[0].id, fence=1, status=RunStatus.COMPLETED, worker="w")
    writer.flush(5, runs[0].id)
    assert store.calls[2:] == ["save 2", "update_run fence,status,worker"]
    writer.close()
    assert store.calls[4:] == ["save 2"]


def test_rows_are_stored_without_a_flush(store: FaultyStore, runs: list[RunRecord]) -> None:
    """Readers see the steps of a run that goes on."""
    store.save(runs)
    writer = RecordWriter(store, gather_s=0.01)
    writer.put(step_record(runs[0], 1))
    wait_until(lambda: store.list_steps([runs[0].id]), what="the row")
    writer.close()
