"""The warm browsers of a process: each started once, shared by all runs, replaced when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.async_api import Browser, BrowserContext, Error, Playwright

from processors.browser.downloads import MAX_BYTES, DownloadLimit
from processors.browser.egress.cache import HttpCache
from processors.browser.egress.policy import EgressPolicy, Rule
from processors.browser.egress.proxy import EgressProxy, Resolve, machine_addresses, resolve_host
from processors.browser.egress.schemes import refuse_local_schemes
from processors.browser.egress.throttle import LinkSpeed
from processors.browser.environment import context_options
from processors.browser.failures import is_closed, is_crash
from processors.browser.flood import CONSOLE_LIMIT, BrowserLoad, element_limit
from processors.browser.launching import BrowserKind, path_of, refuse_connection, start_browser, start_driver
from processors.browser.locators import ATTACHED_FRAME_ENGINE
from processors.browser.page_log import guarded
from processors.browser.protocol import HAR_NAME, SessionLimits, SessionOptions, TraceContent
from processors.browser.session import Session
from processors.browser.trace_context import TraceContext
from qa_queue.cases.environment import parse_time
from qa_queue.cases.hosts import NO_HOST, HostList
from qa_queue.cases.targets import ATTACHED_FRAME
from qa_queue.errors import BrowserCrashedError, InputError
from qa_queue.settings.ffmpeg import provide_ffmpeg

CONTEXT_TIMEOUT_S = 30.0
CLOSE_TIMEOUT_S = 5.0
MOST_CLOSING = 4  # contexts; who opens another one waits, so that they do not pile up
_log = logging.getLogger(__name__)


class WarmBrowserPool:
    """One Playwright driver and one warm browser of each kind in use; `processors.browser.protocol.BrowserPool`.

    Belongs to one event loop. Any number of sessions may run on it at once. `find_browser` returns the path of
    Chromium and is called when it is started, so that a process whose jobs need none requires none. Other browsers,
    and those with a window on the screen, are started when they are first needed. `denied` are URL patterns that no
    run may open where no proxy decides, `remote` the hosts of browsers that runs may connect to.
    With `egress`, each session reaches the network through a proxy of its own, which applies that policy.
    `max_download_bytes` limits a download, `limits` each session. All sessions share the `cache` of static files.
    """

    def __init__(
        self,
        find_browser: Callable[[], Path],
        *,
        headless: bool = True,
        denied: Sequence[str] = (),
        remote: HostList = NO_HOST,
        egress: EgressPolicy | None = None,
        resolve: Resolve = resolve_host,
        max_download_bytes: int = MAX_BYTES,
        cache: HttpCache | None = None,
        limits: SessionLimits = SessionLimits(),  # noqa: B008 - frozen
    ) -> None:
        self._limits = limits
        self._cache = cache
        self._egress = egress
        self._resolve = resolve
        self._denied = denied
        self._remote = remote
        self._find_browser = find_browser
        self._default = BrowserKind(headless=headless)
        self._driver: Playwright | None = None
        self._devices: Mapping[str, Mapping[str, Any]] = {}
        self._browsers: dict[BrowserKind, Browser] = {}
        self._load = BrowserLoad()
        self._download_limit = DownloadLimit(max_download_bytes)
        self._downloads: TemporaryDirectory[str] | None = None
        self._ports: set[int] = set()  # of the proxies of sessions
        self.refused: Counter[Rule] = Counter()  # connections of sessions that have ended
        self.restarts = 0  # browsers that died and were replaced
        self._lock = asyncio.Lock()  # one launch at a time: who waits here finds the new browser
        self._closing: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Start the browser now, so that the first run does not wait for it.

        Raises:
            BrowserMissingError: there is no browser at the path.
            BrowserCrashedError: it does not start.
        """
        await self._browser(self._default)

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
        stack, options = AsyncExitStack(), replace(options, limits=self._limits)
        try:
            proxy = await self._proxy(stack, options)
            options = options if proxy else replace(options, denied=tuple(self._denied))
            context = await self._context(options, proxy)
            stack.push_async_callback(_quietly, context.close())
            yield await self._open(context, options, proxy)
        finally:
            closing = asyncio.create_task(stack.aclose())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def _proxy(self, stack: AsyncExitStack, options: SessionOptions) -> EgressProxy | None:
        """Return the proxy of a session, which the stack closes; None where it has none.

        Raises:
            InputError: the hosts of the session are limited, and it has none.
        """
        throttle = options.use.network.throttle if options.use.network else None
        if self._egress is None or options.use.connect is not None:
            if options.network or throttle:
                raise InputError(
                    "the hosts or the speed of this run are limited, which needs the proxy of the worker: set "
                    "QA_EGRESS_PROXY for the workers, or leave out `use.connect`"
                )
            return None
        policy = replace(
            self._egress,
            layers=(*self._egress.layers, *options.network),
            machine=self._egress.machine | machine_addresses(),  # an interface may have come or changed
            ports=self._ports,
        )
        proxy = await stack.enter_async_context(
            EgressProxy(
                policy,
                self._resolve,
                max_received=options.limits.received,
                max_response=options.limits.response,
                speed=LinkSpeed.of(throttle) if throttle else None,
                cache=self._cache,
                secrets=options.secrets,
            )
        )
        self._ports.add(proxy.port)
        stack.callback(self._closed, proxy)
        return proxy

    def _closed(self, proxy: EgressProxy) -> None:
        self._ports.discard(proxy.port)
        self.refused.update(proxy.refused)

    async def _open(self, context: BrowserContext, options: SessionOptions, proxy: EgressProxy | None) -> Session:
        assert context.browser is not None
        try:
            async with _answering(context.browser):
                return await self._opened(context, options, proxy)
        except (Error, TimeoutError) as error:
            if options.records_video and "ffmpeg" in str(error):
                raise InputError(
                    "a video was asked for, and the worker has no ffmpeg: run `playwright install ffmpeg` there, "
                    "install ffmpeg or the package imageio-ffmpeg, or leave out `video`"
                ) from None
            _refuse_setup(error, context.browser, BrowserKind.of(options))
            raise BrowserCrashedError(f"the browser died while a run was starting: {_first_line(error)}") from error

    async def _opened(self, context: BrowserContext, options: SessionOptions, proxy: EgressProxy | None) -> Session:
        if options.trace is not TraceContent.NONE:
            film = options.trace is TraceContent.FILM
            await context.tracing.start(screenshots=film, snapshots=options.trace is not TraceContent.CALLS)
        if options.records_har and options.recordings is not None:
            await context.tracing.start_har(options.recordings / HAR_NAME)
        await context.add_init_script(f"{CONSOLE_LIMIT};\n{element_limit(options.limits.elements)}")
        if options.use.clock is not None:
            await context.clock.install(time=parse_time(options.use.clock, options.use.time_zone))
        trace = TraceContext(options.trace_id, options.base_url or "") if options.trace_id else None
        if trace is not None:
            await trace.install(context)
        page = await context.new_page()
        session = Session(context, page, options, self._load, self._download_limit, proxy, trace)
        if options.use.browser != "chromium" and proxy is None:
            await session.refuse_addresses(self._denied)
        return session

    async def _context(self, options: SessionOptions, proxy: EgressProxy | None) -> BrowserContext:
        """A context on the live browser; one that turns out to be dead is replaced once."""
        kind = BrowserKind.of(options)
        refuse_connection(kind, self._remote)
        if options.records_video:
            await asyncio.to_thread(provide_ffmpeg)
        for _ in range(2):
            browser = await self._browser(kind)
            settings = context_options(options, self._devices, proxy.url if proxy else None)
            try:
                async with _answering(browser):
                    return await browser.new_context(**settings)
            except (Error, TimeoutError) as error:
                _refuse_setup(error, browser, kind)
                _log.warning("The browser gave no context (%s); it is replaced", _first_line(error))
                await self._discard(browser)
        raise BrowserCrashedError("the browser died twice while a run was starting on it")

    async def _browser(self, kind: BrowserKind) -> Browser:
        async with self._lock:
            browser = self._browsers.get(kind)
            if browser is None or not browser.is_connected():
                self.restarts += browser is not None
                browser = self._browsers[kind] = await self._launch(kind)
            return browser

    async def _launch(self, kind: BrowserKind) -> Browser:
        try:
            return await self._launch_once(kind)
        except (Error, TimeoutError) as error:
            _log.warning("The browser did not start (%s); its driver is restarted", _first_line(error))
            await self._stop_driver()
        try:
            return await self._launch_once(kind)
        except (Error, TimeoutError) as error:
            raise BrowserCrashedError(
                f"the browser {kind} does not start: {_first_line(error)}. `qa-queue doctor` checks it."
            ) from error

    async def _launch_once(self, kind: BrowserKind) -> Browser:
        path = path_of(kind, self._find_browser)
        if self._driver is None:
            self._driver = await start_driver(self._limits.response)
            self._devices = self._driver.devices  # read once: each look copies all of them
            await self._driver.selectors.register(ATTACHED_FRAME, script=ATTACHED_FRAME_ENGINE, content_script=True)
        if self._downloads is None:
            self._downloads = TemporaryDirectory(prefix="qa-downloads-", ignore_cleanup_errors=True)
        browser = await start_browser(
            self._driver, kind, path, self._downloads.name, proxied=self._egress is not None
        )
        if kind.is_chromium:
            denied = () if self._egress is not None and kind.is_local else self._denied
            async with _answering(browser):
                await refuse_local_schemes(browser, denied)
                if kind.is_local:
                    await self._download_limit.watch(browser, self._downloads.name)
        return browser

    async def _discard(self, browser: Browser) -> None:
        async with self._lock:
            for kind, known in list(self._browsers.items()):
                if known is browser:
                    del self._browsers[kind]
                    self.restarts += 1
                    await _quietly(browser.close())

    async def _stop_driver(self) -> None:
        if self._driver is not None:
            await _quietly(self._driver.stop())
        self._driver = None


def _refuse_setup(error: Exception, browser: Browser, kind: BrowserKind) -> None:
    """Raise the error of a connected browser that refuses the setup of a case.

    Raises:
        InputError: the browser refused it.
    """
    gone = is_closed(str(error)) or is_crash(str(error))
    if isinstance(error, Error) and browser.is_connected() and not gone:
        raise InputError(f"{kind} refuses the setup of the case (`use`): {_first_line(error)}") from None


@contextlib.asynccontextmanager
async def _answering(browser: Browser) -> AsyncIterator[None]:
    """End a block that sets up a browser when the browser is gone: Playwright may lose the answer to its call.

    Raises:
        TimeoutError: it is gone, or does not answer in time.
    """
    limit, end = asyncio.timeout(CONTEXT_TIMEOUT_S), guarded(lambda _: limit.reschedule(0))
    browser.on("disconnected", end)
    try:
        async with limit:
            if not browser.is_connected():
                limit.reschedule(0)
            yield
    except TimeoutError as error:
        late = f"it did not answer within {CONTEXT_TIMEOUT_S:.0f} s"
        raise TimeoutError(late if browser.is_connected() else "its process has ended") from error
    finally:
        browser.remove_listener("disconnected", end)


async def _quietly(closing: Awaitable[Any]) -> None:
    """Close a part that may be dead already or hang; what is left over dies with the browser."""
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await closing
    except (Error, TimeoutError) as error:
        _log.debug("Closing a part of the browser failed: %s", _first_line(error))


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
