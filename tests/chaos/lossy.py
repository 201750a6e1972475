"""Proxies of TCP that also lose answers, and stay silent about servers that are down."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from tests.support.proxies import TcpProxy

_CHUNK = 1 << 16
_CLOSE_S = 5  # in which connections that were reset end


class LossyProxy(TcpProxy):
    """A `TcpProxy` with one more mode, `lost replies`: the server receives everything, no answer arrives."""

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await super()._connect(reader, writer)
        except OSError:  # the server is down
            writer.transport.abort()

    async def _pump(self, connection: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if writer is not connection.ends[0]:
            await super()._pump(connection, reader, writer)
            return
        answers = asyncio.StreamReader()
        passing = asyncio.create_task(super()._pump(connection, answers, writer))
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                if self._mode == "lost replies":
                    connection.reset()
                    break
                answers.feed_data(data)
        answers.feed_eof()
        await passing

    async def _close(self) -> None:
        self._server.close()
        for connection in list(self._connections):
            connection.reset()
        if tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(tasks, timeout=_CLOSE_S)


class AnswerLosingProxy(TcpProxy):
    """Loses Redis' answers to the first requests that contain a marker: resets the connection in place of each.

    Answers are those with a list, so that the refusal of a request is not lost; `lost` counts them.
    """

    def __init__(self, target: int, marker: bytes, times: int) -> None:
        super().__init__(target)
        self.lost = 0
        self._marker = marker
        self._times = times
        self._asked: dict[Any, bytes] = {}  # by connection: what was asked since the last answer

    async def _pump(self, connection: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                if writer is connection.ends[1]:
                    self._asked[connection] = self._asked.get(connection, b"") + data
                elif self._loses(self._asked.pop(connection, b""), data):
                    self.lost += 1
                    connection.reset()
                    return
                writer.write(data)
                await writer.drain()
        writer.close()

    def _loses(self, asked: bytes, answer: bytes) -> bool:
        return self._marker in asked and answer.startswith(b"*") and self.lost < self._times
