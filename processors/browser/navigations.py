"""Waiting for the page that a step opens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from playwright.async_api import Error, Frame, Page, Request
from playwright.async_api import TimeoutError as WaitTimeoutError

from processors.browser.element_finder import Deadline
from processors.browser.failures import StepFailedError, is_closed, is_crash, is_done
from processors.browser.page_log import guarded
from qa_queue.models import ErrorKind

_DOCUMENT = "() => performance.timeOrigin"


@asynccontextmanager
async def expected_navigation(page: Page, deadline: Deadline, *, framed: bool = False) -> AsyncIterator[None]:
    """Wait, after the body, for a navigation that began in it, and for the load of the page; with `framed`, a frame
    of the page may be what navigates.

    A change of the history or of the URL's fragment counts too; a page that was on its way before does not.

    Raises:
        StepFailedError: no navigation began in the step's time, or the page did not load in it.
    """
    watch = _Watch(page, framed, await _document(page))
    on_request, on_navigated = guarded(watch.on_request), guarded(watch.on_navigated)
    page.on("request", on_request)
    page.on("framenavigated", on_navigated)
    try:
        yield
        await watch.arrival(deadline)
    except WaitTimeoutError as error:  # Playwright's actions wait for a navigation that they cause, too
        if not watch.requested or not is_done(str(error)):
            raise
        raise watch.failure(deadline.timeout_ms) from None
    finally:
        page.remove_listener("request", on_request)
        page.remove_listener("framenavigated", on_navigated)
    try:
        await page.wait_for_load_state("load", timeout=deadline.left_ms)
    except WaitTimeoutError:
        text = f"{page.url} did not load in {deadline.timeout_ms} ms"
        raise StepFailedError(ErrorKind.NAVIGATION, text, acted=True) from None


@dataclass
class _Watch:
    """The navigations of a page since its creation. `document` is the page's own at that time."""

    page: Page
    framed: bool
    document: float | None
    requested: set[Frame] = field(default_factory=set)
    arrivals: asyncio.Queue[Frame] = field(default_factory=asyncio.Queue)

    def on_request(self, request: Request) -> None:
        """Remember the frame that a request navigates."""
        try:
            if request.is_navigation_request():
                self.requested.add(request.frame)
        except Error:  # of a page that is still opening
            return

    def on_navigated(self, frame: Frame) -> None:
        """Remember a frame that has arrived."""
        if self.framed or frame == self.page.main_frame:
            self.arrivals.put_nowait(frame)

    async def arrival(self, deadline: Deadline) -> None:
        """Return when a navigation that began since has arrived."""
        try:
            async with asyncio.timeout(deadline.left_ms / 1000):
                while not await self._began_here(await self.arrivals.get()):
                    pass
        except TimeoutError:
            raise self.failure(deadline.timeout_ms) from None

    def failure(self, timeout_ms: int) -> StepFailedError:
        """Return the error of a step that did not open a page."""
        problem = f"no navigation began in {timeout_ms} ms, though the step should open a page"
        if self.requested:
            problem = f"the page that the step opens did not arrive in {timeout_ms} ms"
        return StepFailedError(ErrorKind.NAVIGATION, f"{problem}; the page is still {self.page.url}", acted=True)

    async def _began_here(self, frame: Frame) -> bool:
        return frame in self.requested or await _document(self.page) == self.document


async def _document(page: Page) -> float | None:
    """Return a value that tells the documents of a page apart; None while it is between two of them."""
    try:
        origin: float = await page.evaluate(_DOCUMENT)
    except Error as error:
        if is_closed(str(error)) or is_crash(str(error)):
            raise
        return None
    return origin
