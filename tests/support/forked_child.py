"""A worker's child that is forked from its worker, which has imported what the child needs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import NoReturn

_TICK_S = 0.01


class ForkedChild:
    """The part of `subprocess.Popen` that a worker uses of its child."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        if self._code is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if ended else None
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() >= deadline:
                raise subprocess.TimeoutExpired(["child"], timeout or 0.0)
            time.sleep(_TICK_S)
        return code


def fork_child(fd: int, environment: Mapping[str, str]) -> ForkedChild:
    """Fork a worker's child."""
    parent = os.getpid()
    if not (pid := os.fork()):
        _be_child(fd, parent, environment)
    return ForkedChild(pid)


def _be_child(fd: int, parent: int, environment: Mapping[str, str]) -> NoReturn:
    os.setsid()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for other in [int(path.name) for path in Path("/dev/fd").iterdir()]:
        if other not in (1, 2, fd, nothing):  # replaced, not closed: objects of the worker still name them
            with contextlib.suppress(OSError):
                os.dup2(nothing, other)
    os.environ.clear()
    os.environ.update(environment)
    exit_after(lambda: import_module("qa_queue.worker.child").main(fd, parent))


def exit_after(work: Callable[[], None]) -> NoReturn:
    """Do the work and end the process without unwinding what the process that forked it was doing."""
    code = 1
    try:
        work()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if isinstance(ended.code, str):
            os.write(2, f"{ended.code}\n".encode())
    except BaseException:  # noqa: BLE001 - as the interpreter does at the end of a program
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type] # there is an exception
    finally:
        os._exit(code)
