"""The site of the examples: the pages of `site/`, and an API over a list in memory."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.cookies import SimpleCookie
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from secrets import token_urlsafe
from typing import Any
from urllib.parse import parse_qsl, urlsplit

SITE = Path(__file__).parent / "site"
PASSWORD = "espresso"
Answer = tuple[int, Any]


def _seconds(delay: str) -> float:
    """Return `3s` or `300` (ms) in seconds."""
    return float(delay[:-1]) if delay.endswith("s") else float(delay) / 1000


class Data:
    """Data of the API: items by id, and the users of its sessions."""

    def __init__(self) -> None:
        self.items: dict[int, dict[str, Any]] = {}
        self.sessions: dict[str, str] = {}
        self.logins = 0
        self._ids = count(1)

    def add(self, item: dict[str, Any]) -> dict[str, Any]:
        made = {"id": next(self._ids), **item}
        self.items[made["id"]] = made
        return made


class Handler(SimpleHTTPRequestHandler):
    """Serves `/form` from `site/form.html` and `/api` from the data."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *args: Any, data: Data, **more: Any) -> None:
        self.data = data
        self._cookies: list[str] = []
        super().__init__(*args, **more)

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path.startswith("/api/"):
            self._api()
        elif path == "/account" and self._user() is None:
            self._redirect("/signin")
        elif path == "/old":
            self._redirect("/api/health")
        else:
            super().do_GET()

    def do_POST(self) -> None:
        self._api()

    do_PUT = do_PATCH = do_DELETE = do_POST  # noqa: N815 - names that the base class calls

    def translate_path(self, path: str) -> str:
        found = Path(super().translate_path(path))
        page = found.with_suffix(".html")
        return str(page if not found.suffix and page.is_file() else found)

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        for cookie in self._cookies:
            self.send_header("Set-Cookie", cookie)
        self._cookies = []
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the site is a background of tests."""

    def _api(self) -> None:
        path, query = urlsplit(self.path).path, dict(parse_qsl(urlsplit(self.path).query))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode("utf-8", "replace")
        time.sleep(_seconds(query.get("delay", "0")))
        name, _, rest = path.removeprefix("/api/").partition("/")
        operations: dict[str, Callable[[str, str], Answer]] = {
            "health": lambda _rest, _body: (200, {"status": "ok", "query": query}),
            "items": self._items,
            "login": self._login,
            "me": self._me,
            "echo": self._echo,
            "broken": lambda _rest, _body: (500, {"error": "the machine is empty", "token": "t0p-s3cret"}),
        }
        status, answer = operations.get(name, lambda _rest, _body: (404, {"error": "not found"}))(rest, body)
        self._send(status, json.dumps(answer).encode() if status != 204 else b"")

    def _items(self, item_id: str, body: str) -> Answer:
        items = self.data.items
        if not item_id:
            return (201, self.data.add(json.loads(body))) if body else (200, list(items.values()))
        if int(item_id) not in items:
            return 404, {"error": f"no item {item_id}"}
        if self.command == "DELETE":
            del items[int(item_id)]
            return 204, None
        if body:
            old = items[int(item_id)] if self.command == "PATCH" else {}
            items[int(item_id)] = old | json.loads(body) | {"id": int(item_id)}
        return 200, items[int(item_id)]

    def _login(self, _rest: str, body: str) -> Answer:
        given = json.loads(body) if body.startswith("{") else dict(parse_qsl(body))
        if given.get("password") != PASSWORD:
            return 401, {"error": "wrong password", "password": given.get("password")}
        token = token_urlsafe(24)
        self.data.sessions[token] = given["user"]
        self.data.logins += 1
        self._cookies.append(f"session={token}; Path=/; HttpOnly")
        return 200, {"user": given["user"], "token": token}

    def _me(self, _rest: str, _body: str) -> Answer:
        user = self._user()
        return (401, {"error": "sign in first"}) if user is None else (200, {"user": user})

    def _echo(self, _rest: str, body: str) -> Answer:
        headers = {name.lower(): value for name, value in self.headers.items()}
        return 200, {"method": self.command, "headers": headers, "body": body}

    def _user(self) -> str | None:
        session = SimpleCookie(self.headers.get("Cookie", "")).get("session")
        return self.data.sessions.get(session.value) if session else None

    def _redirect(self, location: str) -> None:
        self.send_response(302)
        self.send_header("Location", location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """Serves each connection in a thread."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report an error, but not that a browser closed its connection before the end of a response."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def serve(port: int = 0, data: Data | None = None) -> Iterator[str]:
    """Serve the site on loopback while the block runs; yields its URL."""
    server = Server(("127.0.0.1", port), partial(Handler, directory=str(SITE), data=data or Data()))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
