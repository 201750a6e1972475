"""The HTTP server: reads requests within limits, finds the session, lets a view answer."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from examples.shop.routes import Answer, answer
from examples.shop.session import Sessions
from examples.shop.web import Form, FormError, Request, Response, parse_form, parse_query

DEFAULT_PASSWORD = "coffee-please"
COOKIE = "shop_session"
MAX_BODY = 2 * 1024 * 1024
IDLE_SECONDS = 30
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'self'; form-action 'self'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


class RefusedError(Exception):
    """A request that is not even looked at: its status and why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class ShopServer(ThreadingHTTPServer):
    """One thread a request; `stopping` ends responses that are held back."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], password: str, answer: Answer = answer) -> None:
        super().__init__(address, Handler)
        self.password = password
        self.answer = answer
        self.sessions = Sessions()
        self.stopping = threading.Event()


class Handler(BaseHTTPRequestHandler):
    """GET, HEAD and POST."""

    server: ShopServer
    protocol_version = "HTTP/1.1"
    server_version = "MorningBean"
    sys_version = ""
    timeout = IDLE_SECONDS
    # Headers and body leave in two writes; without this each answer waits for the client's delayed ACK.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._serve()

    do_HEAD = do_POST = do_GET  # noqa: N815 - the names are BaseHTTPRequestHandler's

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the shop is a background of tests."""

    def _serve(self) -> None:
        token, session = self.server.sessions.open(self._cookie())
        url = urlsplit(self.path)
        try:
            form = self._form()
            query = parse_query(url.query)
        except (RefusedError, FormError) as error:
            self.close_connection = True
            self._send(Response(status=getattr(error, "status", 400), body=str(error).encode()), token)
            return
        request = Request(
            session=session, password=self.server.password, query=query, form=form.fields, files=form.files
        )
        with session.lock:
            response = self.server.answer("POST" if self.command == "POST" else "GET", url.path, request)
        if response.delay_ms:
            self.server.stopping.wait(response.delay_ms / 1000)
        self._send(response, token)

    def _form(self) -> Form:
        if self.command != "POST":
            return Form()
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit():
            raise RefusedError(411, "the body needs a Content-Length")
        if int(length) > MAX_BODY:
            raise RefusedError(413, f"the body is larger than {MAX_BODY} bytes")
        if self.headers.get("Origin") not in (None, f"http://{self.headers.get('Host')}"):
            raise RefusedError(403, "forms are taken from the shop's own pages only")
        return parse_form(self.headers.get("Content-Type", ""), self.rfile.read(int(length)))

    def _cookie(self) -> str | None:
        try:
            morsel = SimpleCookie(self.headers.get("Cookie", "")).get(COOKIE)
        except CookieError:
            return None
        return morsel.value if morsel else None

    def _send(self, response: Response, token: str) -> None:
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(response.body)))
        self.send_header("Set-Cookie", f"{COOKIE}={token}; Path=/; HttpOnly; SameSite=Lax")
        if response.location:
            self.send_header("Location", response.location)
        if self.close_connection:
            self.send_header("Connection", "close")
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    def handle(self) -> None:
        """Serve the connection; a visitor who disconnects early is not an error."""
        try:
            super().handle()
        except (ConnectionError, TimeoutError):
            self.close_connection = True


@dataclass(frozen=True)
class Shop:
    """A running shop."""

    url: str
    server: ShopServer
    thread: threading.Thread

    def stop(self) -> None:
        """Stop serving and free the port; stopping twice is harmless."""
        self.server.stopping.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def __enter__(self) -> Shop:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def serve(port: int = 0, *, host: str = "127.0.0.1", password: str | None = None, answer: Answer = answer) -> Shop:
    """Start the shop in a thread; port 0 takes a free one.

    The password is the argument, else `SHOP_PASSWORD` of the environment, else `coffee-please`. Another `answer`
    may stand before the shop's own and change what it says.

    Raises:
        OSError: the port cannot be had.
    """
    server = ShopServer((host, port), password or os.environ.get("SHOP_PASSWORD") or DEFAULT_PASSWORD, answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    return Shop(f"http://{host}:{server.server_address[1]}", server, thread)
