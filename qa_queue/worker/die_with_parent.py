"""End a process with its parent, in Python or for any command: `python die_with_parent.py PARENT_PID COMMAND...`.

On Linux the kernel sends a signal when the thread that started the process ends, so start it from a thread that
runs as long as the parent. The setting survives exec: commands are run by this file, not by a `preexec_fn`, which
is unsafe beside threads. Elsewhere only a parent that has already ended is detected: a worker's child ends when its
channel closes, and the next start of a stack ends what the last one left.

Imports the standard library only: the command runs this file by its path, without the package and site-packages.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent(parent: int, number: int = signal.SIGKILL) -> None:
    """Get a signal from the kernel when the thread that started this process ends; exit if `parent` has ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        sys.exit(1)


def bound_command(command: Sequence[str | Path]) -> list[str]:
    """Return the command line that runs `command` so that it gets SIGTERM when the calling thread ends."""
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *map(str, command)]


if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]), signal.SIGTERM)
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - running a command is the purpose of this program
