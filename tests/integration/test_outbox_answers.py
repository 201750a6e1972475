"""Answers of a server that is not available now: no row is lost or set aside for them, whatever their code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from qa_queue.local.process import LocalServer
from qa_queue.store.outbox import SET_ASIDE, Outbox
from qa_queue.store.records import RunRecord
from qa_queue.store.supabase import SupabaseStore
from qa_queue.store.writer import RecordWriter
from tests.support.poll import wait_until
from tests.support.proxies import ANSWERS, HttpProxy
from tests.support.records import case_record, run_record, step_record


@pytest.fixture
def line(supabase: LocalServer) -> Iterator[HttpProxy]:
    with HttpProxy(supabase.url) as line:
        yield line


@pytest.fixture
def store(line: HttpProxy, supabase: LocalServer) -> Iterator[SupabaseStore]:
    with closing(SupabaseStore(line.url, supabase.key or "")) as opened:
        yield opened


@pytest.fixture
def run(store: SupabaseStore) -> RunRecord:
    found = run_record(store.save_cases([case_record()])[0])
    store.save([found])
    return found


@pytest.mark.parametrize("mode", ANSWERS)
def test_rows_wait_in_the_outbox_until_the_server_takes_them(
    store: SupabaseStore, line: HttpProxy, run: RunRecord, tmp_path: Path, mode: str
) -> None:
    """Also those that an answer like this meets when they are delivered from the outbox."""
    writer = RecordWriter(store, outbox=Outbox(tmp_path, 1 << 20), jitter=lambda: 0.0)
    with closing(writer):
        line.mode = mode
        writer.put(step_record(run, 1))
        writer.update_run(run.id, worker="w1")
        writer.flush(30, run.id)
        refused = line.refused
        wait_until(lambda: line.refused > refused, timeout=60, what="another attempt")
        assert writer.depth.files == 1
        line.mode = "good"
        wait_until(lambda: writer.depth.files == 0, timeout=60, what="an empty outbox")
        found = store.get_run(run.id)
        assert found is not None
        assert found.worker == "w1"
        assert [step.number for step in store.list_steps([run.id])] == [1]
        assert not (tmp_path / SET_ASIDE).exists()
