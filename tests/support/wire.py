"""A line of TCP between two programs that can fail in the ways that lines do."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from dataclasses import dataclass
from typing import Literal, Self

Mode = Literal["good", "slow", "reset", "half-open", "silent"]
DELAY_S = 0.2
_CHUNK = 1 << 16
_RST = struct.pack("ii", 1, 0)  # SO_LINGER with no time: closing sends a reset


@dataclass(eq=False)
class _Line:
    ends: tuple[asyncio.StreamWriter, asyncio.StreamWriter]
    dead: bool = False  # both ends are up, and nothing gets through

    def reset(self) -> None:
        for end in self.ends:
            with contextlib.suppress(OSError):
                end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
            end.transport.abort()


class Wire:
    """A proxy to a port of this machine, on a port of its own, within a `with`.

    `slow` holds back each piece for 0.2 s each way; `reset` cuts every connection, old and new; `half-open` lets
    what stands go dead without a word while new connections are good; `silent` does so to new ones too.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._mode: Mode = "good"
        self._lines: set[_Line] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._call(asyncio.start_server(self._connect, "127.0.0.1", 0))
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def become(self, mode: Mode) -> None:
        """Fail in this way from now on."""
        self._call(self._become(mode))

    def _call(self, work):  # type: ignore[no-untyped-def] # a coroutine and its result
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _become(self, mode: Mode) -> None:
        self._mode = mode
        for line in list(self._lines):
            line.dead = line.dead or mode in ("half-open", "silent")
            if mode == "reset":
                line.reset()

    async def _close(self) -> None:
        self._server.close()
        for line in list(self._lines):
            line.reset()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        line = _Line((writer, far_writer), dead=self._mode == "silent")
        if self._mode == "reset":
            line.reset()
            return
        self._lines.add(line)
        try:
            await asyncio.gather(self._pump(line, reader, far_writer), self._pump(line, far_reader, writer))
        finally:
            self._lines.discard(line)

    async def _pump(self, line: _Line, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                if self._mode == "slow":
                    await asyncio.sleep(DELAY_S)
                if not line.dead:
                    writer.write(data)
                    await writer.drain()
        if not line.dead:
            writer.close()
