"""Programs that look after workers, to be killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

_OWN = ("REDIS_", "SUPABASE_", "QUEUE_", "RQ_", "QA_", "LOG_")
ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(sys.executable).with_name("qa-queue")


class Supervised:
    """A program with its descendants, all of them ended with the `with` block."""

    def __init__(self, log: Path, *command: str | Path, cwd: Path = ROOT, env: Mapping[str, str]) -> None:
        self.log = log
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OWN)}
        path = f"{PROGRAM.parent}{os.pathsep}{kept.get('PATH', os.defpath)}"
        with log.open("ab") as file:
            self.popen = subprocess.Popen(
                [str(word) for word in command],
                cwd=cwd,
                env={**kept, **env, "PATH": path},
                stdout=file,
                stderr=file,
            )
        self._process = psutil.Process(self.popen.pid)
        self._known: list[psutil.Process] = []

    def __enter__(self) -> Supervised:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for process in [*self.family(), *self._known]:
            if process.is_running():
                process.kill()
        self.popen.wait(10)

    def family(self) -> list[psutil.Process]:
        """The program and all its descendants; none once it has ended."""
        if self.popen.poll() is not None:
            return []
        return [self._process, *self._process.children(recursive=True)]

    def kill(self) -> list[psutil.Process]:
        """Kill -9 of the program alone; returns those that it leaves to themselves."""
        self._known = self.family()[1:]
        self.popen.kill()
        self.popen.wait(10)
        return self._known
