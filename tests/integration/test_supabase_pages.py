"""A Supabase that gives fewer rows than a query asks for: no row may be missing from the result."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from qa_queue.local.process import LocalServer
from qa_queue.models import RunStatus
from qa_queue.store.records import RunRecord
from qa_queue.store.supabase import SupabaseStore
from tests.support.proxies import HttpProxy
from tests.support.records import adaptation_row, case_record, run_record

ROWS = 25


@pytest.fixture
def line(supabase: LocalServer) -> Iterator[HttpProxy]:
    with HttpProxy(supabase.url) as line:
        line.max_rows = 7
        yield line


@pytest.fixture
def store(line: HttpProxy, supabase: LocalServer) -> Iterator[SupabaseStore]:
    opened = SupabaseStore(line.url, supabase.key or "")
    yield opened
    opened.close()


@pytest.fixture
def runs(store: SupabaseStore) -> list[RunRecord]:
    """The runs of one batch of one case."""
    case = store.save_cases([case_record()])[0]
    batch = str(uuid4())
    found = [run_record(case, batch_id=batch) for _ in range(ROWS)]
    store.save(found)
    return found


@pytest.mark.parametrize(("limit", "found"), [(10, 10), (ROWS, ROWS), (100, ROWS)])
def test_all_runs_are_listed(store: SupabaseStore, runs: list[RunRecord], limit: int, found: int) -> None:
    """Up to the limit of the caller, not that of the server."""
    listed = store.list_runs(batch_id=runs[0].batch_id, limit=limit)
    assert len({run.id for run in listed}) == len(listed) == found


def test_all_runs_of_a_batch_are_counted(store: SupabaseStore, runs: list[RunRecord]) -> None:
    """A verdict on a batch needs every run."""
    batch = str(runs[0].batch_id)
    assert store.schedules.statuses([batch]) == {batch: {RunStatus.QUEUED: ROWS}}
    assert store.existing_runs([run.id for run in runs]) == {run.id for run in runs}


def test_all_adaptations_of_a_run_are_found(store: SupabaseStore, runs: list[RunRecord]) -> None:
    """By run, and among those of all runs."""
    store.save([adaptation_row(runs[0], number) for number in range(1, ROWS + 1)])
    assert len(store.list_adaptations([runs[0].id])) == ROWS
    assert len(store.find_adaptations(run_id=runs[0].id, limit=100)) == ROWS
    assert len(store.find_adaptations(run_id=runs[0].id, limit=10)) == 10


def test_all_batches_are_listed(store: SupabaseStore) -> None:
    """Newest first, each once."""
    case = store.save_cases([case_record()])[0]
    batches = [str(uuid4()) for _ in range(ROWS)]
    store.save([run_record(case, batch_id=batch) for batch in batches])
    listed = [batch.id for batch in store.batches.newest(limit=1000)]
    assert len(listed) == len(set(listed))
    assert set(batches) <= set(listed)
