"""A proxy of TCP that also loses answers, and stays silent about servers that are down."""

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
