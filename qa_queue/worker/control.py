"""Stop requests and commands for a worker's loop, safe to give from signal handlers and other threads."""

from __future__ import annotations

import contextlib
import logging
import queue
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.client import PubSub
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

_RESUBSCRIBE_S = 1.0  # between attempts to receive commands while Redis is unavailable
_POLL_S = 1.0
_PING_S = 3.0  # a connection to a host that vanished looks like one on which there is nothing to hear
_SILENCE_S = 8.0  # without an answer, after which another connection is opened
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
        """Make the descriptor readable; call it from any thread or signal handler, even once it is closed."""
        with contextlib.suppress(OSError):  # it is readable already, or closed
            self._writer.send(b".")

    def clear(self) -> None:
        """Make the descriptor wait for the next call of `wake`."""
        with contextlib.suppress(BlockingIOError):
            while self._reader.recv(1024):
                pass

    def close(self) -> None:
        """Close the descriptor."""
        self._reader.close()
        self._writer.close()


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


class CommandListener:
    """Receives the messages of a channel in a thread, and subscribes again when its connection fails or is silent.

    redis-py's own thread for subscriptions keeps a connection on which nothing arrives, for example after its
    server's host has vanished, and ends on errors that are not of Redis.
    """

    def __init__(self, connection: Redis, channel: str, handle: Callable[[Any], None]) -> None:
        self._connection = connection
        self._channel = channel
        self._handle = handle
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="commands", daemon=True)
        self._opened: PubSub | None = None

    def start(self) -> None:
        """Subscribe, then listen until `stop`.

        Raises:
            redis.exceptions.RedisError: Redis failed.
        """
        self._opened = self._subscribe()
        self._thread.start()

    def stop(self) -> None:
        """Stop listening."""
        self._stop.set()
        self._thread.join(_POLL_S)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with self._opened or self._subscribe() as pubsub:
                    self._opened = None
                    self._listen(pubsub)
            except (RedisError, OSError) as error:
                log.debug("Commands cannot be received (%s)", error)
                self._stop.wait(_RESUBSCRIBE_S)
            except Exception:
                log.exception("A command could not be received")
                self._stop.wait(_RESUBSCRIBE_S)

    def _subscribe(self) -> PubSub:
        pubsub: PubSub = self._connection.pubsub()  # type: ignore[no-untyped-call] # redis-py
        pubsub.subscribe(self._channel)
        return pubsub

    def _listen(self, pubsub: PubSub) -> None:
        heard = asked = time.monotonic()
        while not self._stop.is_set():
            message = pubsub.get_message(timeout=_POLL_S)
            now = time.monotonic()
            if message is not None:
                heard = now
                if message["type"] == "message":
                    self._handle(message)
            elif now - heard > _SILENCE_S or self._is_elsewhere(pubsub):
                raise RedisConnectionError("the connection is silent, or not to the master")
            if now - asked >= _PING_S:
                pubsub.ping()
                asked = now

    def _is_elsewhere(self, pubsub: PubSub) -> bool:
        """Return whether the Sentinels have named another master than the server of this connection."""
        master = getattr(self._connection.connection_pool, "master_address", None)
        connection: Any = pubsub.connection
        return master is not None and connection is not None and (connection.host, connection.port) != master
