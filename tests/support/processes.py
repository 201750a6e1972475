"""Programs that tests start, and the state of processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import psutil

from tests.support.forked import ForkedProcess, can_be_forked, start_forked
from tests.support.poll import wait_until

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(sys.executable).parent
_OWN = ("REDIS_", "SUPABASE_", "QUEUE_", "RQ_", "QA_", "LOG_")


def own_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the machine's environment with these settings alone of the service, and its scripts on PATH."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OWN)}
    path = f"{SCRIPTS}{os.pathsep}{kept.get('PATH', os.defpath)}"
    return {**kept, **settings, "PATH": path}


class ServiceProcess:
    """A process of the service with its output in `log`; killed with its descendants after the `with` block."""

    def __init__(
        self,
        log: Path,
        *command: str | Path,
        cwd: Path = ROOT,
        env: Mapping[str, str],
        forked: str | None = None,
    ) -> None:
        """Start a command, or fork `forked`, the module whose `main` it runs, if its imports are the usual ones."""
        words, environment = [str(word) for word in command], own_environment(env)
        self.log = log
        self.popen: subprocess.Popen[bytes] | ForkedProcess
        with log.open("ab") as file:
            if forked is None or not can_be_forked(environment):
                self.popen = subprocess.Popen(words, cwd=cwd, env=environment, stdout=file, stderr=file)
            else:
                self.popen = start_forked(forked, words, folder=cwd, environment=environment, out=file, err=file)
        self.process = psutil.Process(self.popen.pid)
        self._left: list[psutil.Process] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for process in [*self.family(), *self._left]:
            if process.is_running():
                process.kill()
        self.popen.wait(10)

    @property
    def running(self) -> bool:
        """True while the process runs."""
        return self.popen.poll() is None

    @property
    def text(self) -> str:
        """Its output so far."""
        return self.log.read_text()

    def says(self, words: str, timeout: float = 60) -> None:
        """Wait until these words are in the output."""
        wait_until(lambda: words in self.text, timeout=timeout, what=f"{words!r} in {self.text!r}")

    def family(self) -> list[psutil.Process]:
        """Return the process and all its descendants; none once it has ended."""
        return [self.process, *self.process.children(recursive=True)] if self.running else []

    def signal(self, number: int) -> None:
        """Send a signal to the process alone."""
        self.popen.send_signal(number)

    def wait(self, timeout: float = 60) -> int:
        """Wait for the end and return the exit code."""
        return self.popen.wait(timeout)

    def kill(self) -> list[psutil.Process]:
        """Kill the process alone and return its former descendants."""
        self._left = self.family()[1:]
        self.popen.kill()
        self.popen.wait(10)
        return self._left


@contextmanager
def program(source: str, *arguments: object, cwd: Path, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """A Python program with its output on a pipe; killed at the end if it still runs."""
    popen = subprocess.Popen(
        [sys.executable, "-c", source, *map(str, arguments)],
        cwd=cwd,
        env=os.environ | variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with popen:
        try:
            yield popen
        finally:
            popen.kill()


def read_until(popen: subprocess.Popen[str], *words: str) -> str:
    """Return the output of a program up to the line that completes these words, in any order."""
    assert popen.stdout is not None
    seen = ""
    for line in popen.stdout:
        seen += line
        if all(word in seen for word in words):
            return seen
    raise AssertionError(f"the program ended without all of {words}; its output was:\n{seen}")


def wait_until_gone(pids: list[int], timeout: float = 10.0) -> None:
    """Wait until none of these processes runs."""
    wait_until(lambda: not [pid for pid in pids if runs(pid)], timeout, f"the end of the processes {pids}")


def command_of(process: psutil.Process) -> list[str]:
    """Return the command line of a process; empty if it has ended."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def runs(pid: int) -> bool:
    """Return whether the process runs; a zombie does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def gone(processes: list[psutil.Process]) -> bool:
    """Return whether none of these processes runs any more."""
    return all(not process.is_running() or process.status() == psutil.STATUS_ZOMBIE for process in processes)
