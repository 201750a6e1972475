"""The open pages of a browser context, and the one that steps act on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from playwright.async_api import BrowserContext, Error, Page

from processors.browser.element_finder import Deadline
from processors.browser.failures import StepFailedError
from processors.browser.page_log import guarded
from qa_queue.models import ErrorKind

POLL_S = 0.1
TITLE_TIMEOUT_S = 1.0  # for a page to say its title; one that does not answer has none
LISTED_PAGES = 5
Choice = Callable[[list[Page]], Awaitable[list[Page]]]
"""Chooses among the open pages, in order of opening."""


class OpenPages:
    """The pages of a context in order of opening.

    The current page is the one used last among those that are still open, so that a page that closes itself leads
    back to the one before it. With no page left it is the last one, whose steps then fail.
    """

    def __init__(self, context: BrowserContext, first: Page) -> None:
        self._context = context
        self._used = [first]  # the latest last
        self._opened = asyncio.Event()
        context.on("page", guarded(lambda _: self._opened.set()))

    @property
    def current(self) -> Page:
        """The page that steps act on."""
        still_open = [page for page in self._used if not page.is_closed()]
        return (still_open or self._used)[-1]

    @property
    def opened(self) -> list[Page]:
        """The open pages in order of opening."""
        return list(self._context.pages)

    def use(self, page: Page) -> None:
        """Make a page the current one."""
        self._used = [*(one for one in self._used if one is not page), page]

    async def open(self) -> Page:
        """Open an empty page and make it the current one."""
        page = await self._context.new_page()
        self.use(page)
        return page

    async def wait_for(self, choice: Choice, deadline: Deadline, wanted: str) -> Page:
        """Return the one page that is chosen, as soon as it is there.

        Raises:
            StepFailedError: none was chosen in time, or several were.
        """
        while True:
            self._opened.clear()
            found = await choice(self.opened)
            if len(found) == 1:
                return found[0]
            if found:
                problem = f"{len(found)} pages {wanted} are open: {await listing(found)}. Use `index` or `newest`."
                raise StepFailedError(ErrorKind.AMBIGUOUS, problem)
            if deadline.over:
                there = await listing(self.opened)
                problem = f"no page {wanted} was there in {deadline.timeout_ms} ms; open pages: {there}"
                raise StepFailedError(ErrorKind.NOT_FOUND, problem)
            await self._wait_for_event()

    async def newest(self, pages: list[Page]) -> list[Page]:
        """Choose the page opened last among those that no step has used."""
        return [page for page in pages if page not in self._used][-1:]

    async def _wait_for_event(self) -> None:
        """Wait until a page opens, or a moment in which titles and URLs may change."""
        try:
            async with asyncio.timeout(POLL_S):
                await self._opened.wait()
        except TimeoutError:
            return


async def title_of(page: Page) -> str:
    """Return the title of a page; empty where the page does not answer."""
    try:
        async with asyncio.timeout(TITLE_TIMEOUT_S):
            return await page.title()
    except (Error, TimeoutError):
        return ""


async def listing(pages: list[Page]) -> str:
    """Return titles and URLs of pages for a message."""
    titles = await asyncio.gather(*map(title_of, pages[:LISTED_PAGES]))
    listed = [
        f"{number}) {title!r} {page.url}" for number, (title, page) in enumerate(zip(titles, pages, strict=False))
    ]
    more = len(pages) - LISTED_PAGES
    return "; ".join([*listed, *([f"and {more} more"] if more > 0 else [])]) or "none"
