"""The child process as its worker sees it: start it, talk to it, see it die."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence

from qa_queue.settings import child_environment
from qa_queue.worker.ipc import Channel, Start, Stop

_MODULE = "qa_queue.worker.child"
_NODE_OPTIONS = "NODE_OPTIONS"
# Playwright's driver is Node, whose young heap grows to 3 * 16 MiB and is given back late; with so little of it a
# driver holds a fifth less and takes no more CPU (measured over 400 runs, Node 26).
_SMALL_HEAP = "--max-semi-space-size=2"


class ChildProcess:
    """A running child. Start it from the main thread: the kernel ties its life to the thread that does."""

    def __init__(self, redis_url: str | None, queues: Sequence[str]) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            # A session of its own: a terminal's Ctrl-C goes to the worker alone, and `kill` reaches its group.
            self._popen = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", _MODULE, str(theirs.fileno()), str(os.getpid())],
                pass_fds=[theirs.fileno()],
                env=_environment(),
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self.channel = Channel(ours)
        self.ready = False
        self.runs = 0  # jobs that were started in it
        self.started_at = time.monotonic()
        self.stopping = False
        self.channel.send(Start(redis_url=redis_url, queues=tuple(queues)))

    @property
    def pid(self) -> int:
        """Process id."""
        return self._popen.pid

    def exit_reason(self) -> str:
        """How the child ended, for people; call it when its channel has closed."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(1)
        code = self._popen.poll()
        if code is None:
            return "closed its channel"
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"

    def kill(self) -> None:
        """End the child and its process group now."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait()
        self.channel.close()

    def retire(self) -> None:
        """Let the child finish what runs, close its browser and exit; its channel closes then."""
        if not self.stopping:
            self.stopping = True
            self.channel.send(Stop())

    def stop(self, grace: float) -> None:
        """Let the child close its browser and exit; kill it after `grace` seconds."""
        self.retire()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(grace)
        self.kill()


def _environment() -> dict[str, str]:
    """What was set for Node comes last, and wins."""
    environment = child_environment({})
    return environment | {_NODE_OPTIONS: f"{_SMALL_HEAP} {environment.get(_NODE_OPTIONS, '')}".strip()}
