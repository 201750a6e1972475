"""A small site for tests: pages from a table, on a free loopback port."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

Page = str | bytes | Callable[[dict[str, str]], str]


class Site:
    """Pages by path, served until the context ends; `redirects` answers a path with another one.

    `/redirect?to=URL` leads to any URL.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.pages: dict[str, Page] = {}
        self.redirects: dict[str, str] = {}
        self.logins: dict[str, str] = {}  # USER:PASSWORD of HTTP authentication
        self.held: dict[str, threading.Event] = {}
        self.heard: list[tuple[str, dict[str, str]]] = []  # paths and headers of requests, names in lower case
        self.headers: dict[str, dict[str, str]] = {}  # of the answer, by path

    def page(self, path: str, html: Page) -> str:
        """Serve `html` (or what it returns for the query or form) at `path`; returns the path."""
        self.pages[path] = html
        return path


@contextmanager
def serve_site() -> Iterator[Site]:
    """A site that is up within the context."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.site = Site(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.site  # type: ignore[attr-defined]
        finally:
            for event in server.site.held.values():  # type: ignore[attr-defined]
                event.set()
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(parse_qs(urlsplit(self.path).query))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self._answer(parse_qs(body))

    def _answer(self, form: dict[str, list[str]]) -> None:
        site: Site = self.server.site  # type: ignore[attr-defined]
        path = urlsplit(self.path).path
        site.heard.append((path, {name.lower(): value for name, value in self.headers.items()}))
        if path in site.held:
            site.held[path].wait(30)
        if path in site.logins and self.headers.get("Authorization") != _basic(site.logins[path]):
            self._send(401, "login first", **{"WWW-Authenticate": 'Basic realm="site"'})
        elif path in site.redirects:
            self._send(302, "", Location=site.redirects[path])
        elif path == "/redirect" and "to" in form:
            self._send(302, "", Location=form["to"][0])
        elif (page := site.pages.get(path)) is None:
            self._send(404, "not here")
        else:
            kind = {"Content-Type": "text/javascript"} if path.endswith(".js") else {}
            kind |= site.headers.get(path, {})
            made = page if isinstance(page, (str, bytes)) else page({k: v[0] for k, v in form.items()})
            self._send(200, made, **kind)

    def _send(self, status: int, html: str | bytes, **headers: str) -> None:
        body = html if isinstance(html, bytes) else html.encode()
        self.send_response(status)
        headers.setdefault("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _basic(login: str) -> str:
    return f"Basic {base64.b64encode(login.encode()).decode()}"
