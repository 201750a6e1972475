"""Programs that tests start and look after."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.support.poll import wait_until


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
    """What the program prints up to the line with which all of these words have been said, in whatever order."""
    assert popen.stdout is not None
    seen = ""
    for line in popen.stdout:
        seen += line
        if all(word in seen for word in words):
            return seen
    raise AssertionError(f"the program ended without saying all of {words}; it said:\n{seen}")


def wait_until_gone(pids: list[int], timeout: float = 10.0) -> None:
    """Return when none of these processes runs."""
    wait_until(lambda: not [pid for pid in pids if runs(pid)], timeout, f"the end of the processes {pids}")


def command_of(process: psutil.Process) -> list[str]:
    """Its command line; empty where it has ended meanwhile."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def runs(pid: int) -> bool:
    """Whether the process runs; one that only waits to be collected does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
