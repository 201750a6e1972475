"""Child processes of a worker: started, renewed while they work, and replaced when they die."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Container, Mapping, Sequence

from qa_queue.errors import InputError
from qa_queue.models.outcomes import FailureKind
from qa_queue.models.values import exponential
from qa_queue.settings import child_environment
from qa_queue.worker.child_health import (
    MIB,
    HeartbeatStatistics,
    RenewalLimits,
    reason_to_renew,
    too_big,
    tree_memory,
)
from qa_queue.worker.ipc import (
    Channel,
    ChildReady,
    ChildStatistics,
    Message,
    Obstacle,
    Start,
    StartFailed,
    Stop,
)
from qa_queue.worker.temporary_files import TemporaryFolder
from qa_queue.worker.verdicts import error_of

log = logging.getLogger(__name__)

_MODULE = "qa_queue.worker.child"
_START_CAP_MS = 10_000  # the longest pause between starts: a dependency that is back is noticed soon
_RENEW_AGAIN_S = 60.0  # after a successor that could not start
_NODE_OPTIONS = "NODE_OPTIONS"
# Playwright's driver is Node, whose young heap grows to 3 * 16 MiB and is returned late; limited to this size, a
# driver holds a fifth less memory and takes no more CPU (measured over 400 runs, Node 26).
_SMALL_HEAP = "--max-semi-space-size=2"


def spawn(fd: int, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a child that serves the channel at `fd`.

    In its own session, a terminal's Ctrl-C reaches the worker alone, and `kill` reaches the whole group.
    """
    return subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", _MODULE, str(fd), str(os.getpid())],
        pass_fds=[fd],
        env=environment,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )


class ChildProcess:
    """A running child. Start it from the main thread: the kernel ties it to the thread that starts it."""

    def __init__(self, redis_url: str | None, queues: Sequence[str]) -> None:
        ours, theirs = socket.socketpair()
        self._files = TemporaryFolder()
        with theirs:
            self._popen = spawn(theirs.fileno(), _environment() | self._files.environment)
        self.channel = Channel(ours)
        self.ready = False
        self.runs = 0  # jobs that were started in it
        self.memory: int | None = None  # bytes of the child and its browser, once measured
        self.started_at = time.monotonic()
        self.stopping = False
        self.channel.send(Start(redis_url=redis_url, queues=tuple(queues)))

    @property
    def pid(self) -> int:
        """Process id."""
        return self._popen.pid

    def exit_reason(self) -> str:
        """Return how the child ended, as a phrase for messages; call it when its channel has closed."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(1)
        code = self._popen.poll()
        if code is None:
            return "closed its channel"
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"

    def kill(self) -> None:
        """Kill the child and its process group now."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait()
        self._files.remove()
        self.channel.close()

    def retire(self) -> None:
        """Ask the child to finish what runs, close its browser and exit; its channel closes then."""
        if not self.stopping:
            self.stopping = True
            self.channel.send(Stop())

    def stop(self, grace: float) -> None:
        """Let the child close its browser and exit; kill it after `grace` seconds."""
        self.retire()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(grace)
        self.kill()


class ChildSupervisor:
    """Keeps one `child` that takes jobs; it is None between a death and the next start.

    To renew the child, a successor is started. When the successor is ready it takes over, and the former child
    retires: it finishes its runs and exits. `obstacle` is the reason why the child wants no more jobs, or None.
    """

    def __init__(
        self,
        redis_url: str | None,
        queues: Sequence[str],
        *,
        limits: RenewalLimits,
        statistics: HeartbeatStatistics,
    ) -> None:
        self.child: ChildProcess | None = None
        self.obstacle: str | None = None
        self.statistics = statistics
        self._successor: ChildProcess | None = None
        self._retiring: list[ChildProcess] = []
        self._redis_url = redis_url
        self._queues = queues
        self._limits = limits
        self._failures = 0
        self._start_at = 0.0
        self._renew_at = 0.0

    @property
    def ready(self) -> bool:
        """True while there is a child that has started and is connected."""
        return self.child is not None and self.child.ready and not self.child.channel.closed

    @property
    def channels(self) -> list[Channel]:
        """Open channels to the children."""
        return [child.channel for child in self._children if not child.channel.closed]

    def ensure_child(self, now: float) -> None:
        """Start a child if one is missing and the pause after the last failure is over."""
        if self.child is not None or now < self._start_at:
            return
        try:
            self.child = self._start()
        except OSError as error:  # no free file descriptor, process or memory
            log.error("No child process could be started: %s", error)  # noqa: TRY400 - the message is complete
            self._failures += 1
            self._start_at = now + self._restart_pause()

    def send(self, message: Message) -> None:
        """Send a message to the child, if there is one.

        Raises:
            pydantic_core.PydanticSerializationError: the message is not JSON; nothing was sent.
        """
        if self.child is not None:
            self.child.channel.send(message)

    def receive(self) -> list[Message]:
        """Return the messages of all children; those about the children themselves have been handled.

        Raises:
            InputError: the runtime can never start with these settings.
        """
        received = []
        for child in self._children:
            child.channel.flush()
            for message in child.channel.receive():
                self._handle(child, message)
                received.append(message)
        return received

    def reap(self) -> list[tuple[ChildProcess, str]]:
        """Return the children that have ended and how; kill what is left of their process groups."""
        return [(child, self._reap(child)) for child in self._children if child.channel.closed]

    def renew_if_due(self, now: float) -> None:
        """Start a successor if the child has reached a limit, unless one is starting or has just failed."""
        child = self.child
        if child is None or not self.ready or self._successor is not None or now < self._renew_at:
            return
        age = now - child.started_at
        if reason := reason_to_renew(self._limits, runs=child.runs, age=age, memory=child.memory):
            log.info("The child process is renewed: %s", reason)
            try:
                self._successor = self._start()
            except OSError as error:
                log.error("The child process is not renewed: %s", error)  # noqa: TRY400 - the message is complete
                self._renew_at = now + _RENEW_AGAIN_S

    def retire_idle(self, busy: Container[ChildProcess]) -> None:
        """Retire every child that has a successor and is not `busy`."""
        for child in self._retiring:
            if child not in busy:
                child.retire()

    def measure_memory(self) -> None:
        """Measure the children if their memory is limited, and kill those that are far too big."""
        for child in self._children if self._limits.memory else []:
            child.memory = tree_memory(child.pid)
            if too_big(self._limits, child.memory):
                log.error("The child process %d holds %d MiB; it is killed", child.pid, (child.memory or 0) // MIB)
                child.kill()

    def kill(self) -> None:
        """Kill every child now; the next `reap` returns them."""
        for child in self._children:
            child.kill()

    def stop(self, grace: float) -> None:
        """Let every child exit within `grace` seconds for all, then kill the others."""
        deadline = time.monotonic() + grace
        for child in self._children:
            child.retire()
        for child in self._children:
            child.stop(max(0.0, deadline - time.monotonic()))
        self.child = self._successor = None
        self._retiring.clear()

    @property
    def _children(self) -> list[ChildProcess]:
        return [child for child in (self.child, self._successor, *self._retiring) if child is not None]

    def _start(self) -> ChildProcess:
        child = ChildProcess(self._redis_url, self._queues)
        log.debug("Started child process %d", child.pid)
        return child

    def _handle(self, child: ChildProcess, message: Message) -> None:
        match message:
            case ChildReady():
                self._promote(child)
            case StartFailed():
                self._report_failed_start(child, message)
            case Obstacle() if child is self.child:
                self._set_obstacle(message.reason)
            case ChildStatistics():
                self.statistics.update(child.pid, message)

    def _promote(self, child: ChildProcess) -> None:
        child.ready = True
        self.obstacle = None
        self._failures = 0
        if child is self._successor:
            if self.child is not None:
                self._retiring.append(self.child)
            self.child, self._successor = child, None

    def _set_obstacle(self, reason: str | None) -> None:
        self.obstacle = reason
        if reason:
            log.error("No jobs are taken: %s", reason)
        else:
            log.info("Jobs are taken again")

    def _report_failed_start(self, child: ChildProcess, message: StartFailed) -> None:
        failure = message.failure
        if child is self._successor:
            log.error("The child process is not renewed: %s", failure.message)
            return
        if isinstance(error := error_of(failure), InputError):
            raise error
        if failure.kind is FailureKind.BUG:
            log.error("The runtime could not start:\n%s", failure.detail)
        log.error("No jobs are taken yet: %s", failure.message)

    def _reap(self, child: ChildProcess) -> str:
        reason = child.exit_reason()
        child.kill()
        self.statistics.child_ended(child.pid, expected=child.stopping)
        if child.stopping:
            log.debug("The retired child process %d %s", child.pid, reason)
        else:
            log.error("The child process %s", reason)
        self._replace(child)
        return reason

    def _replace(self, dead: ChildProcess) -> None:
        if dead is self._successor:
            self._successor = None
            self._renew_at = time.monotonic() + _RENEW_AGAIN_S
        elif dead is self.child:
            self.child, self._successor = self._successor, None
            self._failures = 1 if dead.ready else self._failures + 1
            self._start_at = time.monotonic() + self._restart_delay(dead)
        else:
            self._retiring.remove(dead)

    def _restart_delay(self, dead: ChildProcess) -> float:
        """Return the seconds until the next start; a child that had worked is replaced at once."""
        return 0.0 if dead.ready else self._restart_pause()

    def _restart_pause(self) -> float:
        return exponential(self._failures, jitter=1, base_ms=500, cap_ms=_START_CAP_MS) / 1000


def _environment() -> dict[str, str]:
    """Return the child's environment; Node takes the last option, so that what the user has set wins."""
    environment = child_environment({})
    return environment | {_NODE_OPTIONS: f"{_SMALL_HEAP} {environment.get(_NODE_OPTIONS, '')}".strip()}
