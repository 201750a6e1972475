"""A line to Supabase that can fail in the ways that lines and servers do."""

from __future__ import annotations

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

import httpx

_HOP = {"connection", "transfer-encoding", "content-length", "content-encoding", "keep-alive", "host"}
_LIMIT = re.compile(r"([?&]limit=)(\d+)")
_PAUSE = threading.Event()
# Answers of a proxy or a server that is not available now, by mode: status and body.
ANSWERS = {
    "500": (500, b'{"message": "not now"}'),
    "429": (429, b'{"message": "not now"}'),
    "404": (404, b"not found"),
    "403": (403, b'{"message": "forbidden"}'),
    "HTML": (200, b"<html><body>Back soon</body></html>"),
    "read-only": (405, b'{"code": "25006", "message": "cannot execute UPDATE in a read-only transaction"}'),
}


class Line:
    """An HTTP proxy on a port of its own.

    `mode` is `good`, `gone`, `slow`, `half` or one of `ANSWERS`. No answer has more than `max_rows` rows.
    """

    def __init__(self, target: str) -> None:
        self.mode = "good"
        self.max_rows = 1000
        self.refused = 0
        self.target = target
        self.client = httpx.Client(trust_env=False, timeout=30)
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.line = self
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


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    line: Line

    def handle_error(self, *_: object) -> None:
        """Say nothing: callers that are cut off are what this is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _answer(self) -> None:
        line = self.server.line
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        mode = line.mode
        if mode != "good":
            line.refused += 1
        if mode == "gone":
            self.close_connection = True
            return
        if mode in ANSWERS:
            self._send(*ANSWERS[mode], {})
            return
        if mode == "slow":
            _PAUSE.wait(8)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP}
        path = _limited(self.path, line.max_rows) if self.command == "GET" else self.path
        answer = line.client.request(self.command, line.target + path, content=body, headers=headers)
        kept = {k: v for k, v in answer.headers.items() if k.lower() not in _HOP}
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
        """Say nothing."""


def _limited(path: str, max_rows: int) -> str:
    """Return the path of a query for at most `max_rows` rows, as PostgREST does with its setting of this name."""
    if _LIMIT.search(path):
        return _LIMIT.sub(lambda found: f"{found[1]}{min(int(found[2]), max_rows)}", path)
    return f"{path}&limit={max_rows}" if "?" in path else path
