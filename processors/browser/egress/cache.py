"""A cache of static files for all runs of a worker, by the rules of HTTP for shared caches (RFC 9111).

It keeps successful responses to plain GET requests for scripts, styles, images and fonts, and no response that is
meant for one user. HTTPS passes the proxy as a tunnel, of which nothing can be kept.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path

import h11

MAX_BODY = 8 << 20  # of one file, in bytes
_TYPES = ("text/css", "text/javascript", "application/javascript", "application/x-javascript", "image/", "font/",
          "application/font", "application/x-font", "application/vnd.ms-fontobject")  # fmt: skip
_DESTINATIONS = ("script", "style", "image", "font")
_OWN_REQUESTS = (
    "authorization", "range", "if-none-match", "if-modified-since", "if-match", "if-range", "upgrade",
    "content-length", "transfer-encoding",
)  # fmt: skip
_PERSONAL = frozenset({"*", "cookie", "authorization"})
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "content-length", "trailer", "upgrade", "proxy-connection"}
)
Headers = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class CachedResponse:
    """A response that is kept: headers in lower case, those of its request that it varies by, when it came."""

    url: str
    headers: Headers
    varies: Headers
    stored_at: float
    body: bytes = b""

    def fits(self, url: str, request: Headers) -> bool:
        """Return True if it answers this request."""
        return url == self.url and all(request.get(name, "") == value for name, value in self.varies.items())

    def is_fresh(self, now: float) -> bool:
        """Return True if it may be used without asking its server."""
        age = now - self.stored_at + _number(self.headers.get("age"))
        return 0 <= age < lifetime_s(self.headers)

    @property
    def validators(self) -> list[tuple[str, str]]:
        """The headers by which its server says whether it has changed."""
        pairs = (("If-None-Match", "etag"), ("If-Modified-Since", "last-modified"))
        return [(name, self.headers[own]) for name, own in pairs if own in self.headers]

    def message(self, now: float) -> bytes:
        """Return it as it is sent."""
        age = max(0, int(now - self.stored_at + _number(self.headers.get("age"))))
        kept = {name: value for name, value in self.headers.items() if name != "age"}
        lines = [f"{name}: {value}" for name, value in kept.items()]
        head = ["HTTP/1.1 200 OK", *lines, f"age: {age}", f"content-length: {len(self.body)}", "", ""]
        return "\r\n".join(head).encode("latin-1") + self.body

    def renewed(self, answer: Headers, now: float) -> CachedResponse:
        """Return it after its server has said that it has not changed."""
        newer = {name: value for name, value in answer.items() if name not in _HOP_BY_HOP}
        old = {name: value for name, value in self.headers.items() if name != "age"}
        return CachedResponse(
            url=self.url, headers={**old, **newer}, varies=self.varies, stored_at=now, body=self.body
        )


def may_use(method: bytes, request: Headers) -> bool:
    """Return True for a request that may be answered from the cache."""
    destination = request.get("sec-fetch-dest", "image")
    own = any(name in request for name in _OWN_REQUESTS)
    return method == b"GET" and not own and destination in _DESTINATIONS and "no-store" not in directives(request)


def must_ask(request: Headers) -> bool:
    """Return True if a request wants its server to be asked, as a page that is loaded again."""
    found = directives(request)
    return "no-cache" in found or found.get("max-age") == "0" or "no-cache" in request.get("pragma", "").lower()


def may_store(status: int, headers: Headers) -> bool:
    """Return True for a response that may be kept for other runs."""
    found, varies = directives(headers), set(names_in(headers.get("vary", "")))
    kind = headers.get("content-type", "").lower()
    usable = lifetime_s(headers) > 0 or "etag" in headers or "last-modified" in headers
    private = {"private", "no-store"} & found.keys() or "set-cookie" in headers or varies & _PERSONAL
    return status == HTTPStatus.OK and kind.startswith(_TYPES) and usable and not private


def lifetime_s(headers: Headers) -> float:
    """Return the seconds for which a response may be used without asking; 0 where it does not say."""
    found = directives(headers)
    if "no-cache" in found:
        return 0.0
    for name in ("s-maxage", "max-age"):
        if name in found:
            return _number(found[name])
    with suppress(ValueError, KeyError, TypeError):
        expires, date = (parsedate_to_datetime(headers[name]) for name in ("expires", "date"))
        return max(0.0, (expires - date).total_seconds())
    return 0.0


def directives(headers: Headers) -> dict[str, str]:
    """Return the directives of Cache-Control, in lower case, with their values."""
    pairs = (part.strip().partition("=") for part in headers.get("cache-control", "").lower().split(","))
    return {name.strip(): value.strip().strip('"') for name, _, value in pairs if name.strip()}


def names_in(text: str) -> list[str]:
    """Return the names of a list of headers, in lower case."""
    return [name.strip().lower() for name in text.split(",") if name.strip()]


def merged(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return headers by name in lower case; those that come several times in one line."""
    found: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _number(text: str | None) -> float:
    return float(text) if text and text.isdecimal() and len(text) < 12 else 0.0


class HttpCache:
    """Responses in a folder of at most `most` bytes, for all runs; the least recently used are deleted first."""

    def __init__(self, folder: Path, most: int) -> None:
        self._folder = folder
        self._most = most

    async def find(self, url: str, request: Headers) -> CachedResponse | None:
        """Return the response that answers a request."""
        found = await asyncio.to_thread(self._read, self._path(url))
        return found if found is not None and found.fits(url, request) else None

    async def store(self, response: CachedResponse) -> None:
        """Keep a response in place of an earlier one for its URL; a full disk keeps none."""
        if len(response.body) <= min(MAX_BODY, self._most):
            with suppress(OSError):
                await asyncio.to_thread(self._write, self._path(response.url), response)

    def _path(self, url: str) -> Path:
        return self._folder / hashlib.sha256(url.encode()).hexdigest()

    def _read(self, path: Path) -> CachedResponse | None:
        try:
            head, _, body = path.read_bytes().partition(b"\n")
            found = CachedResponse(**json.loads(head), body=body)
            os.utime(path)
        except (OSError, ValueError, TypeError):
            return None
        return found

    def _write(self, path: Path, response: CachedResponse) -> None:
        head = {name: getattr(response, name) for name in ("url", "headers", "varies", "stored_at")}
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as draft:
            draft.write(json.dumps(head).encode() + b"\n" + response.body)
        Path(draft.name).replace(path)
        self._trim()

    def _trim(self) -> None:
        with os.scandir(self._folder) as entries:
            files = sorted((entry.stat().st_mtime, entry.stat().st_size, entry.path) for entry in entries)
        excess = sum(size for _, size, _ in files) - self._most
        for _, size, path in files:
            if excess <= 0:
                return
            Path(path).unlink(missing_ok=True)  # another process may have deleted it
            excess -= size


class Exchange:
    """The response to one request on its way to the browser: kept if it may be.

    With a response that is `known`, the server was asked whether it has changed; if not, it is the answer.
    """

    def __init__(self, cache: HttpCache, url: str, request: Headers, known: CachedResponse | None) -> None:
        self._cache = cache
        self._url = url
        self._request = request
        self.known = known
        self._parser = h11.Connection(h11.CLIENT)
        self._parser.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
        self._parser.send(h11.EndOfMessage())
        self._held = b""  # while it is not known whether it is passed on
        self._status: int | None = None
        self._headers: Headers | None = None  # of a response that may be kept
        self._body = bytearray()
        self.over = False

    def receive(self, data: bytes) -> bytes:
        """Take bytes of the server; return those for the browser."""
        try:
            self._parser.receive_data(data)
            while not self.over and self._next():
                pass
        except h11.RemoteProtocolError:
            self.over = True
        if self.known is None:
            return data
        if self._status == HTTPStatus.NOT_MODIFIED:
            return self.known.message(time.time()) if self.over else b""
        self._held += data
        if self._status is None and not self.over:
            return b""
        self.known = None
        return self._held

    def _next(self) -> bool:
        """Read the next part of the response; False where it has not come."""
        match self._parser.next_event():
            case h11.Response() as response:
                self._begin(response.status_code, merged(response.headers.raw_items()))
            case h11.Data() as piece if self._headers is not None:
                self._body += piece.data
                if len(self._body) > MAX_BODY:
                    self._headers = None
            case h11.EndOfMessage():
                self.over = True
                self._keep()
            case h11.Data() | h11.InformationalResponse():
                pass
            case _:
                return False
        return True

    def _begin(self, status: int, headers: Headers) -> None:
        self._status = status
        if status == HTTPStatus.NOT_MODIFIED and self.known is not None:
            self.known = self.known.renewed(headers, time.time())
        elif may_store(status, headers):
            self._headers = {name: value for name, value in headers.items() if name not in _HOP_BY_HOP}

    def _keep(self) -> None:
        kept = self.known if self._status == HTTPStatus.NOT_MODIFIED else None
        if self._headers is not None:
            varies = {name: self._request.get(name, "") for name in names_in(self._headers.get("vary", ""))}
            now, body = time.time(), bytes(self._body)
            kept = CachedResponse(url=self._url, headers=self._headers, varies=varies, stored_at=now, body=body)
        if kept is not None:
            task = asyncio.ensure_future(self._cache.store(kept))
            _stores.add(task)
            task.add_done_callback(_stores.discard)


_stores: set[asyncio.Future[None]] = set()  # those that go on, which nothing else refers to
