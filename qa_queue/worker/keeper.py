"""Keeps one child process running: starts it, and starts it again after a death, ever later if it cannot start."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from qa_queue.backoff import exponential
from qa_queue.errors import InputError
from qa_queue.worker.messages import Broken, Kind, Message, Ready
from qa_queue.worker.outcome import rebuild
from qa_queue.worker.process import ChildProcess

log = logging.getLogger(__name__)

_START_CAP_MS = 30_000


class Keeper:
    """`child` is None between a death and the next start. `on_ready` is called when a child can take jobs."""

    def __init__(self, redis_url: str, queues: Sequence[str], on_ready: Callable[[], None]) -> None:
        self.child: ChildProcess | None = None
        self._redis_url = redis_url
        self._queues = queues
        self._on_ready = on_ready
        self._failures = 0
        self._start_at = 0.0

    @property
    def ready(self) -> bool:
        """Whether there is a child that takes jobs."""
        return self.child is not None and self.child.ready and not self.child.channel.closed

    def ensure(self) -> None:
        """Start a child if there is none and it is time to."""
        if self.child is None and time.monotonic() >= self._start_at:
            self.child = ChildProcess(self._redis_url, self._queues)
            log.debug("The child process %d starts", self.child.pid)

    def send(self, message: Message) -> None:
        """Send to the child, if there is one."""
        if self.child is not None:
            self.child.channel.send(message)

    def receive(self) -> list[Message]:
        """What the child said.

        Raises:
            InputError: the runtime says that it can never start as things are set.
        """
        if self.child is None:
            return []
        self.child.channel.flush()
        messages = self.child.channel.receive()
        for message in messages:
            if isinstance(message, Ready):
                self._came_up(self.child)
            elif isinstance(message, Broken):
                self._could_not_start(message)
        return messages

    def bury(self) -> str | None:
        """When the child has died: how, after clearing its process group away. None while it lives."""
        if self.child is None or not self.child.channel.closed:
            return None
        reason = self.child.exit_reason()
        self.child.kill()
        self._failures = 1 if self.child.ready else self._failures + 1
        delay = (
            0 if self.child.ready else exponential(self._failures, jitter=1.0, base_ms=500, cap_ms=_START_CAP_MS)
        )
        self._start_at = time.monotonic() + delay / 1000
        self.child = None
        return reason

    def kill(self) -> None:
        """End the child now; `bury` tells of it at the next turn."""
        if self.child is not None:
            self.child.kill()

    def stop(self, grace: float) -> None:
        """Let the child end by itself, within `grace` seconds."""
        if self.child is not None:
            self.child.stop(grace)
            self.child = None

    def _came_up(self, child: ChildProcess) -> None:
        child.ready = True
        self._failures = 0
        self._on_ready()

    def _could_not_start(self, broken: Broken) -> None:
        error = rebuild(broken.failure)
        if isinstance(error, InputError):
            raise error
        if broken.failure.kind is Kind.BUG:
            log.error("The runtime could not start:\n%s", broken.failure.detail)
        log.error("No jobs are taken yet: %s", broken.failure.message)
