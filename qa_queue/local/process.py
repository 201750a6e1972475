"""A child process of the embedded stack: start it, wait until it answers, stop it and only it."""

from __future__ import annotations

import random
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from qa_queue.errors import StackError
from qa_queue.local.files import open_private
from qa_queue.worker.die_with_parent import bound_command

LOOPBACK = "127.0.0.1"
# Below the ports that Linux and macOS give to outgoing connections, which could take one between choice and use.
_PORTS = range(20_000, 30_000)
_PAUSE = 0.02
_GRACE = 8.0
_TAIL_LINES = 15


@dataclass(frozen=True)
class LocalService:
    """A running child. `log` is the file that takes its output."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """Process id."""
        return self.popen.pid

    @property
    def running(self) -> bool:
        """Whether the child still runs."""
        return self.popen.poll() is None

    def stop(self, grace: float = _GRACE) -> None:
        """End the child: SIGTERM, and SIGKILL after `grace` seconds. Does nothing if it has ended."""
        if not self.running:
            return
        self.popen.terminate()
        try:
            self.popen.wait(grace)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()

    def check(self) -> None:
        """Look after the child.

        Raises:
            StackError: it has ended; the message has the end of its log.
        """
        if not self.running:
            raise StackError(f"{self.name} ended with code {self.popen.returncode}.{self._tail()}")

    def wait_until(self, ready: Callable[[], bool], timeout: float) -> None:
        """Block until `ready()` is true.

        Raises:
            StackError: the child ended or was not ready within `timeout` seconds; it has been stopped.
        """
        deadline = time.monotonic() + timeout
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                self.stop()
                raise StackError(f"{self.name} did not answer within {timeout:g} s.{self._tail()}")
            time.sleep(_PAUSE)

    def _tail(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:]
        return "\n".join([f" The end of {self.log}:", *(f"  {line}" for line in lines)])


def launch(
    name: str,
    command: Sequence[str | Path],
    *,
    log: Path,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> LocalService:
    """Start a command that ends with the calling thread; its output goes to `log`, mode 0600.

    `environment` replaces this process's own.

    Raises:
        StackError: the command cannot be started.
    """
    try:
        with open_private(log) as output:
            popen = subprocess.Popen(  # noqa: S603 - the commands are our own
                bound_command(command),
                cwd=cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches us alone: what needs a server ends before the server
            )
    except OSError as error:
        raise StackError(f"{name} cannot be started as {command[0]}: {error}.") from error
    return LocalService(name, popen, log)


def free_port() -> int:
    """A TCP port on loopback that nothing listens on.

    Raises:
        StackError: none is free.
    """
    for port in random.sample(_PORTS, 200):
        if port_is_free(port):
            return port
    raise StackError(f"No free port between {_PORTS.start} and {_PORTS.stop} on {LOOPBACK}: end some servers.")


def port_is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
