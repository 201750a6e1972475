"""The embedded stack of a folder: its servers, the commands that use it, and its end in every way."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from qa_queue.errors import StackError
from qa_queue.local.process import launch
from qa_queue.local.stack import Stack, stack_runs, stack_variables
from qa_queue.local.stack_lock import ProcessId, StackLock, identify, is_held
from qa_queue.settings import Settings, load_settings
from qa_queue.store.supabase import SupabaseStore
from tests.support.poll import wait_until
from tests.support.processes import program, read_until, runs, wait_until_gone

ELSEWHERE = {"supabase_url": "http://127.0.0.1:9", "supabase_secret_key": "k"}  # so that Redis alone is started
HOLDER = """
import sys
from pathlib import Path
from qa_queue.local.stack import Stack
from qa_queue.settings import load_settings

with Stack(load_settings(qa_home=Path(sys.argv[1]))):
    print("ready", flush=True)
    sys.stdin.read()
"""
IN_ENVIRONMENT = {name.upper(): value for name, value in ELSEWHERE.items()}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home folder of the test's own; Supabase is configured, so it is not started."""
    monkeypatch.chdir(tmp_path)
    return load_settings(qa_home=tmp_path / "home", **ELSEWHERE)


def recorded_pids(home: Path) -> list[int]:
    """The processes that the stack in this folder has recorded."""
    return [child["pid"] for child in json.loads((home / "stack.json").read_text())["children"]]


def test_a_stack_starts_both_servers_and_every_command_in_the_folder_finds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From empty settings to tables that answer, and back to no process."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".qa").mkdir()
    (tmp_path / ".qa" / "cache").symlink_to(Path(__file__).resolve().parents[2] / ".qa" / "cache")
    with Stack(load_settings()) as stack:
        found = load_settings()
        store = SupabaseStore.from_settings(found)
        store.check()
        store.close()
        with redis.Redis.from_url(found.redis_dsn) as client:
            assert client.ping()
        assert (found.redis_url, found.supabase_url) == (stack.settings.redis_url, stack.settings.supabase_url)
        assert stat.S_IMODE((tmp_path / ".qa" / "stack.env").stat().st_mode) == 0o600
        assert stack.environment()["RQ_REDIS_URL"] == found.redis_url
        assert found.qa_state_key is not None
        assert stack.environment()["QA_STATE_KEY"] == found.qa_state_key.get_secret_value()
        pids = [server.pid for server in stack.servers]
        assert len(pids) == 2
    assert not [pid for pid in pids if runs(pid)]
    assert load_settings().redis_url is None
    assert not stack_runs(load_settings())


def test_a_configured_part_is_used_as_it_is_and_not_recorded(settings: Settings) -> None:
    """`stack.env` names only the servers that the stack started, and its key."""
    with Stack(settings) as stack:
        assert [server.service.name for server in stack.servers] == ["Redis"]
        assert set(stack_variables(settings.qa_home)) == {"REDIS_URL", "RQ_REDIS_URL", "QA_STATE_KEY"}
        assert stack.environment()["SUPABASE_URL"] == ELSEWHERE["supabase_url"]


def test_a_second_stack_in_the_folder_is_refused_and_the_first_keeps_running(settings: Settings) -> None:
    """Two would write to the same data."""
    with Stack(settings) as first:
        with pytest.raises(StackError, match=r"already running in .*home .*set QA_HOME"):
            Stack(settings).start()
        second = Stack(settings)
        second.stop()
        first.check()
        assert stack_variables(settings.qa_home)["REDIS_URL"] == first.settings.redis_url
        assert stack_runs(settings)


def test_the_servers_of_a_killed_stack_end_with_it_and_the_next_starts_its_own(settings: Settings) -> None:
    """The `stack.env` that it leaves behind is ignored."""
    home = settings.qa_home
    with program(HOLDER, home, cwd=home.parent, **IN_ENVIRONMENT) as holder:
        read_until(holder, "ready")
        pids = recorded_pids(home)
        assert all(runs(pid) for pid in pids)
        holder.kill()
        wait_until_gone(pids)
    assert not is_held(home)
    read_with_left_over = load_settings(qa_home=home, **ELSEWHERE)
    assert read_with_left_over.redis_url is not None
    with Stack(read_with_left_over) as stack:
        assert stack.settings.redis_url != read_with_left_over.redis_url
        assert load_settings(qa_home=home).qa_state_key == read_with_left_over.qa_state_key
        assert len(stack.servers) == 1


def test_servers_that_outlived_a_killed_stack_are_ended_by_the_next(tmp_path: Path) -> None:
    """On systems that do not end children with their parent, the record does."""
    with subprocess.Popen(["sleep", "100"]) as orphan:
        StackLock(tmp_path).record([orphan.pid])
        lock = StackLock(tmp_path)
        lock.acquire()
        assert orphan.wait(timeout=10) == -signal.SIGTERM
        lock.release()


def test_another_process_with_a_recorded_id_is_left_alone(tmp_path: Path) -> None:
    """Systems reuse ids: the start time decides."""
    with subprocess.Popen(["sleep", "100"]) as stranger:
        entry = {"owner": 1, "children": [{"pid": stranger.pid, "started": 1.5}]}
        (tmp_path / "stack.json").write_text(json.dumps(entry))
        lock = StackLock(tmp_path)
        lock.acquire()
        lock.release()
        assert runs(stranger.pid)
        stranger.kill()


def test_a_damaged_record_does_not_block_the_folder(tmp_path: Path) -> None:
    """A full disk may have cut it short."""
    (tmp_path / "stack.json").write_text('{"owner": 1, "chil')
    lock = StackLock(tmp_path)
    lock.acquire()
    assert lock.acquired
    lock.release()


def test_a_part_that_does_not_start_stops_the_others(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """No half of a stack keeps running."""
    started: list[int] = []

    def refuse(folder: Path, **options: object) -> None:
        started.extend(recorded_pids(settings.qa_home))
        raise StackError("no Supabase today")

    monkeypatch.setattr("qa_queue.local.stack.launch_supabase", refuse)
    with pytest.raises(StackError, match="no Supabase today"):
        Stack(load_settings(qa_home=settings.qa_home)).start()
    assert len(started) == 1
    assert not runs(started[0])
    assert not is_held(settings.qa_home)


def test_a_server_that_ended_is_restarted_on_its_port(settings: Settings) -> None:
    """Each time after a longer pause; what was said names the server and its exit code."""
    said: list[str] = []
    with Stack(settings, said.append) as stack:
        url, first = stack.servers[0].url, stack.servers[0].pid
        stack.check()
        for times in (1, 2):
            stack.servers[0].service.popen.kill()
            stack.servers[0].service.popen.wait()
            wait_until(lambda: stack.check() or stack.servers[0].service.running, what="the next start")
            stack.servers[0].wait_until_ready()
            assert recorded_pids(settings.qa_home)[0] == stack.servers[0].pid != first
            assert len(said) == times
        assert stack.servers[0].url == url
    assert said == [
        "Redis ended with code -9; restarting it in 1 s",
        "Redis ended with code -9; restarting it in 2 s",
    ]


def test_a_server_that_hangs_is_killed_and_restarted(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process is there and answers nothing, as Supabase Lite's after a full disk."""
    monkeypatch.setattr("qa_queue.local.stack._SILENT_S", 3.0)
    monkeypatch.setattr("qa_queue.local.process._ASK_S", 0.1)
    said: list[str] = []
    with Stack(settings, said.append) as stack:
        first = stack.servers[0]
        first.service.popen.send_signal(signal.SIGSTOP)
        wait_until(lambda: stack.check() or stack.servers[0].pid != first.pid, timeout=60, what="another process")
        stack.servers[0].wait_until_ready()
    assert said[0].startswith("Redis has not answered for 3 s; it is killed")
    assert said[1] == "Redis ended with code -9; restarting it in 1 s"


def test_no_error_quotes_a_secret_of_a_log(tmp_path: Path) -> None:
    """Supabase Lite prints its key when it starts."""
    command = [sys.executable, "-c", "print('key: sb_secret_abc'); raise SystemExit(3)"]
    service = launch("Supabase", command, log=tmp_path / "log", secrets=["sb_secret_abc"])
    with pytest.raises(StackError, match=r"(?s)Supabase ended with code 3.*key: \*\*\*") as caught:
        service.wait_until(lambda: False, 20)
    assert "sb_secret_abc" not in str(caught.value) + repr(service)


def test_a_process_is_identified_by_its_start_time() -> None:
    """The same process is recognized; an ended one and another one are not."""
    with subprocess.Popen(["sleep", "100"]) as popen:
        process = identify(popen.pid)
        assert process.alive
        assert not ProcessId(popen.pid, 1.5).alive
        process.end()
        assert not process.alive
        popen.wait()
    assert not identify(popen.pid).alive
