"""Requests and responses of a context's pages, in order, for the steps that wait for them or check them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import BrowserContext, Error, Request, Response

from processors.browser.flood import Budget
from processors.browser.page_log import ABORTED, Explain, as_given, guarded
from processors.browser.responses import has_status, shown_url
from qa_queue.cases.traffic import RequestPattern, ResponsePattern, UrlPattern, fits_url

MAX_EVENTS = 5_000  # of a context at once
EVENTS_PER_S = 500
LISTED = 3


@dataclass(kw_only=True)
class Exchange:
    """A request of a page; `status` is None until its response comes, `failure` has the browser's reason."""

    method: str
    url: str
    status: int | None = None
    failure: str | None = None
    sent: Request = field(repr=False)

    async def value(self, kind: str) -> dict[str, Any]:
        """Return the `request` or `response` as a value; `json` is null where its body is not JSON."""
        text = self.sent.post_data if kind == "request" else await self._body()
        try:
            body = json.loads(text or "")
        except ValueError:
            body = None
        return {"method": self.method, "url": self.url, "status": self.status, "text": text or "", "json": body}

    async def _body(self) -> str | None:
        try:
            response = await self.sent.response()
            return await response.text() if response else None
        except (Error, UnicodeDecodeError):
            return None  # a redirect has none, and the browser drops that of a page that was left

    @property
    def failed(self) -> bool:
        """True where there was no response, or it was an error; a request that the page gave up did not fail."""
        return self.failure is not None or (self.status or 0) >= 400

    def __str__(self) -> str:
        result = self.failure or self.status
        return f"{self.method} {shown_url(self.url)}" + (f" ({result})" if result is not None else "")


class Changes:
    """Signals that something changed, to those who wait for a condition."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def note(self) -> None:
        """Let those who wait look again."""
        self._changed.set()

    async def until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Wait until a condition holds; False where it does not in time."""
        try:
            async with asyncio.timeout(seconds):
                while not holds():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return holds()
        return True


class Traffic:
    """Records what pages send and receive, where a step of the case needs it.

    A context that makes more requests than a browser can report is not recorded any further (`overflow`).
    """

    def __init__(
        self, context: BrowserContext, *, recorded: bool, base_url: str | None, explain: Explain = as_given
    ) -> None:
        self._explain = explain
        self.requests: list[Exchange] = []
        self.responses: list[Exchange] = []
        self.overflow = False
        self._base_url = base_url
        self._context = context
        self._open: dict[Request, Exchange] = {}
        self._changes = Changes()
        self._budget = Budget(MAX_EVENTS, EVENTS_PER_S, time.monotonic())
        self._marks = ((0, 0), (0, 0))  # requests and responses before the previous step, and before this one
        self._listeners: dict[Any, Callable[[Any], None]] = {
            "request": guarded(self._on_request),
            "response": guarded(self._on_response),
            "requestfinished": guarded(self._on_end),
            "requestfailed": guarded(self._on_end),
        }
        for event, listener in self._listeners.items() if recorded else ():
            context.on(event, listener)

    def begin_step(self) -> None:
        """Note that a step begins."""
        self._marks = (self._marks[1], (len(self.requests), len(self.responses)))

    def recent(self, kind: str) -> list[Exchange]:
        """Return each `request` or `response` since the step before this one began."""
        requests, responses = self._marks[0]
        return self.requests[requests:] if kind == "request" else self.responses[responses:]

    @property
    def unanswered(self) -> list[Exchange]:
        """The requests that are still open."""
        return [exchange for exchange in self._open.values() if exchange.status is None]

    def matching(self, pattern: RequestPattern, exchanges: Sequence[Exchange]) -> list[Exchange]:
        """Return the exchanges that a pattern describes."""
        return [one for one in exchanges if self._fits(pattern, one)]

    def fits_url(self, pattern: UrlPattern, url: str) -> bool:
        """Return True where a pattern describes a URL."""
        return fits_url(pattern, url, self._base_url)

    async def until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Wait until a condition on what was recorded holds; False where it does not in time."""
        return await self._changes.until(holds, seconds)

    def _fits(self, pattern: RequestPattern, exchange: Exchange) -> bool:
        if pattern.method not in (None, exchange.method):
            return False
        wanted = pattern.status if isinstance(pattern, ResponsePattern) else None
        if wanted is not None and (exchange.status is None or not has_status(wanted, exchange.status)):
            return False
        return pattern.url is None or self.fits_url(pattern.url, exchange.url)

    def _on_request(self, request: Request) -> None:
        exchange = Exchange(method=request.method, url=request.url, sent=request)
        self.requests.append(exchange)
        self._open[request] = exchange
        self._note()

    def _on_response(self, response: Response) -> None:
        if exchange := self._open.get(response.request):
            exchange.status = response.status
            self.responses.append(exchange)
            self._note()

    def _on_end(self, request: Request) -> None:
        exchange = self._open.pop(request, None)
        if exchange is not None and request.failure and ABORTED not in request.failure:
            exchange.failure = self._explain(request.failure, request.url)
        self._note()

    def _note(self) -> None:
        self._changes.note()
        if self._budget.spend(1, time.monotonic()) or self.overflow:
            return
        self.overflow = True
        for event, listener in self._listeners.items():
            self._context.remove_listener(event, listener)


def listed(exchanges: Sequence[Exchange], kind: str) -> str:
    """Return the latest of these requests or responses in words, for the message of a failure."""
    if not exchanges:
        return f"no {kind} came"
    shown = ", ".join(map(str, exchanges[-LISTED:]))
    return f"the last of {len(exchanges)}: {shown}" if len(exchanges) > LISTED else f"there were: {shown}"
