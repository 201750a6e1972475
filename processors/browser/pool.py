"""The warm browser of a process: started once, shared by all runs, replaced when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.async_api import Browser, BrowserContext, Error, Playwright, async_playwright

from processors.browser.egress.schemes import refuse_local_schemes
from processors.browser.flood import CONSOLE_LIMIT, BrowserLoad
from processors.browser.locators import ATTACHED_FRAME_ENGINE
from processors.browser.protocol import SessionOptions, TraceContent
from processors.browser.session import Session
from qa_queue.cases.targets import ATTACHED_FRAME
from qa_queue.errors import BrowserCrashedError, BrowserMissingError, InputError
from qa_queue.models import Viewport

LAUNCH_TIMEOUT_S = 30.0  # for the browser, and for each context on it
CLOSE_TIMEOUT_S = 5.0
MOST_CLOSING = 4  # contexts; who opens another one waits, so that they do not pile up
# On top of Playwright's own list, which already turns background networking, updates and first-run pages off.
FLAGS = ("--disable-domain-reliability", "--no-pings")
_log = logging.getLogger(__name__)


class WarmBrowserPool:
    """One Playwright driver and one warm browser; `processors.browser.protocol.BrowserPool`.

    Belongs to one event loop. Any number of sessions may run on it at once. `find_browser` returns the path of the
    browser and is called when a browser is started, so that a process whose jobs need none requires none. A session
    with a window on the screen (`headless` False) gets a second browser, started when it is first needed.
    """

    def __init__(
        self, find_browser: Callable[[], Path], *, headless: bool = True, denied: Sequence[str] = ()
    ) -> None:
        self._denied = denied  # URL patterns that no run may open
        self._find_browser = find_browser
        self._headless = headless
        self._driver: Playwright | None = None
        self._browsers: dict[bool, Browser] = {}
        self._load = BrowserLoad()
        self._downloads: TemporaryDirectory[str] | None = None
        self.restarts = 0  # browsers that died and were replaced
        self._lock = asyncio.Lock()  # one launch at a time: who waits here finds the new browser
        self._closing: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Start the browser now, so that the first run does not wait for it.

        Raises:
            BrowserMissingError: there is no browser at the path.
            BrowserCrashedError: it does not start.
        """
        await self._browser(self._headless)

    async def close(self) -> None:
        """Close the browser and the driver; a later session starts them again."""
        async with self._lock:
            await asyncio.gather(*self._closing)
            for browser in self._browsers.values():
                await _quietly(browser.close())
            self._browsers.clear()
            await self._stop_driver()
            if self._downloads is not None:
                self._downloads.cleanup()
                self._downloads = None

    @contextlib.asynccontextmanager
    async def session(self, options: SessionOptions) -> AsyncIterator[Session]:
        """A fresh context with a page of its own; see `processors.browser.protocol.BrowserPool`.

        It is closed behind the back of the run that had it, whose result need not wait for that.
        """
        while len(self._closing) >= MOST_CLOSING:
            await asyncio.wait(self._closing, return_when=asyncio.FIRST_COMPLETED)
        options = replace(options, denied=tuple(self._denied))
        context = await self._context(options)
        try:
            yield await self._open(context, options)
        finally:
            closing = asyncio.create_task(_quietly(context.close()))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def _open(self, context: BrowserContext, options: SessionOptions) -> Session:
        try:
            if options.trace is not TraceContent.NONE:
                film = options.trace is TraceContent.FILM
                await context.tracing.start(screenshots=film, snapshots=True)
            await context.add_init_script(CONSOLE_LIMIT)
            page = await context.new_page()
            session = Session(context, page, options, self._load)
            if options.max_download_bytes is not None and self._downloads is not None:
                await session.limit_downloads(options.max_download_bytes, self._downloads.name)
        except Error as error:
            raise BrowserCrashedError(f"the browser died while a run was starting: {_first_line(error)}") from error
        return session

    async def _context(self, options: SessionOptions) -> BrowserContext:
        """A context on the live browser; one that turns out to be dead is replaced once."""
        for _ in range(2):
            browser = await self._browser(options.headless)
            settings = self._settings(options)
            try:
                async with asyncio.timeout(LAUNCH_TIMEOUT_S):
                    return await browser.new_context(**settings)
            except (Error, TimeoutError) as error:
                _log.warning("The browser gave no context (%s); it is replaced", _first_line(error))
                await self._discard(browser)
        raise BrowserCrashedError("the browser died twice while a run was starting on it")

    async def _browser(self, headless: bool) -> Browser:
        async with self._lock:
            browser = self._browsers.get(headless)
            if browser is None or not browser.is_connected():
                self.restarts += browser is not None
                browser = self._browsers[headless] = await self._launch(headless)
            return browser

    async def _launch(self, headless: bool) -> Browser:
        path = self._find_browser()
        _check(path, headless)
        try:
            return await self._launch_once(path, headless)
        except Error as error:
            _log.warning("The browser did not start (%s); its driver is restarted", _first_line(error))
            await self._stop_driver()
        try:
            return await self._launch_once(path, headless)
        except Error as error:
            raise BrowserCrashedError(
                f"the browser {path} does not start: {_first_line(error)}. `qa-queue doctor` checks it."
            ) from error

    async def _launch_once(self, path: Path, headless: bool) -> Browser:
        if self._driver is None:
            self._driver = await async_playwright().start()
            await self._driver.selectors.register(ATTACHED_FRAME, script=ATTACHED_FRAME_ENGINE, content_script=True)
        if self._downloads is None:
            self._downloads = TemporaryDirectory(prefix="qa-downloads-", ignore_cleanup_errors=True)
        browser = await self._driver.chromium.launch(
            executable_path=path,
            downloads_path=self._downloads.name,
            headless=headless,
            args=list(FLAGS),
            chromium_sandbox=os.geteuid() != 0,  # Chromium refuses its sandbox to root
            handle_sigint=False,  # the worker decides when a run ends
            handle_sigterm=False,
            handle_sighup=False,
            timeout=LAUNCH_TIMEOUT_S * 1000,
        )
        await refuse_local_schemes(browser, self._denied)
        return browser

    async def _discard(self, browser: Browser) -> None:
        async with self._lock:
            for headless, known in list(self._browsers.items()):
                if known is browser:
                    del self._browsers[headless]
                    self.restarts += 1
                    await _quietly(browser.close())

    async def _stop_driver(self) -> None:
        if self._driver is not None:
            await _quietly(self._driver.stop())
        self._driver = None

    def _settings(self, options: SessionOptions) -> dict[str, Any]:
        """Options as Playwright's `new_context` takes them."""
        assert self._driver is not None
        settings: dict[str, Any] = {
            "base_url": options.base_url,
            "accept_downloads": options.max_download_bytes is not None,
            **self._device(options.device),
        }
        if options.viewport or "viewport" not in settings:
            settings["viewport"] = (options.viewport or Viewport()).model_dump()
        return settings

    def _device(self, name: str | None) -> dict[str, Any]:
        assert self._driver is not None
        if name is None:
            return {}
        if name not in self._driver.devices:
            raise InputError(f"device {name!r} is unknown: use a name from Playwright's list, such as 'Pixel 7'.")
        return {k: v for k, v in self._driver.devices[name].items() if k != "default_browser_type"}


def _check(path: Path, headless: bool) -> None:
    if not path.is_file():
        raise BrowserMissingError(
            f"there is no browser at {path}: set QA_BROWSER_PATH to a Chromium or run `qa-queue doctor`."
        )
    if not headless and "headless" in path.name:
        raise InputError(
            f"headless: false needs a full Chrome or Chromium, and {path} has no window: "
            "set QA_BROWSER_PATH to one, or leave headless on."
        )


async def _quietly(closing: Awaitable[Any]) -> None:
    """Close a part that may be dead already or hang; what is left over dies with the browser."""
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await closing
    except (Error, TimeoutError) as error:
        _log.debug("Closing a part of the browser failed: %s", _first_line(error))


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
