"""What the worker and its child process say to each other: one JSON object a line.

One end of the socket between a worker and its child, for a process that waits with `selectors`.
"""

from __future__ import annotations

import contextlib
import socket
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from qa_queue.models import Frozen, JobContext
from qa_queue.models.outcomes import FailureKind


class ChildFailure(Frozen):
    """Why an attempt did not end with a result; `detail` is the traceback or empty."""

    kind: FailureKind
    message: str
    detail: str = ""


class Start(Frozen):
    """To the child, first: what the worker serves. The URL may hold a password, so it travels in no argument."""

    type: Literal["start"] = "start"
    redis_url: str | None  # None: the one that the settings name
    queues: tuple[str, ...]


class Run(Frozen):
    """To the child: run a job. `id` is that of the execution."""

    type: Literal["run"] = "run"
    id: str
    function: str
    data: dict[str, Any]
    context: JobContext


class Cancel(Frozen):
    """To the child: end this run, and why."""

    type: Literal["cancel"] = "cancel"
    id: str
    failure: ChildFailure


class Abandon(Frozen):
    """To the child: no attempt will follow; record how the run ended."""

    type: Literal["abandon"] = "abandon"
    id: str
    context: JobContext
    failure: ChildFailure


class Release(Frozen):
    """To the child: the run waits again; record that. `context` is that of the attempt which is void."""

    type: Literal["release"] = "release"
    id: str
    context: JobContext


class Stop(Frozen):
    """To the child: finish what runs, then exit."""

    type: Literal["stop"] = "stop"


class Ready(Frozen):
    """From the child: the runtime stands."""

    type: Literal["ready"] = "ready"


class Broken(Frozen):
    """From the child: the runtime could not start; the child exits."""

    type: Literal["broken"] = "broken"
    failure: ChildFailure


class Done(Frozen):
    """From the child: a job returned; `result` is JSON."""

    type: Literal["done"] = "done"
    id: str
    result: Any


class Failed(Frozen):
    """From the child: a job raised, or was cancelled."""

    type: Literal["failed"] = "failed"
    id: str
    failure: ChildFailure


class Hold(Frozen):
    """From the child: why no more jobs should come, or that they may come again (None)."""

    type: Literal["hold"] = "hold"
    reason: str | None


class Vitals(Frozen):
    """From the child: browsers that died and were replaced since it started; what waits in the outbox."""

    type: Literal["vitals"] = "vitals"
    browser_restarts: int = 0
    outbox_bytes: int = 0
    outbox_segments: int = 0


class Noted(Frozen):
    """From the child: what was to be recorded (`Abandon`, `Release`) is, or could not be (`error`)."""

    type: Literal["noted"] = "noted"
    id: str
    error: str | None = None


ToChild = Start | Run | Cancel | Abandon | Release | Stop
ToParent = Ready | Broken | Done | Failed | Noted | Hold | Vitals
Message = ToChild | ToParent

_ANY: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="type")])


def encode(message: Message) -> bytes:
    """The message as one line.

    Raises:
        pydantic_core.PydanticSerializationError: a result holds what JSON cannot say.
    """
    return _ANY.dump_json(message) + b"\n"


def decode(line: bytes) -> Message:
    """The message of one line.

    Raises:
        pydantic.ValidationError: the line is no message.
    """
    return _ANY.validate_json(line)


_CHUNK = 1 << 16


class LineBuffer:
    """Cuts a stream of bytes into lines, in time linear in its length however it is chopped up."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Take more bytes and return the lines that are now complete, without their ends."""
        start = len(self._held)
        self._held += data
        if self._held.find(b"\n", start) < 0:
            return []
        *lines, rest = bytes(self._held).split(b"\n")
        self._held = bytearray(rest)
        return lines


class Channel:
    """Sends without blocking: what the other side does not take yet is kept and goes out with `flush`."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._lines = LineBuffer()
        self._unsent = bytearray()
        self.closed = False

    def fileno(self) -> int:
        """For `selectors`."""
        return self._sock.fileno()

    @property
    def pending(self) -> bool:
        """Whether `flush` has something to send."""
        return bool(self._unsent)

    def send(self, message: Message) -> None:
        """Queue a message and send what the other side takes at once. Does nothing once closed.

        Raises:
            pydantic_core.PydanticSerializationError: JSON cannot say it; nothing was queued.
        """
        self._unsent += encode(message)
        self.flush()

    def flush(self) -> None:
        """Send as much as the other side takes."""
        try:
            while self._unsent and not self.closed:
                del self._unsent[: self._sock.send(self._unsent)]
        except BlockingIOError:
            return
        except OSError:
            self.closed = True

    def receive(self) -> list[Message]:
        """The messages that have come; sets `closed` when the other side has gone."""
        messages: list[Message] = []
        with contextlib.suppress(BlockingIOError):
            while data := self._read():
                messages += map(decode, self._lines.feed(data))
        return messages

    def close(self) -> None:
        """Close this end."""
        self.closed = True
        self._sock.close()

    def _read(self) -> bytes:
        try:
            data = self._sock.recv(_CHUNK)
        except BlockingIOError:
            raise
        except OSError:
            data = b""
        self.closed = self.closed or not data
        return data
