"""Limits on requests: a token bucket and the requests in progress of each caller, in the memory of this process.

What stands before every route, as ASGI middleware: careful headers, and bodies of a bounded size.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from qa_queue.api.errors import problem, respond

MOST_CALLERS = 10_000  # kept in memory; the one that was quiet for longest is forgotten, and starts afresh


@dataclass(frozen=True)
class Bucket:
    """The requests left to a caller: `tokens` at the moment `at`, in seconds."""

    tokens: float
    at: float


def take(bucket: Bucket | None, now: float, per_minute: int) -> tuple[Bucket, float]:
    """The bucket after one request, and for how many seconds the caller has to wait; 0 when it may pass.

    A full bucket holds a minute's worth, so that a caller may hurry as long as it is patient afterwards.
    """
    rate = per_minute / 60
    full = Bucket(float(per_minute), now) if bucket is None else bucket
    tokens = min(float(per_minute), full.tokens + max(0.0, now - full.at) * rate)
    if tokens >= 1:
        return Bucket(tokens - 1, now), 0.0
    return Bucket(tokens, now), (1 - tokens) / rate


class RateLimiter:
    """Buckets by caller. One process serves the API, so they need no place outside it."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, caller: str) -> int:
        """Count a request; whole seconds that the caller has to wait, or 0 when it may pass."""
        with self._lock:
            bucket, wait = take(self._buckets.pop(caller, None), self._clock(), self._per_minute)
            self._buckets[caller] = bucket
            if len(self._buckets) > MOST_CALLERS:
                self._buckets.popitem(last=False)
        return math.ceil(wait)


@dataclass(frozen=True, kw_only=True)
class ConcurrencyLimit:
    """The most requests at once of one caller to paths that end in one of these; `setting` is where it is set."""

    paths: tuple[str, ...]
    most: int
    setting: str
    retry_after_s: int


class ConcurrencyLimiter:
    """Counts the requests in progress of each caller; used by one event loop."""

    def __init__(self, limits: Sequence[ConcurrencyLimit]) -> None:
        self._limits = limits
        self._running: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def request(self, caller: str, path: str) -> Iterator[ConcurrencyLimit | None]:
        """Count a request while the block runs; yield the limit that it would exceed, or None."""
        limit = next((one for one in self._limits if path.endswith(one.paths)), None)
        if limit is None:
            yield None
            return
        key = (caller, limit.setting)
        if self._running[key] >= limit.most:
            yield limit
            return
        self._running[key] += 1
        try:
            yield None
        finally:
            self._running[key] -= 1
            self._running += Counter()  # forgets callers without a request


# Pages carry text from cases and sites under test: even if some of it slipped through the escaping, no script runs
# but our own file's. Same-origin as the referrer policy, because a browser otherwise hides the origin of our forms.
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class SecurityHeaders:
    """Adds the headers that an answer does not set itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


class BodyLimit:
    """Refuses bodies of more than `most` bytes with 413, before any route sees them.

    A body of an announced length is held to it by the server; one that comes in chunks is read here first.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
        announced = headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self._most:
            await self._refuse(scope, receive, send)
        elif "transfer-encoding" in headers:
            await self._chunked(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _chunked(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = bytearray(), True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._most:
                await self._refuse(scope, receive, send)
                return
        whole: Message | None = {"type": "http.request", "body": bytes(body), "more_body": False}

        async def replay() -> Message:
            nonlocal whole
            message, whole = whole, None
            return message or await receive()

        await self._app(scope, replay, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        detail = f"The body is larger than {self._most} bytes: send less at a time, or raise QA_API_MAX_BODY."
        await respond(problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail))(scope, receive, send)
