"""`qa-queue up`: the lines of a Procfile run together and end together, and no process is left."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from qa_queue.errors import StackError
from qa_queue.local.process import free_port
from qa_queue.local.supervise import Supervisor
from qa_queue.local.up import up
from qa_queue.settings import child_environment, load_settings
from tests.support.poll import wait_until
from tests.support.processes import program, read_until, runs, wait_until_gone

SERVICE = """
import sys
from pathlib import Path
from qa_queue.errors import QAError
from qa_queue.local.up import up
from qa_queue.settings import load_settings

try:
    sys.exit(up(load_settings(), Path(sys.argv[1])))
except QAError as error:
    print(f"refused: {error}")
    sys.exit(3)
"""
SLEEPER = (
    'python -c \'import os, time; print("sleeper", os.getpid(), os.environ["RQ_REDIS_URL"][:8]); time.sleep(99)\''
)
PATIENCE_S = 120
COMPOUND = "sleep 98 & echo compound $! ; wait"


@contextmanager
def service(folder: Path, **lines: str) -> Iterator[subprocess.Popen[str]]:
    """Run `up` in its own process, on its own Redis, with these lines as its Procfile."""
    procfile = folder / "Procfile"
    procfile.write_text("".join(f"{name}: {line}\n" for name, line in lines.items()))
    variables = {
        "QA_HOME": str(folder / "home"),
        "SUPABASE_URL": "http://127.0.0.1:9",
        "SUPABASE_SECRET_KEY": "k",
        "QA_WEB_PORT": str(free_port()),
        "QA_DASHBOARD_PORT": str(free_port()),
    }
    with program(SERVICE, procfile, cwd=folder, **variables) as running:
        watchdog = threading.Timer(PATIENCE_S, running.kill)  # tests read its output to the end
        watchdog.start()
        try:
            yield running
        finally:
            watchdog.cancel()


def pids_of(text: str, name: str) -> list[int]:
    """The process ids in the lines of this name."""
    return [int(found) for found in re.findall(rf"{name} (\d+)", text)]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_every_process_and_nothing_is_left(how: signal.Signals, tmp_path: Path) -> None:
    """Ctrl-C, `kill`, and the closing of a terminal have the same effect: exit code 0."""
    with service(tmp_path, job=SLEEPER, both=COMPOUND) as running:
        text = read_until(running, "redis://127", "sleeper", "compound")
        pids = pids_of(text, "sleeper") + pids_of(text, "compound")
        running.send_signal(how)
        rest = running.stdout.read()
        assert running.wait(timeout=30) == 0
    assert "everything has stopped" in rest
    wait_until_gone(pids)


def test_each_line_is_printed_with_its_name_and_passwords_are_not(tmp_path: Path) -> None:
    """Addresses are for people; only the processes get a login."""
    with service(tmp_path, job=SLEEPER) as running:
        text = read_until(running, "sleeper")
        running.send_signal(signal.SIGINT)
        text += running.stdout.read()
    assert re.search(r"^\d\d:\d\d:\d\d job      \| sleeper \d+ redis://", text, re.MULTILINE)
    assert (tmp_path / "home" / "redis" / "password").read_text() not in text
    assert (tmp_path / "home" / "dashboard_password").read_text() not in text


def test_the_processes_of_a_killed_service_end_with_it(tmp_path: Path) -> None:
    """`kill -9` leaves no time to clean up."""
    with service(tmp_path, job=SLEEPER) as running:
        text = read_until(running, "sleeper")
        running.kill()
    wait_until_gone(pids_of(text, "sleeper"))


def test_a_process_that_ends_is_restarted(tmp_path: Path) -> None:
    """A line reports it."""
    with service(tmp_path, job=SLEEPER, once="test -e mark || { touch mark; exit 4; }; sleep 97") as running:
        text = read_until(running, "restarting")
        running.send_signal(signal.SIGINT)
        rest = running.stdout.read()
    assert "once ended with code 4; restarting" in text
    assert "once ended" not in rest


def test_a_redis_that_dies_is_restarted_and_the_service_continues(tmp_path: Path) -> None:
    """On its port, so that the workers find it again."""
    with service(tmp_path, job=SLEEPER) as running:
        text = read_until(running, "sleeper")
        redis_pid = int(re.search(r'"pid": (\d+)', (tmp_path / "home" / "stack.json").read_text())[1])
        assert runs(redis_pid)
        os.kill(redis_pid, signal.SIGKILL)
        text += read_until(running, "Redis ended with code -9; restarting it in 1 s")
        record = tmp_path / "home" / "stack.json"
        again = wait_until(lambda: (pid := _redis_pid(record)) != redis_pid and pid, what="the next Redis")
        assert runs(again)
        assert running.poll() is None
        running.send_signal(signal.SIGTERM)
        running.stdout.read()
        assert running.wait(timeout=30) == 0
    wait_until_gone([again, *pids_of(text, "sleeper")])


def _redis_pid(record: Path) -> int:
    found = re.search(r'"pid": (\d+)', record.read_text())
    return int(found[1]) if found else 0


def test_a_process_that_keeps_ending_stops_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names it; the others are stopped too."""
    monkeypatch.setattr(
        "qa_queue.local.supervise.restart_delay", lambda starts, now: None if len(starts) > 2 else 0.0
    )
    said: list[str] = []
    commands = {"bad": "sh -c 'echo oops; exit 5'", "good": SLEEPER}
    supervisor = Supervisor(
        commands,
        child_environment({"RQ_REDIS_URL": "x", "PYTHONUNBUFFERED": "1"}),
        lambda name, text: said.append(f"{name}: {text}"),
    )
    with pytest.raises(StackError, match=r"bad ended 5 times .* the last time with code 5"):
        supervisor.run()
    assert said.count("bad: oops") == 3
    wait_until_gone([pid for line in said for pid in pids_of(line, "sleeper")])


def test_a_second_request_to_stop_does_not_wait_for_jobs() -> None:
    """A worker that finishes its job first can be interrupted."""
    said: list[str] = []
    stubborn = "sh -c \"trap '' TERM; echo stubborn $$; while :; do sleep 0.1; done\""

    def say(name: str, text: str) -> None:
        said.append(text)
        supervisor.ask_to_stop()
        supervisor.ask_to_stop()

    supervisor = Supervisor({"job": stubborn}, child_environment({}), say)
    supervisor.run()
    wait_until_gone([pid for line in said for pid in pids_of(line, "stubborn")])
    assert said


def test_a_port_in_use_is_refused_before_anything_starts(tmp_path: Path) -> None:
    """A service without its pages is useless."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = load_settings(qa_home=tmp_path / "home", qa_web_port=port)
        (tmp_path / "Procfile").write_text("job: true\n")
        with pytest.raises(StackError, match=f"QA_WEB_PORT={port} is in use"):
            up(settings, tmp_path / "Procfile")
    assert not (tmp_path / "home").exists()
