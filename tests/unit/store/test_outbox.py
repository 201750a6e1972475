"""The outbox on disk: durable, in order, bounded, and drained by exactly one process."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from qa_queue.errors import StoreAuthError, StoreError, StoreUnavailableError
from qa_queue.models import RunStatus
from qa_queue.store.outbox import Outbox, OutboxFullError, decode, encode
from qa_queue.store.records import RunRecord
from qa_queue.store.write_batch import Entry, RunChange
from qa_queue.store.writer import RecordWriter
from tests.support.faulty_store import FaultyStore
from tests.support.poll import wait_until
from tests.support.processes import program
from tests.support.records import adaptation_row, artifact_record, case_record, run_record, step_record

AWAY = StoreUnavailableError("Supabase is away")
MIB = 1 << 20


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    box = Outbox(tmp_path / "outbox", MIB)
    yield box
    box.close()


@pytest.fixture
def store() -> FaultyStore:
    return FaultyStore()


@pytest.fixture
def run(store: FaultyStore) -> RunRecord:
    """A stored run."""
    found = run_record(store.save_cases([case_record()])[0])
    store.save([found])
    return found


def changes(*numbers: int) -> list[Entry]:
    return [RunChange("run", {"attempt": number}) for number in numbers]


def held(outbox: Outbox) -> list[Entry]:
    return [entry for segment in outbox.waiting() for entry in outbox.read(segment)]


def test_entries_of_every_kind_come_back_as_they_were() -> None:
    """Records and changes survive the way to disk."""
    run = run_record(case_record())
    entries = [
        run,
        step_record(run),
        artifact_record(run),
        adaptation_row(run),
        RunChange(run.id, {"worker": "ä\n"}),
    ]
    assert list(decode(b"".join(map(encode, entries)))) == entries


def test_order_is_kept_over_many_appends(outbox: Outbox) -> None:
    """First in, first out, across segments."""
    for number in range(5):
        outbox.append(changes(2 * number, 2 * number + 1))
        if number == 2:
            assert len(held(outbox)) == 6  # reading ends the segment
    assert held(outbox) == changes(*range(10))


@pytest.mark.parametrize("cut", [1, 4, 9, 20])
def test_a_torn_end_is_left_out(cut: int) -> None:
    """What a crash cut short was never promised; what stands before it was."""
    data = b"".join(map(encode, changes(1, 2)))
    assert list(decode(data[:-cut])) == changes(1)


def test_damage_in_the_middle_is_put_aside_and_said(outbox: Outbox, caplog: pytest.LogCaptureFixture) -> None:
    """It stops nobody, and nothing is thrown away."""
    outbox.append(changes(1, 2))
    (segment,) = outbox.waiting()
    data = bytearray(segment.read_bytes())
    data[10] ^= 0xFF
    segment.write_bytes(data)
    assert held(outbox) == []
    assert segment.with_suffix(".damaged").read_bytes() == data
    assert "cannot be read" in caplog.text
    outbox.append(changes(3))
    assert held(outbox) == changes(3)


def test_what_is_over_the_limit_is_refused_whole(tmp_path: Path) -> None:
    """The message says what to do; what was there stays."""
    outbox = Outbox(tmp_path / "outbox", 100)
    outbox.append(changes(1))
    with pytest.raises(OutboxFullError, match="QA_OUTBOX_MB"):
        outbox.append(changes(*range(10)))
    assert held(outbox) == changes(1)
    outbox.close()


def test_a_disk_that_takes_nothing_is_told_and_noticed_when_it_does_again(outbox: Outbox) -> None:
    """A write that is cut short leaves what stood before it whole."""
    outbox.append(changes(1))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(OutboxFullError, match="cannot be written"):
            outbox.append(changes(*range(100)))
        assert "Is the disk full?" in (outbox.obstacle() or "")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert outbox.obstacle() is None
    outbox.append(changes(2))
    assert held(outbox) == changes(1, 2)


def test_a_living_process_keeps_its_own(outbox: Outbox, tmp_path: Path) -> None:
    """Nobody else drains it, however often they look."""
    outbox.append(changes(1))
    other = Outbox(tmp_path / "outbox", MIB)
    other.adopt()
    assert other.waiting() == []
    assert other.depth == outbox.depth
    other.close()


def test_what_a_killed_process_left_is_adopted_by_one(tmp_path: Path) -> None:
    """Of two that look, one gets it; drained, its folder is gone."""
    source = """
import sys, time
from pathlib import Path
from qa_queue.store.write_batch import RunChange
from qa_queue.store.outbox import Outbox
Outbox.keep = box = Outbox(Path(sys.argv[1]), 1 << 20)
box.append([RunChange("run", {"attempt": n}) for n in range(3)])
print("kept", flush=True)
time.sleep(60)
"""
    root = tmp_path / "outbox"
    with program(source, root, cwd=Path.cwd()) as dying:
        assert dying.stdout is not None
        assert dying.stdout.readline() == "kept\n"
        os.kill(dying.pid, signal.SIGKILL)
        dying.wait(10)
    first, second = Outbox(root, MIB), Outbox(root, MIB)
    first.adopt()
    second.adopt()
    assert (held(first), held(second)) == (changes(0, 1, 2), [])
    for segment in first.waiting():
        first.remove(segment)
    assert list(root.iterdir()) == []
    first.close()
    second.close()


def test_a_flush_in_an_outage_is_safe_on_disk_and_arrives_later(
    store: FaultyStore, run: RunRecord, outbox: Outbox
) -> None:
    """The run's end is stored after its steps, once the store is back, with nobody asking."""
    store.outage = AWAY
    writer = RecordWriter(store, outbox=outbox)
    writer.put(step_record(run, 1))
    writer.update_run(run.id, status=RunStatus.COMPLETED)
    writer.flush(10, run.id)
    assert writer.depth.size > 0
    assert store.list_steps([run.id]) == []
    store.outage = None
    wait_until(lambda: writer.depth.size == 0, what="an empty outbox")
    assert [step.number for step in store.list_steps([run.id])] == [1]
    assert store.get_run(run.id) == run.model_copy(update={"status": RunStatus.COMPLETED})
    writer.close()


def test_what_a_closed_writer_left_is_stored_by_the_next(
    store: FaultyStore, run: RunRecord, tmp_path: Path
) -> None:
    """A worker that stops in an outage loses nothing."""
    store.outage = AWAY
    first = RecordWriter(store, outbox=Outbox(tmp_path / "outbox", MIB))
    first.update_run(run.id, worker="w1")
    first.close()
    store.outage = None
    second = RecordWriter(store, outbox=Outbox(tmp_path / "outbox", MIB))
    wait_until(lambda: second.depth.size == 0, what="an empty outbox")
    assert store.get_run(run.id) == run.model_copy(update={"worker": "w1"})
    second.close()


def test_what_waits_on_disk_goes_before_what_came_later(store: FaultyStore, run: RunRecord, outbox: Outbox) -> None:
    """A later word about a run is not overtaken."""
    store.outage = AWAY
    writer = RecordWriter(store, outbox=outbox)
    writer.update_run(run.id, worker="first")
    writer.flush(10, run.id)
    writer.update_run(run.id, worker="second")
    store.outage = None
    writer.flush(10, run.id)
    wait_until(lambda: writer.depth.size == 0, what="an empty outbox")
    assert store.get_run(run.id) == run.model_copy(update={"worker": "second"})
    writer.close()


def test_a_full_outbox_fails_the_flush_and_is_an_obstacle(
    store: FaultyStore, run: RunRecord, tmp_path: Path
) -> None:
    """The run hears of it, and so does whoever asks whether more may come."""
    store.outage = AWAY
    writer = RecordWriter(store, outbox=Outbox(tmp_path / "outbox", 400))
    for _ in range(2):
        writer.update_run(run.id, error="x" * 100)
        writer.update_run(run.id, status=RunStatus.RUNNING)
        if writer.obstacle is None and writer.depth.size == 0:
            writer.flush(10, run.id)
    with pytest.raises(OutboxFullError):
        writer.flush(10, run.id)
    store.outage = None
    wait_until(lambda: writer.depth.size == 0, what="an empty outbox")
    assert writer.obstacle is None
    writer.close()


def test_a_row_that_waited_and_is_refused_costs_no_other(
    store: FaultyStore, run: RunRecord, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told in the log, for its run has ended."""
    store.outage = AWAY
    writer = RecordWriter(store, outbox=outbox)
    bad, good = step_record(run, 1), step_record(run, 2)
    store.refused[bad.id] = StoreError("row refused")
    writer.put(bad, good)
    writer.flush(10, run.id)
    store.outage = None
    wait_until(lambda: writer.depth.size == 0, what="an empty outbox")
    assert store.list_steps([run.id]) == [good]
    assert "row refused" in caplog.text
    writer.close()


def test_a_refused_key_loses_nothing_that_waits(store: FaultyStore, run: RunRecord, outbox: Outbox) -> None:
    """It is no fault of the rows."""
    store.outage = AWAY
    writer = RecordWriter(store, outbox=outbox)
    writer.update_run(run.id, worker="w1")
    writer.flush(10, run.id)
    calls = len(store.calls)
    store.outage = StoreAuthError("key refused")
    wait_until(lambda: len(store.calls) > calls + 1, timeout=20, what="two more attempts")
    assert writer.depth.size > 0
    store.outage = None
    wait_until(lambda: writer.depth.size == 0, what="an empty outbox")
    assert store.get_run(run.id) == run.model_copy(update={"worker": "w1"})
    writer.close()
