"""The `qa-queue` program in processes of its own, on the session's real Redis and Supabase."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qa_queue.local.process import LocalServer
from tests.support.forked import can_be_forked, run_forked

PROGRAM = Path(sys.executable).with_name("qa-queue")
# Its arguments: the module at whose import it sends itself a signal, the signal, and the arguments of `qa-queue`.
INTERRUPTED_AT = """
import os, sys

MODULE, SIGNAL = sys.argv[1], int(sys.argv[2])

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == MODULE:
            os.kill(os.getpid(), SIGNAL)

sys.argv = ["qa-queue", *sys.argv[3:]]
sys.meta_path.insert(0, Interrupting())
from qa_queue.cli import main
main()
"""
_OWN = ("REDIS_", "SUPABASE_", "QUEUE_", "RQ_", "QA_", "LOG_", "CI")


@dataclass(frozen=True)
class Ended:
    """A command that ended: its exit code and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its output, read as JSON."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Program:
    """Runs commands in a folder with these settings as environment; if `fresh`, each in its own interpreter."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    fresh: bool = False

    def environment(self, **changes: str) -> dict[str, str]:
        """The environment of a command: the machine's, less the service's settings, and ours."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OWN)}
        return {**kept, "COLUMNS": "200", **self.settings, **changes}

    def __call__(self, *args: str | Path, timeout: float = 120, **changes: str) -> Ended:
        environment = self.environment(**changes)
        run = self._run_fresh if self.fresh or not can_be_forked(environment) else run_forked
        done = run([str(word) for word in args], folder=self.folder, environment=environment, timeout=timeout)
        return Ended(done.returncode, done.stdout, done.stderr)

    @staticmethod
    def _run_fresh(
        arguments: list[str], *, folder: Path, environment: dict[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PROGRAM, *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start(self, *args: str | Path, **changes: str) -> subprocess.Popen[str]:
        """A command that goes on; its output is read through pipes."""
        return subprocess.Popen(
            [PROGRAM, *args],
            cwd=self.folder,
            env=self.environment(**changes),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def settings_for(redis_url: str, supabase: LocalServer, browser: Path, home: Path) -> dict[str, str]:
    """The environment that points the program and its workers at these parts."""
    return {
        "REDIS_URL": redis_url,
        "SUPABASE_URL": supabase.url,
        "SUPABASE_SECRET_KEY": supabase.key or "",
        "QA_BROWSER_PATH": str(browser),
        "QA_HOME": str(home),
    }
