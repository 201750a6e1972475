"""Child processes of the embedded stack: start one, wait until it answers, stop it and only it."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from qa_queue.errors import StackError
from qa_queue.local.files import open_private
from qa_queue.settings import child_environment
from qa_queue.worker.die_with_parent import bound_command

LOOPBACK = "127.0.0.1"
# Below the ports that Linux and macOS give to outgoing connections, which could take one between choice and use.
_PORTS = range(20_000, 30_000)
_POLL_S = 0.02
_GRACE_S = 8.0
_ASK_S = 5.0
_TAIL_LINES = 15


@dataclass(frozen=True)
class LocalService:
    """A child process. `log` is the file that takes its output; no error quotes its `secrets`."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def pid(self) -> int:
        """Process id."""
        return self.popen.pid

    @property
    def running(self) -> bool:
        """True while the child runs."""
        return self.popen.poll() is None

    def stop(self, grace_s: float = _GRACE_S) -> None:
        """Send SIGTERM, and SIGKILL after `grace_s` seconds; do nothing if the child has ended."""
        if not self.running:
            return
        self.popen.terminate()
        try:
            self.popen.wait(grace_s)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()

    def check(self) -> None:
        """Return if the child runs.

        Raises:
            StackError: it has ended; the message has the end of its log.
        """
        if not self.running:
            raise StackError(f"{self.name} ended with code {self.popen.returncode}.{self._tail()}")

    def wait_until(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Block until `ready()` is true.

        Raises:
            StackError: the child ended or was not ready within `timeout_s` seconds; it has been stopped.
        """
        deadline = time.monotonic() + timeout_s
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                self.stop()
                raise StackError(f"{self.name} did not answer within {timeout_s:g} s.{self._tail()}")
            time.sleep(_POLL_S)

    def _tail(self) -> str:
        lines = masked_text(self.log, self.secrets).splitlines()[-_TAIL_LINES:]
        return "\n".join([f" The end of {self.log}:", *(f"  {line}" for line in lines)])


@dataclass(frozen=True)
class LocalServer:
    """A server that we started. `url` may hold a password, `address` never does; `key` is Supabase's secret key."""

    address: str
    url: str = field(repr=False)
    service: LocalService
    ready: Callable[[], bool] = field(repr=False)
    key: str | None = field(default=None, repr=False)
    start_timeout_s: float = 30.0

    @property
    def pid(self) -> int:
        """Process id."""
        return self.service.pid

    def wait_until_ready(self) -> Self:
        """Block until the server answers; return it.

        Raises:
            StackError: it ended or did not answer in time.
        """
        self.service.wait_until(self.ready, self.start_timeout_s)
        return self

    def stop(self) -> None:
        """Stop the server; do nothing if it has ended."""
        self.service.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.stop()


class SilenceWatch:
    """Asks servers in a thread whether they answer: a process may hang, for example after a full disk."""

    def __init__(self, servers: Callable[[], Sequence[LocalServer]]) -> None:
        self._servers = servers
        self._answered: dict[int, float] = {}  # by process id: the last answer, or the first look (monotonic, s)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="silence watch", daemon=True)

    def start(self) -> None:
        """Start asking."""
        self._thread.start()

    def stop(self) -> None:
        """Stop asking; the thread ends once a question that is open was answered."""
        self._stop.set()

    def silent_for(self, server: LocalServer) -> float:
        """Return the seconds since the last answer of a server's process."""
        return time.monotonic() - self._answered.setdefault(server.pid, time.monotonic())

    def _run(self) -> None:
        while not self._stop.wait(_ASK_S):
            for server in self._servers():
                if server.service.running and server.ready():
                    self._answered[server.pid] = time.monotonic()


def python_environment(additions: dict[str, str]) -> dict[str, str]:
    """Return this process's environment with additions, and with the commands of this Python first on PATH."""
    found = child_environment(additions)
    return found | {"PATH": os.pathsep.join([str(Path(sys.executable).parent), found.get("PATH", os.defpath)])}


def launch(
    name: str,
    command: Sequence[str | Path],
    *,
    log: Path,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    secrets: Sequence[str] = (),
) -> LocalService:
    """Start a command that ends with the calling thread; its output goes to `log`, mode 0600.

    `environment` replaces this process's own; errors quote the log without the `secrets`.

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
                start_new_session=True,  # Ctrl-C reaches only us: the users of a server stop before the server
            )
    except OSError as error:
        raise StackError(f"{name} cannot be started as {command[0]}: {error}.") from error
    return LocalService(name, popen, log, tuple(secrets))


def masked_text(log: Path, secrets: Sequence[str]) -> str:
    """Return the text of a log without these secrets."""
    text = log.read_text(encoding="utf-8", errors="replace")
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return text


def free_port() -> int:
    """Return a TCP port on loopback that no process listens on.

    Raises:
        StackError: none is free.
    """
    for port in random.sample(_PORTS, 200):
        if port_is_free(port):
            return port
    raise StackError(f"No free port between {_PORTS.start} and {_PORTS.stop} on {LOOPBACK}: end some servers.")


def port_is_free(port: int) -> bool:
    """Return whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
