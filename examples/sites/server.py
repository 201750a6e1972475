"""The server of the sites: pages from `pages/`, the API of `state`, and a CSV export."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from examples.sites.state import Answer, Call, State, operate

PAGES = Path(__file__).parent / "pages"
COOKIE = "site_session"
_SCRIPT = """<script>
const bug = (name) => name === %s;
const api = async (method, path, body) => {
  const answer = await fetch(path, { method, body: body && JSON.stringify(body) });
  return answer.status === 204 ? null : answer.json();
};
</script>
"""


class SiteServer(ThreadingHTTPServer):
    """All sites, with one planted bug or none."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], bug: str = "") -> None:
        super().__init__(address, _Handler)
        self.state = State(bug)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report an error, but not that a browser closed its connection before the end of a response."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def serve(bug: str = "", port: int = 0) -> Iterator[str]:
    """Serve the sites on loopback; yields their base URL."""
    with SiteServer(("127.0.0.1", port), bug) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.url
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: SiteServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        page = PAGES / f"{path.strip('/') or 'inventory'}.html"
        if path.startswith("/api/"):
            self._operate(path)
        elif path == "/export.csv":
            self._export()
        elif page.parent == PAGES and page.is_file():
            script = _SCRIPT % json.dumps(self.server.state.bug)
            self._send(200, (script + page.read_text()).encode(), "text/html; charset=utf-8")
        else:
            self._send(404, b"not found", "text/plain")

    def do_POST(self) -> None:
        self._operate(urlsplit(self.path).path)

    do_PUT = do_DELETE = do_POST  # noqa: N815 - the names are BaseHTTPRequestHandler's

    def _operate(self, path: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        cookies = SimpleCookie(self.headers.get("Cookie", ""))
        token = cookies[COOKIE].value if COOKIE in cookies else ""
        call = Call(body=json.loads(body) if body else {}, token=token)
        self._answer(operate(self.server.state, self.command, path, call))

    def _answer(self, answer: Answer) -> None:
        cookie = {"Set-Cookie": f"{COOKIE}={answer.token}; Path=/; HttpOnly"} if answer.token else {}
        body = b"" if answer.status == 204 else json.dumps(answer.body).encode()
        self._send(answer.status, body, "application/json", **cookie)

    def _export(self) -> None:
        bug = self.server.state.bug
        rows: list[list[Any]] = [[item["name"], item["cents"] / 100] for item in self.server.state.items]
        lines = rows if bug == "no-header-row" else [["name", "price"], *rows]
        text = "".join(",".join(map(str, line)) + "\n" for line in lines)
        name = "data.csv" if bug == "wrong-file-name" else "inventory.csv"
        self._send(200, text.encode(), "text/csv", **{"Content-Disposition": f'attachment; filename="{name}"'})

    def _send(self, status: int, body: bytes, content_type: str, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
