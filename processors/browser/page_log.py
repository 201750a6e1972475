"""What the page says by itself: console messages, script errors, dialogs, crashes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from playwright.async_api import BrowserContext, ConsoleMessage, Dialog, Error, Page, Request, WebError

from processors.browser.egress import REFUSED
from qa_queue.models import utc_now

MAX_ENTRIES = 1_000
MAX_CHARS = 2_000  # of one entry's text


@dataclass(frozen=True)
class FailedNavigation:
    """A page that did not come: its URL and the browser's reason, as `net::ERR_...`."""

    url: str
    error: str


class PageLog:
    """Listens to a context; keeps the first `MAX_ENTRIES` entries and says how many came after them.

    An unexpected dialog is dismissed, so that it does not stop the run, and noted; leaving a page is allowed.
    """

    def __init__(self, context: BrowserContext, page: Page) -> None:
        self._crash = asyncio.Event()
        self.failed_navigation: FailedNavigation | None = None
        self._page = page
        self._entries: list[dict[str, Any]] = []
        self._dropped = 0
        context.on("console", self._on_console)
        context.on("weberror", self._on_error)
        context.on("dialog", self._on_dialog)
        context.on("requestfailed", self._on_request_failed)
        page.on("crash", self._on_crash)

    @property
    def entries(self) -> list[dict[str, Any]]:
        """What was said, oldest first: `time`, `type` and `text`; of console messages also `level` and `source`."""
        if not self._dropped:
            return list(self._entries)
        return [*self._entries, _entry("note", f"{self._dropped} more entries were dropped")]

    @property
    def crashed(self) -> bool:
        """Whether the page's process died."""
        return self._crash.is_set()

    async def crashed_within(self, seconds: float) -> bool:
        """As `crashed`, for a moment when the news may be on its way."""
        try:
            async with asyncio.timeout(seconds):
                return await self._crash.wait()
        except TimeoutError:
            return False

    def _add(self, kind: str, text: str, **more: Any) -> None:
        if len(self._entries) < MAX_ENTRIES:
            self._entries.append(_entry(kind, text, **more))
        else:
            self._dropped += 1

    def _on_console(self, message: ConsoleMessage) -> None:
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
        if request.is_navigation_request() and request.frame == self._page.main_frame:
            self.failed_navigation = FailedNavigation(url=request.url, error=request.failure or "")

    def _on_crash(self, _: Page) -> None:
        self._crash.set()
        self._add("crash", f"the page crashed at {self._page.url}")


def _entry(kind: str, text: str, **more: Any) -> dict[str, Any]:
    short = text if len(text) <= MAX_CHARS else f"{text[: MAX_CHARS - 1]}…"
    return {"time": utc_now().isoformat(timespec="milliseconds"), "type": kind, "text": short, **more}
