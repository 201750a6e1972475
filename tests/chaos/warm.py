"""Processes of the service forked from an interpreter that has imported it: a start costs 0.1 s of CPU, not 2.

A forked process differs from one that its command starts in its imports alone: environment, arguments, output,
parent and signals are its own. A worker forks its child in the same way. A clock that is off must be there before
the imports, so there is one such interpreter for each clock. The scheduler evaluates no alert rules, and looks for
schedules, of which there are none, less often: both are calls to the database that prove nothing here.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from qa_queue.worker.die_with_parent import bound_command, die_with_parent
from tests.support.forked_child import fork_child
from tests.support.poll import wait_until
from tests.support.processes import ROOT, ServiceProcess, own_environment
from tests.support.workers import QUEUE, RQ

SKEWED = ROOT / "tests" / "support" / "skewed"
_IMPORTS = (
    "rq.cli",
    "qa_queue.worker.worker",
    "qa_queue.worker.child",
    "qa_queue.worker.scheduler",
    "tests.chaos.runtime",
)
_READY = b"ready\n"
_START_S = 120.0


class WarmPopen:
    """The part of `subprocess.Popen` that tests use, for a process that is not a child of this one."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._process: psutil.Process | None = None
        with contextlib.suppress(psutil.NoSuchProcess):
            self._process = psutil.Process(pid)

    def poll(self) -> int | None:
        """Return None while it runs; how it ended is not known."""
        process = self._process
        with contextlib.suppress(psutil.NoSuchProcess):
            if process is not None and process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                return None
        return 0

    def wait(self, timeout: float = 60) -> int:
        """Wait for its end."""
        wait_until(lambda: self.poll() is not None, timeout, f"the end of process {self.pid}")
        return 0

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        with contextlib.suppress(psutil.NoSuchProcess):
            if self._process is not None:
                self._process.send_signal(number)

    def kill(self) -> None:
        """Send SIGKILL, unless it has ended."""
        self.send_signal(signal.SIGKILL)


class WarmProcess(ServiceProcess):
    """A process of the service that a warm interpreter has forked."""

    def __init__(self, log: Path, pid: int) -> None:
        self.log = log
        log.touch()
        self.popen: Any = WarmPopen(pid)
        self.process = psutil.Process(pid)
        self._left: list[psutil.Process] = []


class WarmInterpreters:
    """The interpreters, each started when it is first needed and ended after the `with` block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> WarmInterpreters:
        return self

    def __exit__(self, *_: object) -> None:
        for popen in self._running.values():
            popen.terminate()
        for popen in self._running.values():
            popen.wait()

    def start(self, *clocks_s: int) -> None:
        """Start the interpreters of these clocks, given in s by which they are off."""
        new = [str(clock) for clock in dict.fromkeys(clocks_s) if str(clock) not in self._running]
        for clock in new:
            self._running[clock] = self._launch(clock)
        for clock in new:
            wait_until(lambda clock=clock: self._answers(clock), _START_S, f"a warm interpreter for clock {clock}")

    def worker(self, log: Path, env: Mapping[str, str]) -> WarmProcess:
        """Fork a worker as RQ's command starts it."""
        command = [str(RQ), "worker", "-w", "qa_queue.worker.QAWorker", QUEUE]
        return self._fork("worker", command, log, env)

    def scheduler(self, log: Path, env: Mapping[str, str]) -> WarmProcess:
        """Fork a scheduler."""
        return self._fork("scheduler", ["scheduler"], log, env)

    def _fork(self, target: str, argv: list[str], log: Path, env: Mapping[str, str]) -> WarmProcess:
        request = {"target": target, "argv": argv, "log": str(log), "env": own_environment(env)}
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self._socket(env.get("TEST_CLOCK_OFFSET", "0"))))
            client.sendall(json.dumps(request).encode() + b"\n")
            with client.makefile("rb") as answer:
                return WarmProcess(log, int(answer.readline()))

    def _launch(self, clock: str) -> subprocess.Popen[bytes]:
        path = [str(SKEWED), str(ROOT)] if clock != "0" else [str(ROOT)]
        command = bound_command([sys.executable, "-m", "tests.chaos.warm", self._socket(clock)])
        env = own_environment({"TEST_CLOCK_OFFSET": clock, "PYTHONPATH": os.pathsep.join(path)})
        with (self._folder / f"warm{clock}.log").open("wb") as log:
            return subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _answers(self, clock: str) -> bool:
        log = self._folder / f"warm{clock}.log"
        assert self._running[clock].poll() is None, log.read_text()
        return _READY in log.read_bytes()

    def _socket(self, clock: str) -> Path:
        return self._folder / f"warm{clock}"


def _module(name: str) -> Any:
    return importlib.import_module(name)


def _accept(listener: socket.socket) -> dict[str, Any]:
    """Fork a process for each request; return the request in the forked process alone."""
    server = os.getpid()
    while True:
        connection, _ = listener.accept()
        with connection:
            request: dict[str, Any] = json.loads(connection.makefile("rb").readline())
            if pid := os.fork():
                connection.sendall(f"{pid}\n".encode())
                continue
        listener.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        die_with_parent(server)
        return request


def main(path: str) -> None:
    """Import the service, then fork what is asked for; in a forked process, be that."""
    for name in _IMPORTS:
        _module(name)
    _use_once()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the forked processes are reaped at once
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        os.write(1, _READY)
        request = _accept(listener)
    output = os.open(request["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.argv = request["argv"]
    os.environ.clear()
    os.environ.update(request["env"])
    _run(request["target"])


def _use_once() -> None:
    """Do what is slow when it is first done: read a case and settings, load the certificates."""
    case = {"version": 1, "name": "A case", "steps": [{"goto": "/"}, {"expect": {"target": "h1", "text": "Text"}}]}
    _module("qa_queue.cases.reader").parse_case(case, source="warm")
    _module("qa_queue.settings").load_settings()
    transport = _module("httpx._transports.default")
    context = transport.create_ssl_context()
    transport.create_ssl_context = lambda **_: context


def _run(target: str) -> None:
    if target == "scheduler":
        scheduler = _module("qa_queue.worker.scheduler")
        scheduler.alert_tasks = lambda _: []
        scheduler._SCHEDULES_S = 5.0
        scheduler.main()
        return
    _module("qa_queue.worker.environment").complete_environment()
    _module("qa_queue.worker.child_supervisor").spawn = fork_child
    sys.exit(_module("rq.cli").main())


if __name__ == "__main__":
    main(sys.argv[1])
