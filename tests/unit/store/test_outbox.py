"""The outbox on disk: durable, in order, bounded, and drained by exactly one process."""

from __future__ import annotations

import json
import logging
import os
import resource
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from qa_queue.errors import RowRefusedError, StoreAuthError, StoreError, StoreUnavailableError
from qa_queue.models import RunStatus
from qa_queue.store.entries import Delivery, Entry, RunChange, decode, encode
from qa_queue.store.outbox import SET_ASIDE, Deliver, Outbox, OutboxFullError
from qa_queue.store.outbox_file import OutboxFile
from qa_queue.store.records import RunRecord
from qa_queue.store.writer import RecordWriter
from tests.support.faulty_store import FaultyStore
from tests.support.poll import wait_until
from tests.support.processes import program
from tests.support.records import adaptation_row, artifact_record, case_record, run_record, step_record

UNAVAILABLE = StoreUnavailableError("Supabase is unavailable")
MIB = 1 << 20
HOLDER = """
import sys, time
from pathlib import Path
from qa_queue.store.entries import RunChange
from qa_queue.store.outbox import Outbox
box = Outbox(Path(sys.argv[1]), 1 << 20)
box.append([RunChange("run", {"attempt": n}) for n in range(3)])
print("kept", flush=True)
time.sleep(60)
"""
DRAINER = """
import sys, time
from pathlib import Path
from qa_queue.store.entries import Delivery
from qa_queue.store.outbox import Outbox
box = Outbox(Path(sys.argv[1]), 1 << 20)
print("ready", flush=True)
sys.stdin.readline()
def deliver(entries):
    print(*(entry.fields["attempt"] for entry in entries), flush=True)
    return Delivery()
deadline = time.monotonic() + 20
while box.depth.files and time.monotonic() < deadline:
    box.drain(deliver)
"""


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
    """The waiting entries of the first database; they keep waiting."""
    seen: list[Entry] = []

    def look(entries: list[Entry]) -> Delivery:
        seen.extend(entries)
        return Delivery(outage=UNAVAILABLE)

    outbox.drain(look)
    return seen


def drained(outbox: Outbox) -> list[Entry]:
    """All entries that wait, which are delivered by this call."""
    seen: list[Entry] = []

    def take(entries: list[Entry]) -> Delivery:
        seen.extend(entries)
        return Delivery()

    assert outbox.drain(take) is None
    return seen


def set_aside(root: Path) -> list[dict[str, str]]:
    """The documents that were set aside."""
    path = root / SET_ASIDE
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@contextmanager
def limited(kind: int, value: int) -> Iterator[None]:
    """A limit of this process."""
    soft, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (value, hard))
    try:
        yield
    finally:
        resource.setrlimit(kind, (soft, hard))


def only_database(root: Path) -> Path:
    (path,) = root.glob("*.db")
    return path


def kill_holder(root: Path) -> None:
    """Run a process that keeps three entries, and kill it."""
    with program(HOLDER, root, cwd=Path.cwd()) as dying:
        assert dying.stdout is not None
        assert dying.stdout.readline() == "kept\n"
        os.kill(dying.pid, signal.SIGKILL)
        dying.wait(10)


def test_entries_of_every_kind_survive_the_way_to_disk() -> None:
    """Records and changes are decoded as they were encoded."""
    run = run_record(case_record())
    entries = [
        run,
        step_record(run),
        artifact_record(run),
        adaptation_row(run),
        RunChange(run.id, {"worker": "ä\n"}),
    ]
    assert [decode(encode(entry)) for entry in entries] == entries


@pytest.mark.parametrize(
    "text", ['{"run": "a"', '{"table": "unknown", "row": {}}', '{"table": "test_runs", "row": {}}']
)
def test_an_entry_that_this_version_cannot_read_is_a_value_error(text: str) -> None:
    """Cut short, of an unknown table, or without its columns."""
    with pytest.raises(ValueError):  # noqa: PT011 - of JSON, of pydantic, or our own
        decode(text)


def test_order_is_kept_over_many_appends(outbox: Outbox) -> None:
    """First in, first out, also when entries are appended between two attempts to deliver."""
    for number in range(5):
        outbox.append(changes(2 * number, 2 * number + 1))
        if number == 2:
            assert len(held(outbox)) == 6
    assert held(outbox) == changes(*range(10))


def test_many_entries_are_delivered_in_batches_in_order(outbox: Outbox, tmp_path: Path) -> None:
    """An outage between two batches neither repeats nor skips an entry."""
    outbox.append(changes(*range(500)))
    batches: list[list[Entry]] = []

    def take_one(entries: list[Entry]) -> Delivery:
        if batches:
            return Delivery(outage=UNAVAILABLE)
        batches.append(entries)
        return Delivery()

    assert outbox.drain(take_one) is UNAVAILABLE
    assert outbox.filled
    assert [*batches[0], *drained(outbox)] == changes(*range(500))
    assert not outbox.filled
    assert list((tmp_path / "outbox").iterdir()) == []


def test_entries_that_are_appended_during_a_delivery_follow(outbox: Outbox) -> None:
    """They are delivered by the same call, after the others."""
    outbox.append(changes(1))
    seen: list[Entry] = []

    def take(entries: list[Entry]) -> Delivery:
        if not seen:
            outbox.append(changes(2))
        seen.extend(entries)
        return Delivery()

    outbox.drain(take)
    assert seen == changes(1, 2)


@pytest.mark.parametrize(("cut", "survives"), [(0, True), (1, False), (9, False), (4000, False)])
def test_a_torn_end_is_left_out(outbox: Outbox, tmp_path: Path, cut: int, *, survives: bool) -> None:
    """An append that a crash cut short was never acknowledged; those before it were, and they survive."""
    outbox.append(changes(1))
    long: list[Entry] = [RunChange("run", {"error": "x" * 50_000})]  # the log ends with it
    database = only_database(tmp_path / "outbox")
    before = database.read_bytes()
    outbox.append(long)
    log = database.with_name(f"{database.name}-wal")
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    (crashed / database.name).write_bytes(before)  # the log is written first, the database after it
    content = log.read_bytes()
    (crashed / log.name).write_bytes(content[: len(content) - cut])
    other = Outbox(crashed, MIB)
    assert drained(other) == changes(1) + (long if survives else [])
    other.close()


def test_a_damaged_entry_is_set_aside_and_the_others_are_delivered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It blocks no other, it is reported, and its text is kept."""
    root = tmp_path / "outbox"
    box = Outbox(root, MIB)
    box.append([RunChange("first", {}), RunChange("second", {})])
    box.close()
    path = only_database(root)
    path.write_bytes(path.read_bytes().replace(b"first", b"fir5t"))
    assert drained(Outbox(root, MIB)) == [RunChange("second", {})]
    (kept,) = set_aside(root)
    assert "fir5t" in kept["entry"]
    assert "checksum" in kept["error"]
    assert "could not be stored" in caplog.text


def test_a_damaged_database_is_renamed_and_the_others_are_delivered(
    outbox: Outbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It blocks no other, it is reported, and nothing of it is deleted."""
    root = tmp_path / "outbox"
    other = Outbox(root, MIB)
    other.append(changes(1, 2))
    other.close()
    path = only_database(root)
    data = b"damaged" + path.read_bytes()[7:]
    path.write_bytes(data)
    outbox.append(changes(3))
    assert drained(outbox) == changes(3)
    assert path.with_suffix(".damaged").read_bytes() == data
    assert "cannot be read" in caplog.text


def test_entries_over_the_limit_are_refused_together(tmp_path: Path) -> None:
    """The message names the setting; the earlier entries stay."""
    outbox = Outbox(tmp_path / "outbox", 64 << 10)
    outbox.append(changes(1))
    with pytest.raises(OutboxFullError, match="QA_OUTBOX_MB"):
        outbox.append([RunChange("run", {"error": "x" * (64 << 10)})])
    assert held(outbox) == changes(1)
    outbox.close()


def test_a_full_disk_is_reported_until_it_has_space_again(outbox: Outbox) -> None:
    """A write that is cut short leaves the earlier entries whole."""
    outbox.append(changes(1))
    with limited(resource.RLIMIT_FSIZE, 100):
        with pytest.raises(OutboxFullError, match="cannot be written"):
            outbox.append(changes(*range(100)))
        assert "Is the disk full?" in (outbox.obstacle or "")
        assert held(outbox) == changes(1)
        assert "Is the disk full?" in (outbox.obstacle or "")
    outbox.append(changes(2))
    assert outbox.obstacle is None
    assert held(outbox) == changes(1, 2)


def test_a_disk_that_is_full_from_the_start_leaves_no_file(outbox: Outbox, tmp_path: Path) -> None:
    """The error says what to check."""
    with limited(resource.RLIMIT_FSIZE, 100), pytest.raises(OutboxFullError, match="Is the disk full"):
        outbox.append(changes(1))
    assert list((tmp_path / "outbox").iterdir()) == []
    outbox.append(changes(2))
    assert held(outbox) == changes(2)


def test_entries_are_delivered_once_while_the_disk_is_full(outbox: Outbox, tmp_path: Path) -> None:
    """SQLite needs space to delete a row; the entries are not delivered a second time for that."""
    outbox.append(changes(*range(300)))
    with limited(resource.RLIMIT_FSIZE, 0):
        assert drained(outbox) == changes(*range(300))
    assert list((tmp_path / "outbox").iterdir()) == []


def test_a_running_process_keeps_its_own_database(outbox: Outbox, tmp_path: Path) -> None:
    """No other process drains it."""
    outbox.append(changes(1))
    other = Outbox(tmp_path / "outbox", MIB)
    assert drained(other) == []
    assert other.depth == outbox.depth
    other.close()
    assert held(outbox) == changes(1)


def test_the_entries_of_a_killed_process_are_adopted_by_one(tmp_path: Path) -> None:
    """Of two processes, one gets them; afterwards no file is left."""
    root = tmp_path / "outbox"
    kill_holder(root)
    first, second = Outbox(root, MIB), Outbox(root, MIB)
    assert (held(first), held(second)) == (changes(0, 1, 2), [])
    assert drained(first) == changes(0, 1, 2)
    assert list(root.iterdir()) == []
    first.close()
    second.close()


def test_many_processes_that_compete_deliver_each_entry_once(tmp_path: Path) -> None:
    """SQLite's lock decides, at every moment of an adoption and a removal."""
    root = tmp_path / "outbox"
    for first in range(0, 30, 3):
        box = Outbox(root, MIB)
        box.append(changes(first, first + 1, first + 2))
        box.close()
    with ExitStack() as stack:
        command = [sys.executable, "-c", DRAINER, str(root)]
        drainers = [
            stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path.cwd())
            )
            for _ in range(4)
        ]
        for drainer in drainers:
            assert drainer.stdout is not None
            assert drainer.stdout.readline() == "ready\n"
        delivered = [drainer.communicate("go\n", timeout=30)[0].split() for drainer in drainers]
        assert [drainer.returncode for drainer in drainers] == [0] * 4
    assert Counter(int(number) for numbers in delivered for number in numbers) == Counter(range(30))
    assert list(root.iterdir()) == []


def test_a_flush_in_an_outage_is_safe_on_disk_and_arrives_later(
    store: FaultyStore, run: RunRecord, outbox: Outbox
) -> None:
    """The run's end is stored after its steps, once the store answers again, without another flush."""
    store.outage = UNAVAILABLE
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


def test_the_rows_that_a_closed_writer_left_are_stored_by_the_next(
    store: FaultyStore, run: RunRecord, tmp_path: Path
) -> None:
    """A worker that stops in an outage loses nothing."""
    store.outage = UNAVAILABLE
    first = RecordWriter(store, outbox=Outbox(tmp_path / "outbox", MIB))
    first.update_run(run.id, worker="w1")
    first.close()
    store.outage = None
    second = RecordWriter(store, outbox=Outbox(tmp_path / "outbox", MIB))
    wait_until(lambda: second.depth.size == 0, what="an empty outbox")
    assert store.get_run(run.id) == run.model_copy(update={"worker": "w1"})
    second.close()


def test_rows_on_disk_are_stored_before_newer_ones(store: FaultyStore, run: RunRecord, outbox: Outbox) -> None:
    """A later change of a run is not overtaken."""
    store.outage = UNAVAILABLE
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
    """The run's flush raises, and the runtime learns that no more jobs should be taken."""
    store.outage = UNAVAILABLE
    writer = RecordWriter(store, outbox=Outbox(tmp_path / "outbox", 32 << 10))
    writer.update_run(run.id, error="x" * 100)
    writer.flush(10, run.id)
    writer.update_run(run.id, error="x" * (32 << 10))
    with pytest.raises(OutboxFullError):
        writer.flush(10, run.id)
    while writer.obstacle is None:
        writer.update_run(run.id, error="x" * 1000)
        writer.flush(10, run.id)
    assert "is full" in writer.obstacle
    store.outage = None
    wait_until(lambda: writer.depth.size == 0, what="an empty outbox")
    wait_until(lambda: writer.obstacle is None, what="no obstacle")
    writer.close()


def test_a_waiting_row_whose_content_is_refused_is_set_aside(
    store: FaultyStore, run: RunRecord, outbox: Outbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The others are stored; the refused one is logged, because its run has ended, and kept for inspection."""
    store.outage = UNAVAILABLE
    writer = RecordWriter(store, outbox=outbox)
    bad, good = step_record(run, 1), step_record(run, 2)
    store.refused[bad.id] = RowRefusedError("row refused")
    writer.put(bad, good)
    writer.flush(10, run.id)
    store.outage = None
    wait_until(lambda: writer.depth.size == 0, what="an empty outbox")
    assert store.list_steps([run.id]) == [good]
    assert "row refused" in caplog.text
    (kept,) = set_aside(tmp_path / "outbox")
    assert decode(kept["entry"]) == bad
    assert kept["error"] == "row refused"
    writer.close()


@pytest.mark.parametrize(
    "outage",
    [
        StoreAuthError("key refused"),
        StoreError("host answered 404: is SUPABASE_URL the project's URL?"),
        ZeroDivisionError("a bug"),
    ],
)
def test_every_error_but_a_refused_row_is_an_outage(
    store: FaultyStore, run: RunRecord, outbox: Outbox, tmp_path: Path, outage: Exception
) -> None:
    """No row is lost for it: neither one that waits nor one that is flushed meanwhile."""
    store.outage = UNAVAILABLE
    writer = RecordWriter(store, outbox=outbox)
    writer.update_run(run.id, worker="w1")
    writer.flush(10, run.id)
    calls = len(store.calls)
    store.outage = outage
    writer.update_run(run.id, status=RunStatus.COMPLETED)
    writer.flush(10, run.id)
    wait_until(lambda: len(store.calls) > calls + 1, timeout=20, what="two more attempts")
    assert writer.depth.size > 0
    store.outage = None
    wait_until(lambda: writer.depth.size == 0, what="an empty outbox")
    assert store.get_run(run.id) == run.model_copy(update={"worker": "w1", "status": RunStatus.COMPLETED})
    assert set_aside(tmp_path / "outbox") == []
    writer.close()


def test_an_outage_is_logged_when_it_begins_and_when_it_ends(
    store: FaultyStore, run: RunRecord, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    """Each once, with the reason."""
    caplog.set_level(logging.INFO)
    store.outage = UNAVAILABLE
    writer = RecordWriter(store, outbox=outbox)
    writer.update_run(run.id, worker="w1")
    wait_until(lambda: len(store.calls) > 2, what="three attempts")
    store.outage = None
    writer.flush(10)
    wait_until(lambda: writer.depth.size == 0, what="an empty outbox")
    writer.close()
    reports = [record.getMessage() for record in caplog.records if "Results" in record.getMessage()]
    assert len(reports) == 2
    assert "Supabase is unavailable" in reports[0]
    assert "stored in Supabase again" in reports[1]


def test_the_writer_survives_a_lack_of_file_descriptors(
    store: FaultyStore, run: RunRecord, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    """The folder cannot be read meanwhile; later every row is stored."""
    store.outage = UNAVAILABLE
    writer = RecordWriter(store, outbox=outbox)
    writer.update_run(run.id, worker="w1")
    writer.flush(10, run.id)
    with limited(resource.RLIMIT_NOFILE, 3):
        assert writer.depth.files == 1
        wait_until(lambda: "Too many open files" in caplog.text, timeout=20, what="an attempt")
        store.outage = None
        writer.update_run(run.id, status=RunStatus.COMPLETED)
    writer.flush(10, run.id)
    wait_until(lambda: writer.depth.size == 0, what="an empty outbox")
    assert store.get_run(run.id) == run.model_copy(update={"worker": "w1", "status": RunStatus.COMPLETED})
    writer.close()


def test_a_drain_without_file_descriptors_is_an_outage(outbox: Outbox, tmp_path: Path) -> None:
    """What ended processes have left cannot be opened then, and is delivered later."""
    left = Outbox(tmp_path / "outbox", MIB)
    left.append(changes(1))
    left.close()
    with limited(resource.RLIMIT_NOFILE, 3):
        outage = outbox.drain(lambda _: Delivery())
    assert isinstance(outage, StoreError)
    assert "Too many open files" in str(outage)
    assert drained(outbox) == changes(1)


def test_the_writer_survives_an_outbox_that_fails_in_any_way(
    store: FaultyStore,
    run: RunRecord,
    outbox: Outbox,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It tries again, and nothing newer overtakes what waits."""
    drain = outbox.drain
    left = [MemoryError("no memory"), OSError("no file descriptor"), ZeroDivisionError("a bug")]

    def fail_first(deliver: Deliver) -> StoreError | None:
        if left:
            raise left.pop()
        return drain(deliver)

    monkeypatch.setattr(outbox, "drain", fail_first)
    writer = RecordWriter(store, outbox=outbox)
    writer.update_run(run.id, worker="w1")
    wait_until(lambda: store.get_run(run.id) == run.model_copy(update={"worker": "w1"}), what="the change")
    writer.close()
    assert left == []
    assert caplog.text.count("The outbox could not be drained") == 3


def test_a_change_that_a_flush_moved_to_disk_is_not_repeated_after_a_newer_one(
    store: FaultyStore, run: RunRecord, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer's thread is held while it drains, as a slow disk would, and both flushes overtake it."""
    store.outage = UNAVAILABLE
    draining, go_on = threading.Event(), threading.Event()
    drain = outbox.drain

    def slowly(deliver: Deliver) -> StoreError | None:
        if not go_on.is_set():
            draining.set()
            assert go_on.wait(10)
        return drain(deliver)

    monkeypatch.setattr(outbox, "drain", slowly)
    writer = RecordWriter(store, outbox=outbox)
    writer.update_run(run.id, worker="first")
    assert draining.wait(10)
    outbox.append([RunChange(run.id, {"worker": "first"}), RunChange(run.id, {"worker": "second"})])
    with writer._turn:
        writer._drop(writer._numbers_of(run.id))
    store.outage = None
    go_on.set()
    wait_until(lambda: writer.depth.size == 0, what="an empty outbox")
    writer.close()
    assert store.get_run(run.id) == run.model_copy(update={"worker": "second"})


def test_a_document_that_comes_between_forgetting_and_reading_is_kept(tmp_path: Path) -> None:
    """Its number is new, although the file was empty."""
    file = OutboxFile(tmp_path / "own.sqlite", create=True)
    file.append([b"first"])
    (first,) = file.read(10)
    file.forget(first.id)
    file.append([b"second"])
    assert [document.content for document in file.read(10)] == [b"second"]
    file.close()
