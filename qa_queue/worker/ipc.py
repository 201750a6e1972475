"""Messages between a worker and its child process, one JSON object per line, and the worker's end of the socket."""

from __future__ import annotations

import contextlib
import socket
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from qa_queue.models import Frozen, JobContext, RuntimeStatistics
from qa_queue.models.outcomes import FailureKind

CHUNK = 1 << 16  # bytes of one read


class ChildFailure(Frozen):
    """Reason why an attempt ended without a result; `detail` is the traceback, or empty."""

    kind: FailureKind
    message: str
    detail: str = ""


class Start(Frozen):
    """To the child, first: Redis and queues of the worker. A URL may hold a password, so it is not an argument."""

    type: Literal["start"] = "start"
    redis_url: str | None  # None: as the settings say
    queues: tuple[str, ...]


class Run(Frozen):
    """To the child: run a job. `id` is that of the execution."""

    type: Literal["run"] = "run"
    id: str
    function: str
    data: dict[str, Any]
    context: JobContext


class Cancel(Frozen):
    """To the child: cancel this run, which then fails with `failure`."""

    type: Literal["cancel"] = "cancel"
    id: str
    failure: ChildFailure


class Abandon(Frozen):
    """To the child: record that the run ended with `failure` and that no attempt will follow."""

    type: Literal["abandon"] = "abandon"
    id: str
    context: JobContext
    failure: ChildFailure


class Release(Frozen):
    """To the child: record that the run is queued again. `context` is that of the attempt that has ended."""

    type: Literal["release"] = "release"
    id: str
    context: JobContext


class FindResult(Frozen):
    """To the child: read from the database whether a run whose process was lost had ended before."""

    type: Literal["find_result"] = "find_result"
    id: str
    context: JobContext


class Stop(Frozen):
    """To the child: finish what runs, then exit."""

    type: Literal["stop"] = "stop"


class ChildReady(Frozen):
    """From the child: the runtime has started."""

    type: Literal["ready"] = "ready"


class StartFailed(Frozen):
    """From the child: the runtime could not start; the child exits."""

    type: Literal["start_failed"] = "start_failed"
    failure: ChildFailure


class Done(Frozen):
    """From the child: a job returned; `result` is JSON."""

    type: Literal["done"] = "done"
    id: str
    result: Any


class Failed(Frozen):
    """From the child: a job raised or was cancelled."""

    type: Literal["failed"] = "failed"
    id: str
    failure: ChildFailure


class Obstacle(Frozen):
    """From the child: the reason why no more jobs should be taken; None when they may be taken again."""

    type: Literal["obstacle"] = "obstacle"
    reason: str | None


class ChildStatistics(RuntimeStatistics):
    """From the child: the statistics of its runtime."""

    type: Literal["statistics"] = "statistics"


class Recorded(Frozen):
    """From the child: a `RecordRequest` was handled; `stored` is False if it has to be repeated."""

    type: Literal["recorded"] = "recorded"
    id: str
    stored: bool = True


class ResultFound(Frozen):
    """From the child: the result of a run that had ended before its process was lost; None if it had not."""

    type: Literal["result_found"] = "result_found"
    id: str
    result: Any = None


RecordRequest = Abandon | Release
ToChild = Start | Run | Cancel | RecordRequest | FindResult | Stop
ToWorker = ChildReady | StartFailed | Done | Failed | Recorded | ResultFound | Obstacle | ChildStatistics
Message = ToChild | ToWorker

_ANY: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="type")])


def encode(message: Message) -> bytes:
    """Return the message as one line.

    Raises:
        pydantic_core.PydanticSerializationError: a value cannot be expressed in JSON.
    """
    return _ANY.dump_json(message) + b"\n"


def decode(line: bytes) -> Message:
    """Return the message of one line.

    Raises:
        pydantic.ValidationError: the line is not a message.
    """
    return _ANY.validate_json(line)


class LineBuffer:
    """Splits a stream of bytes into lines, in linear time however the stream is chunked."""

    def __init__(self) -> None:
        self._partial = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Add bytes and return the lines that are now complete, without their line ends."""
        start = len(self._partial)
        self._partial += data
        if self._partial.find(b"\n", start) < 0:
            return []
        *lines, rest = bytes(self._partial).split(b"\n")
        self._partial = bytearray(rest)
        return lines


class Channel:
    """The worker's end of the socket. Never blocks: what cannot be sent yet is buffered for `flush`."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._lines = LineBuffer()
        self._unsent = bytearray()
        self.closed = False

    def fileno(self) -> int:
        """Return the socket's descriptor, for `selectors`."""
        return self._sock.fileno()

    @property
    def pending(self) -> bool:
        """True while `flush` has something to send."""
        return bool(self._unsent)

    def send(self, message: Message) -> None:
        """Send a message, as far as possible at once. Does nothing once the channel is closed.

        Raises:
            pydantic_core.PydanticSerializationError: the message is not JSON; nothing was sent.
        """
        line = encode(message)
        if not self.closed:
            self._unsent += line
            self.flush()

    def flush(self) -> None:
        """Send as much of the buffer as the other end accepts."""
        try:
            while self._unsent and not self.closed:
                del self._unsent[: self._sock.send(self._unsent)]
        except BlockingIOError:
            return
        except OSError:
            self.closed = True

    def receive(self) -> list[Message]:
        """Return the messages that have arrived; set `closed` when the other end has gone."""
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
            data = self._sock.recv(CHUNK)
        except BlockingIOError:
            raise
        except OSError:
            data = b""
        self.closed = self.closed or not data
        return data
