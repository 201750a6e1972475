"""The log of a context's pages: console, errors, failed requests, dialogs, crashes; and the end of a flood."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from playwright.async_api import BrowserContext, ConsoleMessage, Error, Page, Request, WebError

from processors.browser import flood
from processors.browser.egress.policy import REFUSED
from processors.browser.flood import BrowserLoad, Budget
from processors.browser.protocol import SessionLimits
from qa_queue.models import utc_now

MAX_ENTRIES = 1_000
MAX_CHARS = 2_000  # of one entry's text
MAX_EVENTS = 1_000  # of a context at once
EVENTS_PER_S = 50
MAX_CHARS_AT_ONCE = 16_000_000  # of a context's events
CHARS_PER_S = 1_000_000
CLOSE_TIMEOUT_S = 5.0
ABORTED = "ERR_ABORTED"  # the page was left before the answer came, or its script no longer wanted it
Explain = Callable[[str, str], str]  # an error of the browser and its URL; with its reason
_DETAIL = re.compile(r"<(.*)>")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FailedNavigation:
    """A page that did not open: its URL and the browser's reason, as `net::ERR_...`."""

    url: str
    error: str


def as_given(error: str, _url: str) -> str:
    """Return an error of the browser as it is."""
    return error


class PageLog:
    """Listens to every page of a context; keeps the first `MAX_ENTRIES` entries and counts those after them.

    When the context's pages exceed their budget, `flood` has the reason and the context is closed.
    """

    def __init__(
        self,
        context: BrowserContext,
        first: Page,
        load: BrowserLoad,
        explain: Explain = as_given,
        limits: SessionLimits = SessionLimits(),  # noqa: B008 - frozen
    ) -> None:
        self._limits = limits
        self._pages_left = limits.pages
        self._explain = explain
        self.flood: str | None = None
        self._crash = asyncio.Event()  # of any page
        self._crashed: set[Page] = set()
        self._failed_navigations: dict[Page, FailedNavigation] = {}
        self._context = context
        self._first = first
        self._load = load
        self._entries: list[dict[str, Any]] = []
        self._dropped = 0
        self._events = Budget(MAX_EVENTS, EVENTS_PER_S, time.monotonic())
        self._chars = Budget(MAX_CHARS_AT_ONCE, CHARS_PER_S, time.monotonic())
        self._closing: asyncio.Task[None] | None = None
        self._listeners: dict[Any, Callable[..., Any]] = {
            "page": guarded(self._on_page),
            "console": guarded(self._on_console),
            "weberror": guarded(self._on_error),
            "requestfailed": guarded(self._on_request_failed),
        }
        for event, listener in self._listeners.items():
            context.on(event, listener)
        self._on_page(first)

    @property
    def entries(self) -> list[dict[str, Any]]:
        """The entries, oldest first: `time`, `type`, `text`; console messages also have `level` and `source`.

        Those of a page other than the first have its URL as `page`.
        """
        if not self._dropped:
            return list(self._entries)
        return [*self._entries, _entry("note", f"{self._dropped} more entries were dropped")]

    def crashed(self, page: Page) -> bool:
        """Return True if the page's process died."""
        return page in self._crashed

    async def crashed_within(self, page: Page, seconds: float) -> bool:
        """Return `crashed`, or wait this long for an event that may be on its way."""
        try:
            async with asyncio.timeout(seconds):
                await self._crash.wait()
        except TimeoutError:
            return False
        return self.crashed(page)

    def failed_navigation(self, page: Page) -> FailedNavigation | None:
        """Return the latest failed navigation of a page's main frame."""
        return self._failed_navigations.get(page)

    def listen(self, event: Any, listener: Callable[[Any], Awaitable[None]]) -> None:
        """Call a coroutine with each event of the context, until its pages exceed their budget."""
        self._listeners[event] = guarded_async(listener)
        self._context.on(event, self._listeners[event])

    def stop(self, reason: str) -> None:
        """Close the context of a page that went beyond a limit; the first reason is kept."""
        if self.flood is not None:
            return
        self.flood = reason
        self._load.note_flood()
        self._entries.append(_entry("note", reason))
        for event, listener in self._listeners.items():
            self._context.remove_listener(event, listener)  # the driver then stops sending them
        self._closing = asyncio.ensure_future(self._close())

    async def _close(self) -> None:
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._context.close()
        except (Error, TimeoutError) as error:
            _log.debug("Closing the context of a flooding page failed: %s", error)

    def add(self, kind: str, text: str, page: Page | None = None, **more: Any) -> None:
        """Add an entry, within the budget of the context."""
        self._count(kind, len(text))
        if page not in (None, self._first):
            more["page"] = page.url[:MAX_CHARS]
        if len(self._entries) < MAX_ENTRIES:
            self._entries.append(_entry(kind, text, **more))
        else:
            self._dropped += 1

    def _count(self, kind: str, chars: int = 0) -> None:
        now = time.monotonic()
        within = (self._events.spend(1, now), self._chars.spend(chars, now))
        if not all(within):
            self.stop(f"the page produced too many events for one browser, the latest of type {kind}")

    def _on_console(self, message: ConsoleMessage) -> None:
        match message.text:
            case flood.FLOODED:
                self.stop("the page wrote to the console faster than a browser can handle")
                return
            case flood.OVERGROWN:
                most = self._limits.elements
                self.stop(f"a page has more than {most} elements, the most of a document (QA_RUN_ELEMENTS)")
                return
            case flood.DROPPED:
                text = "the page wrote to the console faster than it is recorded: messages are missing"
                self._entries.append(_entry("note", text))
                return
        place = message.location
        source = f"{place['url']}:{place['lineNumber'] + 1}" if place.get("url") else None
        self.add("console", message.text, message.page, level=message.type, source=source)

    def _on_error(self, error: WebError) -> None:
        self.add("pageerror", str(error.error), error.page)

    def _on_request_failed(self, request: Request) -> None:
        reason = self._explain(request.failure or "", request.url)
        self._count("requestfailed")
        page = _page_of(request)
        if REFUSED in reason:
            self.add("refused", f"the service refuses {request.url}{detail_of(reason)}", page)
        elif ABORTED not in reason:
            self.add("requestfailed", f"{request.method} {request.url}: {reason}", page)
        if page is not None and request.is_navigation_request() and request.frame == page.main_frame:
            self._failed_navigations[page] = FailedNavigation(url=request.url, error=reason)

    def _on_page(self, page: Page) -> None:
        self._pages_left -= 1
        if self._pages_left < 0:
            self.stop(f"the pages opened more than {self._limits.pages} tabs, the most of a try (QA_RUN_PAGES)")
        page.on("crash", guarded(self._on_crash))

    def _on_crash(self, page: Page) -> None:
        self._crashed.add(page)
        self._crash.set()
        self.add("crash", f"the page crashed at {page.url}", page)


def detail_of(reason: str) -> str:
    """Return what an error says of its reason, after a colon; empty where it says nothing."""
    found = _DETAIL.search(reason)
    return f": {found[1]}" if found else ""


def _page_of(request: Request) -> Page | None:
    """Return the page of a request; None for that of a worker, or of a tab that is still opening."""
    try:
        return request.frame.page
    except Error:
        return None


def guarded(listener: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return the listener so that it never raises: its error would fail the driver's next call, of any run.

    Playwright raises, for example, when a request's frame is asked for while its tab is still opening.
    """

    def listen(event: Any) -> None:
        try:
            listener(event)
        except Exception as error:  # noqa: BLE001 - see above
            _log.debug("A listener ignored an event of the page: %s", error)

    return listen


def guarded_async(listener: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
    """As `guarded`, for a coroutine."""

    async def listen(event: Any) -> None:
        try:
            await listener(event)
        except Exception as error:  # noqa: BLE001 - see above
            _log.debug("A listener ignored an event of the page: %s", error)

    return listen


def _entry(kind: str, text: str, **more: Any) -> dict[str, Any]:
    short = text if len(text) <= MAX_CHARS else f"{text[: MAX_CHARS - 1]}…"
    return {"time": utc_now().isoformat(timespec="milliseconds"), "type": kind, "text": short, **more}
