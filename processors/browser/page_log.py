"""The log of a page: console messages, script errors, dialogs, crashes; and the end of a page that floods it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from playwright.async_api import BrowserContext, ConsoleMessage, Dialog, Error, Page, Request, WebError

from processors.browser import flood
from processors.browser.egress.schemes import REFUSED
from processors.browser.flood import BrowserLoad, Budget
from qa_queue.models import utc_now

MAX_ENTRIES = 1_000
MAX_CHARS = 2_000  # of one entry's text
MAX_EVENTS = 1_000  # of a context at once
EVENTS_PER_S = 50
MAX_CHARS_AT_ONCE = 16_000_000  # of a context's events
CHARS_PER_S = 1_000_000
CLOSE_TIMEOUT_S = 5.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FailedNavigation:
    """A page that did not open: its URL and the browser's reason, as `net::ERR_...`."""

    url: str
    error: str


class PageLog:
    """Listens to a context; keeps the first `MAX_ENTRIES` entries and counts those after them.

    An unexpected dialog is dismissed, so that it does not stop the run, and noted; leaving a page is allowed. When
    the context's pages exceed their budget, `flood` has the reason and the context is closed.
    """

    def __init__(self, context: BrowserContext, page: Page, load: BrowserLoad) -> None:
        self.failed_navigation: FailedNavigation | None = None
        self.flood: str | None = None
        self._crash = asyncio.Event()
        self._context = context
        self._page = page
        self._load = load
        self._entries: list[dict[str, Any]] = []
        self._dropped = 0
        self._events = Budget(MAX_EVENTS, EVENTS_PER_S, time.monotonic())
        self._chars = Budget(MAX_CHARS_AT_ONCE, CHARS_PER_S, time.monotonic())
        self._closing: asyncio.Task[None] | None = None
        self._listeners: dict[Any, Callable[..., Any]] = {
            "console": _guarded(self._on_console),
            "weberror": _guarded(self._on_error),
            "dialog": _guarded_async(self._on_dialog),
            "requestfailed": _guarded(self._on_request_failed),
        }
        for event, listener in self._listeners.items():
            context.on(event, listener)
        page.on("crash", _guarded(self._on_crash))

    @property
    def entries(self) -> list[dict[str, Any]]:
        """The entries, oldest first: `time`, `type`, `text`; console messages also have `level` and `source`."""
        if not self._dropped:
            return list(self._entries)
        return [*self._entries, _entry("note", f"{self._dropped} more entries were dropped")]

    @property
    def crashed(self) -> bool:
        """True if the page's process died."""
        return self._crash.is_set()

    async def crashed_within(self, seconds: float) -> bool:
        """Return `crashed`, or wait this long for an event that may be on its way."""
        try:
            async with asyncio.timeout(seconds):
                return await self._crash.wait()
        except TimeoutError:
            return False

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

    def _add(self, kind: str, text: str, **more: Any) -> None:
        self._count(kind, len(text))
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
            case flood.DROPPED:
                text = "the page wrote to the console faster than it is recorded: messages are missing"
                self._entries.append(_entry("note", text))
                return
        place = message.location
        source = f"{place['url']}:{place['lineNumber'] + 1}" if place.get("url") else None
        self._add("console", message.text, level=message.type, source=source)

    def _on_error(self, error: WebError) -> None:
        self._add("pageerror", str(error.error))

    async def _on_dialog(self, dialog: Dialog) -> None:
        leaving = dialog.type == "beforeunload"
        self._add("dialog", f"{dialog.type} {'accepted' if leaving else 'dismissed'}: {dialog.message}")
        try:
            await (dialog.accept() if leaving else dialog.dismiss())
        except Error:
            self._add("note", "the dialog was gone before it was answered")

    def _on_request_failed(self, request: Request) -> None:
        if request.failure and REFUSED in request.failure:
            self._add("refused", f"the service refuses {request.url}")
        self._count("requestfailed")
        if request.is_navigation_request() and request.frame == self._page.main_frame:
            self.failed_navigation = FailedNavigation(url=request.url, error=request.failure or "")

    def _on_crash(self, _: Page) -> None:
        self._crash.set()
        self._add("crash", f"the page crashed at {self._page.url}")


def _guarded(listener: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return the listener so that it never raises: its error would fail the driver's next call, of any run.

    Playwright raises, for example, when a request's frame is asked for while its tab is still opening.
    """

    def listen(event: Any) -> None:
        try:
            listener(event)
        except Exception as error:  # noqa: BLE001 - see above
            _log.debug("A listener ignored an event of the page: %s", error)

    return listen


def _guarded_async(listener: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
    """As `_guarded`, for a coroutine."""

    async def listen(event: Any) -> None:
        try:
            await listener(event)
        except Exception as error:  # noqa: BLE001 - see above
            _log.debug("A listener ignored an event of the page: %s", error)

    return listen


def _entry(kind: str, text: str, **more: Any) -> dict[str, Any]:
    short = text if len(text) <= MAX_CHARS else f"{text[: MAX_CHARS - 1]}…"
    return {"time": utc_now().isoformat(timespec="milliseconds"), "type": kind, "text": short, **more}
