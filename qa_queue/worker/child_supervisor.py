"""Keeps a child process running: starts it, renews it while it works, and starts another after a death."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from qa_queue.errors import InputError
from qa_queue.models.backoff import exponential
from qa_queue.models.outcomes import FailureKind
from qa_queue.worker.ipc import Broken, Message, Ready
from qa_queue.worker.outcome import rebuild
from qa_queue.worker.process import ChildProcess

log = logging.getLogger(__name__)

_START_CAP_MS = 10_000  # a part that is away is noticed soon when it is back
_RENEW_AGAIN_S = 60.0  # after a successor that could not start


class ChildSupervisor:
    """`child` takes jobs; None between a death and the next start. `on_ready` is called when a new one can.

    While a `successor` starts, the child goes on; then it retires: it finishes what it has and ends.
    """

    def __init__(self, redis_url: str | None, queues: Sequence[str], on_ready: Callable[[], None]) -> None:
        self.child: ChildProcess | None = None
        self.successor: ChildProcess | None = None
        self._retiring: list[ChildProcess] = []
        self._redis_url = redis_url
        self._queues = queues
        self._on_ready = on_ready
        self._failures = 0
        self._start_at = 0.0
        self._renew_at = 0.0

    @property
    def ready(self) -> bool:
        """Whether there is a child that takes jobs."""
        return self.child is not None and self.child.ready and not self.child.channel.closed

    @property
    def children(self) -> list[ChildProcess]:
        """Every process there is, the one that takes jobs first."""
        return [child for child in (self.child, self.successor, *self._retiring) if child is not None]

    def ensure(self) -> None:
        """Start a child if there is none and it is time to."""
        if self.child is None and time.monotonic() >= self._start_at:
            self.child = self._start()

    def renew(self, reason: str) -> None:
        """Start a successor of the child, unless one is starting or has just failed to."""
        if self.ready and self.successor is None and time.monotonic() >= self._renew_at:
            log.info("The child process is renewed: %s", reason)
            self.successor = self._start()

    def retire(self, busy: Callable[[ChildProcess], bool]) -> None:
        """Let those end that have a successor and nothing left to do."""
        for child in self._retiring:
            if not busy(child):
                child.retire()

    def send(self, message: Message) -> None:
        """Send to the child, if there is one.

        Raises:
            pydantic_core.PydanticSerializationError: JSON cannot say it; nothing was sent.
        """
        if self.child is not None:
            self.child.channel.send(message)

    def receive(self) -> list[tuple[ChildProcess, Message]]:
        """What the processes said.

        Raises:
            InputError: the runtime says that it can never start as things are set.
        """
        received = []
        for child in self.children:
            child.channel.flush()
            for message in child.channel.receive():
                if isinstance(message, Ready):
                    self._came_up(child)
                elif isinstance(message, Broken):
                    self._could_not_start(child, message)
                received.append((child, message))
        return received

    def bury(self) -> list[tuple[ChildProcess, str]]:
        """The processes that have died since, and how; their process groups are cleared away."""
        dead = [child for child in self.children if child.channel.closed]
        return [(child, self._bury(child)) for child in dead]

    def kill(self) -> None:
        """End every process now; `bury` tells of it at the next turn."""
        for child in self.children:
            child.kill()

    def stop(self, grace: float) -> None:
        """Let every process end by itself, within `grace` seconds for all."""
        deadline = time.monotonic() + grace
        for child in self.children:
            child.retire()
        for child in self.children:
            child.stop(max(0.0, deadline - time.monotonic()))
        self.child = self.successor = None
        self._retiring.clear()

    def _start(self) -> ChildProcess:
        child = ChildProcess(self._redis_url, self._queues)
        log.debug("The child process %d starts", child.pid)
        return child

    def _bury(self, child: ChildProcess) -> str:
        reason = child.exit_reason()
        child.kill()
        if child is self.successor:
            self.successor = None
            self._renew_at = time.monotonic() + _RENEW_AGAIN_S
        elif child is self.child:
            self.child, self.successor = self.successor, None
            self._failures = 1 if child.ready else self._failures + 1
            self._start_at = time.monotonic() + self._delay(child)
        else:
            self._retiring.remove(child)
        return reason

    def _delay(self, dead: ChildProcess) -> float:
        """Seconds until the next start; one that worked is replaced at once."""
        return (
            0.0 if dead.ready else exponential(self._failures, jitter=1, base_ms=500, cap_ms=_START_CAP_MS) / 1000
        )

    def _came_up(self, child: ChildProcess) -> None:
        child.ready = True
        self._failures = 0
        if child is self.successor:
            if self.child is not None:
                self._retiring.append(self.child)
            self.child, self.successor = child, None
        self._on_ready()

    def _could_not_start(self, child: ChildProcess, broken: Broken) -> None:
        error = rebuild(broken.failure)
        if child is self.successor:
            log.error("The child process is not renewed: %s", broken.failure.message)
            return
        if isinstance(error, InputError):
            raise error
        if broken.failure.kind is FailureKind.BUG:
            log.error("The runtime could not start:\n%s", broken.failure.detail)
        log.error("No jobs are taken yet: %s", broken.failure.message)
