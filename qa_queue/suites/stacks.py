"""The stacks of this process: of its threads and of what waits in them, greenlets and tasks of asyncio.

A host loads this module by its path: it imports the standard library alone.
"""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import gc
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

SIGNAL = getattr(signal, "SIGRTMAX", signal.SIGUSR2)  # few programs use it
JOIN_S = 1.0  # for threads that run on after the session
_Stack = Iterator[tuple[FrameType, int]]
_FRAMES = 30  # of one stack, the most recent ones
_OWN_FOLDERS = ("_pytest", "pluggy", "playwright", "greenlet", "pyee")  # of packages whose frames explain nothing
_STANDARD = Path(os.__file__).parent


def dump_on_signal(fd: int) -> None:
    """Write the stacks to `fd` on `SIGNAL`, also while C code keeps the interpreter busy."""
    with contextlib.suppress(ValueError, OSError, RuntimeError):  # the signal belongs to someone else
        faulthandler.register(SIGNAL, file=fd, all_threads=True)


def end_soon(code: int) -> None:
    """Limit the time for which threads that still run keep this process, which is about to end, from ending."""
    joined = threading.Event()
    atexit.register(joined.set)  # the interpreter waits for its threads before it calls this

    def watch() -> None:
        if not joined.wait(JOIN_S):
            names = [one.name for one in threading.enumerate() if not one.daemon and one.is_alive()]
            sys.stderr.write(f"Threads of the tests still run and are ended: {', '.join(names)}\n")
            sys.stderr.flush()
            atexit._run_exitfuncs()
            os._exit(code)

    threading.Thread(target=watch, name="qa-queue end", daemon=True).start()


def stacks() -> str:
    """Return the stacks of the main thread, then those of others; without frames of pytest, Playwright and Python.

    Playwright's synchronous half runs its loop in a greenlet of the main thread, while the test waits in another.
    """
    frames = sys._current_frames()
    main = threading.main_thread().ident
    greenlets, tasks = _waiting()
    named: list[tuple[str | None, _Stack]] = [(None, _of_frame(frames[main]))] if main in frames else []
    named += [(None, _of_frame(one.gr_frame)) for one in greenlets]
    named += [(f"task {one.get_name()}", _of_coroutine(one.get_coro())) for one in tasks]
    named += [
        (f"thread {thread.name}", _of_frame(frames[thread.ident]))
        for thread in threading.enumerate()
        if thread.ident in frames and thread.ident not in (main, threading.get_ident())
    ]
    return "\n".join(filter(None, (_text(title, list(stack)) for title, stack in named)))


def _waiting() -> tuple[list[Any], list[Any]]:
    """Return the greenlets of the process that have a frame, and its unfinished tasks."""
    greenlet, task = _loaded("greenlet", "greenlet"), _loaded("asyncio", "Task")
    kept = [(one, type(one)) for one in gc.get_objects()]
    return (
        [one for one, kind in kept if issubclass(kind, greenlet) and one.gr_frame is not None],
        [one for one, kind in kept if issubclass(kind, task) and not one.done()],
    )


def _loaded(module: str, name: str) -> tuple[type, ...]:
    """Return a class of a module in a tuple; an empty one if nothing has imported the module."""
    found = getattr(sys.modules.get(module), name, None)
    return (found,) if isinstance(found, type) else ()


def _of_frame(frame: FrameType | None) -> _Stack:
    return reversed(list(traceback.walk_stack(frame)))


def _of_coroutine(coroutine: Any) -> _Stack:
    while (frame := getattr(coroutine, "cr_frame", None)) is not None:
        yield frame, frame.f_lineno
        coroutine = coroutine.cr_await


def _text(title: str | None, stack: list[tuple[FrameType, int]]) -> str:
    kept = [(frame, line) for frame, line in stack if not _is_own(frame.f_code.co_filename)]
    if not kept:
        return ""
    lines = traceback.StackSummary.extract(iter(kept[-_FRAMES:])).format()
    return "".join([f"{title}:\n"] * (title is not None) + lines).rstrip()


def _is_own(file: str) -> bool:
    """Return whether a file is of the standard library, of pytest or Playwright, or of the host."""
    path = Path(file)
    if "site-packages" in path.parts:
        return path.parts[path.parts.index("site-packages") + 1] in _OWN_FOLDERS
    return file.startswith("<frozen") or path.is_relative_to(_STANDARD) or path.parent == Path(__file__).parent
