"""Processes that run together: their output in one stream, restarted when they end, stopped together.

Each leads a process group of its own, so that Ctrl-C in a terminal reaches only the supervisor, and so that the
processes that one leaves behind can be killed with it. They end with the supervisor's thread.
"""

from __future__ import annotations

import os
import queue
import re
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from qa_queue.errors import StackError
from qa_queue.worker.die_with_parent import bound_command

RESTART_WINDOW_S = 60.0
MAX_STARTS = 5  # within the window
_TICK_S = 0.1
_GRACE_S = 20.0  # a worker finishes its job first
_RESERVED = frozenset({"while", "until", "for", "if", "case", "{", "!", "exec", "cd", "export", "set", "."})
_REDIRECTED = re.compile(r"[<>]&")  # this & does not start a background process


def restart_delay(starts: Sequence[float], now: float) -> float | None:
    """Return the seconds to wait before the next start, or None to give up.

    `starts` are the times, in seconds, of the starts so far. The first restart within the window is immediate, the
    next ones wait 1, 2 and 4 s.
    """
    recent = sum(1 for start in starts if now - start <= RESTART_WINDOW_S)
    if recent >= MAX_STARTS:
        return None
    return 0.0 if recent <= 1 else 2.0 ** (recent - 2)


def as_one_process(command: str) -> str:
    """Return the shell command with `exec` before it, if it is a single program, so that no shell stays above it.

    `env` applies leading `NAME=value` words. A compound line keeps its shell, which gets our signals; the processes
    that it started are killed once it has ended.
    """
    tokens = shlex.shlex(_REDIRECTED.sub(">", command), posix=True, punctuation_chars=";&|()")
    tokens.whitespace_split = True
    words = list(tokens)
    compound = words[0] in _RESERVED or any(set(word) <= set(";&|()") for word in words)
    return command if compound else f"exec env {command}"


@dataclass
class _Child:
    command: str
    popen: subprocess.Popen[bytes] | None = None
    starts: list[float] = field(default_factory=list)
    due: float | None = 0.0  # when to start it, on the monotonic clock; None while it runs

    @property
    def running(self) -> bool:
        return self.popen is not None and self.popen.poll() is None


class Supervisor:
    """Run shell commands by name. `say(name, text)` gets each line of their output; our own lines have no name."""

    def __init__(
        self, commands: Mapping[str, str], environment: Mapping[str, str], say: Callable[[str, str], None]
    ) -> None:
        self._children = {name: _Child(command) for name, command in commands.items()}
        self._environment = dict(environment)
        self._say = say
        self._lines: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()
        self._asked = 0

    def ask_to_stop(self) -> None:
        """Make `run` return; after a second call it does not wait for running jobs. Safe in a signal handler."""
        self._asked += 1

    def run(self, watch: Callable[[], None] = lambda: None) -> None:
        """Start all processes and block until asked to stop; call `watch`, which may raise, ten times a second.

        Raises:
            StackError: a process ended too often. On every error all processes have been stopped.
        """
        try:
            while not self._asked:
                self._start_due()
                self._print_for(_TICK_S)
                self._collect()
                watch()
        finally:
            self._stop()

    def _start_due(self) -> None:
        now = time.monotonic()
        for name, child in self._children.items():
            if child.due is not None and now >= child.due:
                self._start(name, child, now)

    def _start(self, name: str, child: _Child, now: float) -> None:
        child.popen = subprocess.Popen(  # noqa: S603 - the Procfile's own lines
            bound_command(["/bin/sh", "-c", as_one_process(child.command)]),
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        child.starts.append(now)
        child.due = None
        threading.Thread(target=self._read, args=(name, child.popen), daemon=True).start()

    def _read(self, name: str, popen: subprocess.Popen[bytes]) -> None:
        assert popen.stdout is not None
        with popen.stdout:
            for line in popen.stdout:
                self._lines.put((name, line))

    def _print_for(self, seconds: float) -> None:
        """Pass on the lines that arrive within this time."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                name, line = self._lines.get(timeout=left)
            except queue.Empty:
                return
            self._say(name, line.decode("utf-8", "replace").rstrip("\n"))

    def _collect(self) -> None:
        """Schedule the restart of the processes that ended."""
        for name, child in self._children.items():
            if child.due is not None or child.running:
                continue
            self._kill_group(child)
            now = time.monotonic()
            code = child.popen.returncode if child.popen else None
            delay = restart_delay(child.starts, now)
            if delay is None:
                self._print_for(_TICK_S)
                raise StackError(
                    f"{name} ended {MAX_STARTS} times within {RESTART_WINDOW_S:g} s, "
                    f"the last time with code {code}: see its output above."
                )
            self._say("", f"{name} ended with code {code}; restarting{f' in {delay:g} s' if delay else ''}")
            child.due = now + delay

    def _stop(self) -> None:
        """Send SIGTERM to all at once, wait for jobs to finish, then send SIGKILL to them and what they started."""
        for popen in self._running():
            popen.terminate()
        deadline = time.monotonic() + _GRACE_S
        while self._running() and time.monotonic() < deadline and self._asked < 2:
            self._print_for(_TICK_S)
        for child in self._children.values():
            self._kill_group(child)
        for popen in self._running():
            popen.wait()
        self._print_for(_TICK_S)

    def _running(self) -> list[subprocess.Popen[bytes]]:
        return [child.popen for child in self._children.values() if child.popen and child.running]

    @staticmethod
    def _kill_group(child: _Child) -> None:
        """Kill what remains of the child's process group, which exists while one of its processes does."""
        if child.popen is None:
            return
        try:
            os.killpg(child.popen.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # nothing remains; macOS raises the second one
            return
