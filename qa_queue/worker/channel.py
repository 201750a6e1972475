"""One end of the socket between a worker and its child, for a process that waits with `selectors`."""

from __future__ import annotations

import contextlib
import socket

from qa_queue.worker.messages import Message, decode, encode

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
