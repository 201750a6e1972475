"""Run a command that dies with its parent: `python tied.py PARENT_PID COMMAND...`.

A small program of its own rather than a `preexec_fn`, which is unsafe beside threads. On Linux the kernel sends
SIGTERM when the thread that started this process ends, and exec keeps that setting; so start it from a thread
that lives as long as the parent. Elsewhere the command runs untied, and the next start ends what was left.
Uses the standard library alone: it is run by its path, without the package and without site-packages.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def tie(parent: int) -> None:
    """Ask for SIGTERM when the parent dies; leave at once if it already has."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(1)


if __name__ == "__main__":
    tie(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - running a command is what this program is for
