"""Which process a recorded process id meant: ids are used again, so its start time goes with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

_PAUSE = 0.02
_STAT_STATE, _STAT_START = 0, 19  # fields 3 and 22 of /proc/PID/stat, counted behind the command's name


@dataclass(frozen=True)
class ProcessId:
    """A process: its id and when it started, in whatever form the system tells it."""

    pid: int
    started: str

    @property
    def alive(self) -> bool:
        """Whether exactly this process still runs."""
        return start_time(self.pid) == self.started

    def end(self, grace: float = 8.0) -> None:
        """End it: SIGTERM, and SIGKILL after `grace` seconds; return when it is gone."""
        for how in (signal.SIGTERM, signal.SIGKILL):
            if not self.alive:
                return
            os.kill(self.pid, how)
            self._wait(grace)

    def _wait(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while self.alive and time.monotonic() < deadline:
            time.sleep(_PAUSE)


def identify(pid: int) -> ProcessId:
    """This process as it is now; one that has ended gets a start time that no process has."""
    return ProcessId(pid, start_time(pid) or "ended")


def start_time(pid: int) -> str | None:
    """When the process started; None where there is none or it has ended and only waits to be collected."""
    return _linux_start(pid) if sys.platform == "linux" else _ps_start(pid)


def _linux_start(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[_STAT_STATE] in "ZX" else fields[_STAT_START]


def _ps_start(pid: int) -> str | None:
    command = ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603 - fixed
    state, _, started = said.partition(" ")
    return None if not said or state.startswith("Z") else started.strip()
