"""Proxies on loopback that fail on demand: of TCP as a network does, of HTTP as a server does."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, Self

import httpx

TcpMode = Literal["good", "slow", "reset", "half-open", "silent"]
DELAY_S = 0.2
_CHUNK = 1 << 16
_RST = struct.pack("ii", 1, 0)  # SO_LINGER without a time: closing sends a reset
_HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "content-encoding", "keep-alive", "host"}
_LIMIT = re.compile(r"([?&]limit=)(\d+)")
_SLOW_S = 8
_NEVER_SET = threading.Event()
# Answers of a proxy or a server that is not available now, by mode: status and body.
ANSWERS = {
    "500": (500, b'{"message": "not now"}'),
    "429": (429, b'{"message": "not now"}'),
    "404": (404, b"not found"),
    "403": (403, b'{"message": "forbidden"}'),
    "HTML": (200, b"<html><body>Back soon</body></html>"),
    "read-only": (405, b'{"code": "25006", "message": "cannot execute UPDATE in a read-only transaction"}'),
}


@dataclass(eq=False)
class _Connection:
    ends: tuple[asyncio.StreamWriter, asyncio.StreamWriter]
    dead: bool = False  # open at both ends, but nothing is passed on

    def reset(self) -> None:
        for end in self.ends:
            with contextlib.suppress(OSError):
                end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
            end.transport.abort()


class TcpProxy:
    """A proxy to a port of this machine, on a port of its own, within a `with` block.

    `slow` delays each piece by 0.2 s in each direction; `reset` resets every connection, old and new; `half-open`
    passes nothing on over existing connections, while new ones are good; `silent` does so with new ones too.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._mode: TcpMode = "good"
        self._connections: set[_Connection] = set()
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

    def set_mode(self, mode: TcpMode) -> None:
        """Fail in this way from now on."""
        self._call(self._set_mode(mode))

    def _call(self, work):  # type: ignore[no-untyped-def] # a coroutine and its result
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _set_mode(self, mode: TcpMode) -> None:
        self._mode = mode
        for connection in list(self._connections):
            connection.dead = connection.dead or mode in ("half-open", "silent")
            if mode == "reset":
                connection.reset()

    async def _close(self) -> None:
        self._server.close()
        for connection in list(self._connections):
            connection.reset()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        connection = _Connection((writer, far_writer), dead=self._mode == "silent")
        if self._mode == "reset":
            connection.reset()
            return
        self._connections.add(connection)
        try:
            await asyncio.gather(
                self._pump(connection, reader, far_writer), self._pump(connection, far_reader, writer)
            )
        finally:
            self._connections.discard(connection)

    async def _pump(
        self, connection: _Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                if self._mode == "slow":
                    await asyncio.sleep(DELAY_S)
                if not connection.dead:
                    writer.write(data)
                    await writer.drain()
        if not connection.dead:
            writer.close()


class HttpProxy:
    """A proxy to an HTTP server at `target`, on a port of its own, within a `with` block.

    `mode` is `good`, `gone` (the connection is closed), `slow` (8 s), `half` (of the body) or one of `ANSWERS`;
    `refused` counts the requests that did not find it good. No answer has more than `max_rows` rows.
    """

    def __init__(self, target: str) -> None:
        self.mode = "good"
        self.max_rows = 1000
        self.refused = 0
        self.target = target
        self.client = httpx.Client(trust_env=False, timeout=30)
        self._server = _HttpServer(("127.0.0.1", 0), _HttpHandler)
        self._server.proxy = self
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.client.close()


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    proxy: HttpProxy

    def handle_error(self, *_: object) -> None:
        """Log nothing: connections are closed on purpose."""


class _HttpHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _HttpServer

    def _answer(self) -> None:
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        mode = proxy.mode
        if mode != "good":
            proxy.refused += 1
        if mode == "gone":
            self.close_connection = True
            return
        if mode in ANSWERS:
            self._send(*ANSWERS[mode], {})
            return
        if mode == "slow":
            _NEVER_SET.wait(_SLOW_S)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP_BY_HOP}
        path = _limited(self.path, proxy.max_rows) if self.command == "GET" else self.path
        answer = proxy.client.request(self.command, proxy.target + path, content=body, headers=headers)
        kept = {k: v for k, v in answer.headers.items() if k.lower() not in _HOP_BY_HOP}
        self._send(answer.status_code, answer.content, kept, half=mode == "half")

    do_GET = do_POST = do_PATCH = do_DELETE = do_HEAD = _answer  # noqa: N815 - the names that http.server calls

    def _send(self, status: int, body: bytes, headers: dict[str, str], *, half: bool = False) -> None:
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body) + (100 if half else 0)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if half else body)
            self.close_connection = self.close_connection or half
        except OSError:
            self.close_connection = True  # the caller gave up

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def _limited(path: str, max_rows: int) -> str:
    """Return the path of a query for at most `max_rows` rows, as PostgREST does with its setting of this name."""
    if _LIMIT.search(path):
        return _LIMIT.sub(lambda found: f"{found[1]}{min(int(found[2]), max_rows)}", path)
    return f"{path}&limit={max_rows}" if "?" in path else path
