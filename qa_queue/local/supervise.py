"""Processes that run together: their output in one stream, started again when they end, stopped as one.

Each is the leader of a process group of its own, so that Ctrl-C in a terminal reaches the supervisor alone, and
what a process leaves behind can be swept up with it. They die with the supervisor's thread (see `die_with_parent`).
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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from qa_queue.errors import StackError
from qa_queue.local.restarts import MOST_STARTS, WINDOW, restart_delay
from qa_queue.worker.die_with_parent import bound_command

_TICK = 0.1  # s
_GRACE = 20.0  # s; a worker finishes its job first
_RESERVED = frozenset({"while", "until", "for", "if", "case", "{", "!", "exec", "cd", "export", "set", "."})
_REDIRECTED = re.compile(r"[<>]&")  # this & starts nothing in the background


def as_one_process(command: str) -> str:
    """The shell command without the shell left standing between us and the program, where it is a single program.

    `env` carries leading `NAME=value` words over. A compound line keeps its shell: that gets our signals, and
    what it started is swept up when it has gone.
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
    due: float | None = 0.0  # when to start it; None while it runs

    @property
    def running(self) -> bool:
        return self.popen is not None and self.popen.poll() is None


class Supervisor:
    """Runs shell commands by name. `say(name, text)` gets every line of their output, and our own with name ''."""

    def __init__(
        self, commands: Mapping[str, str], environment: Mapping[str, str], say: Callable[[str, str], None]
    ) -> None:
        self._children = {name: _Child(command) for name, command in commands.items()}
        self._environment = dict(environment)
        self._say = say
        self._lines: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()
        self._asked = 0

    def ask_to_stop(self) -> None:
        """Let `run` end; asked twice, it does not wait for jobs that still run. Safe in a signal handler."""
        self._asked += 1

    def run(self, watch: Callable[[], None] = lambda: None) -> None:
        """Start all and stay until asked to stop; `watch` is called ten times a second and may raise.

        Raises:
            StackError: a process ended too often. Whatever is raised, all have been stopped.
        """
        try:
            while not self._asked:
                self._start_due()
                self._print_for(_TICK)
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
        """Pass lines on as they come, for this long."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                name, line = self._lines.get(timeout=left)
            except queue.Empty:
                return
            self._say(name, line.decode("utf-8", "replace").rstrip("\n"))

    def _collect(self) -> None:
        """Plan the restart of what ended."""
        for name, child in self._children.items():
            if child.due is not None or child.running:
                continue
            self._sweep(child)
            now = time.monotonic()
            code = child.popen.returncode if child.popen else None
            delay = restart_delay(child.starts, now)
            if delay is None:
                self._print_for(_TICK)
                raise StackError(
                    f"{name} ended {MOST_STARTS} times within {WINDOW:g} s, the last time with code {code}: "
                    "its lines above say why."
                )
            self._say("", f"{name} ended with code {code}; it starts again{f' in {delay:g} s' if delay else ''}")
            child.due = now + delay

    def _stop(self) -> None:
        """End all at once: SIGTERM, wait for jobs to finish, then SIGKILL; sweep up what they left."""
        for popen in self._running():
            popen.terminate()
        deadline = time.monotonic() + _GRACE
        while self._running() and time.monotonic() < deadline and self._asked < 2:
            self._print_for(_TICK)
        for child in self._children.values():
            self._sweep(child)
        for popen in self._running():
            popen.wait()
        self._print_for(_TICK)

    def _running(self) -> list[subprocess.Popen[bytes]]:
        return [child.popen for child in self._children.values() if child.popen and child.running]

    @staticmethod
    def _sweep(child: _Child) -> None:
        """Kill what is left of the child's process group; the group lives as long as one of it does."""
        if child.popen is None:
            return
        try:
            os.killpg(child.popen.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # nothing left; macOS says it the second way
            return
