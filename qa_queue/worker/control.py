"""Stop requests and commands for a worker's loop, safe to give from signal handlers and other threads."""

from __future__ import annotations

import contextlib
import queue
import socket
import time
from dataclasses import dataclass

_DUPLICATE_S = 1.0  # a worker pool and a terminal may both send the same signal


class Waker:
    """Wakes a loop that waits on a selector."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def fileno(self) -> int:
        """Return the descriptor that becomes readable, for `selectors`."""
        return self._reader.fileno()

    def wake(self) -> None:
        """Make the descriptor readable; call it from any thread or signal handler."""
        with contextlib.suppress(BlockingIOError):
            self._writer.send(b".")

    def clear(self) -> None:
        """Make the descriptor wait for the next call of `wake`."""
        with contextlib.suppress(BlockingIOError):
            while self._reader.recv(1024):
                pass


@dataclass(frozen=True, kw_only=True)
class StopJobCommand:
    """Cancel a job, without another attempt."""

    job_id: str


@dataclass(frozen=True)
class KillChildCommand:
    """Kill the child process with all that runs in it."""


Command = StopJobCommand | KillChildCommand


class WorkerControl:
    """Requests to a worker; each wakes its loop. Only the loop takes commands."""

    def __init__(self) -> None:
        self.waker = Waker()
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._stop_requests = 0
        self._first_request = 0.0
        self._last_request = 0.0

    @property
    def stopping(self) -> bool:
        """True once no more jobs are to be taken."""
        return self._stop_requests > 0

    @property
    def stop_now(self) -> bool:
        """True once the jobs in flight are not waited for either."""
        return self._stop_requests > 1

    @property
    def stopping_for(self) -> float:
        """Seconds since the first request to stop."""
        return time.monotonic() - self._first_request if self.stopping else 0.0

    def request_stop(self) -> bool:
        """Count a request to stop; return False for a duplicate, which follows another within a second."""
        now = time.monotonic()
        if self.stopping and now - self._last_request < _DUPLICATE_S:
            return False
        self._first_request = self._first_request if self.stopping else now
        self._last_request = now
        self._stop_requests += 1
        self.waker.wake()
        return True

    def send(self, command: Command) -> None:
        """Give the loop a command."""
        self._commands.put(command)
        self.waker.wake()

    def commands(self) -> list[Command]:
        """Return the commands given since the last call."""
        return [self._commands.get_nowait() for _ in range(self._commands.qsize())]
