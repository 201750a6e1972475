"""Starting browsers: Chromium, Firefox, WebKit, Chrome's and Edge's channels, and browsers that run elsewhere."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Error, Playwright, async_playwright

from processors.browser.failures import first_line
from processors.browser.protocol import SessionOptions
from qa_queue.cases.environment import Connect
from qa_queue.cases.hosts import HostList
from qa_queue.errors import BrowserMissingError, InputError
from qa_queue.settings.environment import added_variables, child_environment

LAUNCH_TIMEOUT_S = 30.0
# On top of Playwright's own list, which already turns background networking, updates and first-run pages off.
FLAGS = ("--disable-domain-reliability", "--no-pings")
# Beside a proxy: Chromium looks up no name itself, and WebRTC sends nothing but through the proxy.
PROXIED_FLAGS = (
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
)
TOO_MUCH_DECODED = "decoded to more than"  # in the driver's error, by decoding_limit.cjs
_NOT_BY_PLAYWRIGHT = ("chrome-dev", "chrome-canary", "msedge-canary")  # its `install` does not know them
_NOT_INSTALLED = re.compile(r"Executable doesn't exist|is not found at|is not supported on")


@dataclass(frozen=True, kw_only=True)
class BrowserKind:
    """The browser that a session needs: its name, and where and how it runs."""

    name: str = "chromium"
    channel: str | None = None
    headless: bool = True
    connect: Connect | None = None

    @classmethod
    def of(cls, options: SessionOptions) -> BrowserKind:
        """Return the browser that a session asks for."""
        use = options.use
        return cls(name=use.browser, channel=use.channel, headless=options.headless, connect=use.connect)

    @property
    def is_chromium(self) -> bool:
        """True for Chromium and those built on it."""
        return self.name == "chromium"

    @property
    def is_local(self) -> bool:
        """True for a browser that the pool starts itself."""
        return self.connect is None

    def __str__(self) -> str:
        return self.channel or self.name


def refuse_connection(kind: BrowserKind, allowed: HostList) -> None:
    """Refuse the address of a browser that the operator does not allow.

    Raises:
        InputError: its host is not on the list.
    """
    if kind.connect is not None and not allowed.match_url(kind.connect.address):
        raise InputError(
            f"use.connect: {kind.connect.address} is not allowed: QA_CONNECT_HOSTS of the worker names the hosts "
            "of remote browsers, and this host is not among them"
        )


def path_of(kind: BrowserKind, find_chromium: Callable[[], Path]) -> Path | None:
    """Return the path of a local Chromium; None for browsers that Playwright finds.

    Raises:
        BrowserMissingError: it is not there.
        InputError: it has no window to show.
    """
    if not kind.is_chromium or not kind.is_local or kind.channel is not None:
        return None
    path = find_chromium()
    _check(path, headless=kind.headless)
    return path


async def start_driver(most_decoded: int) -> Playwright:
    """Start Playwright's driver; a response to one of its requests is decoded to at most this many bytes.

    Over TLS, no proxy could count them.
    """
    options = child_environment({}).get("NODE_OPTIONS", "")
    limit = f'{options} --require "{Path(__file__).with_name("decoding_limit.cjs")}"'.strip()
    with added_variables({"NODE_OPTIONS": limit, "QA_DRIVER_DECODED_BYTES": str(most_decoded)}):
        return await async_playwright().start()


async def start_browser(
    driver: Playwright, kind: BrowserKind, path: Path | None, downloads: str, *, proxied: bool = False
) -> Browser:
    """Start a browser, or connect to one; `downloads` is the folder of its downloads.

    A `proxied` one reaches nothing but through the proxies of its contexts.

    Raises:
        BrowserMissingError: it is not installed, or nothing answers at its address.
        playwright.async_api.Error: it does not start.
    """
    if kind.connect is not None:
        return await _connect(driver, kind, kind.connect)
    options: dict[str, Any] = {
        "downloads_path": downloads,
        "headless": kind.headless,
        "handle_sigint": False,  # the worker decides when a run ends
        "handle_sigterm": False,
        "handle_sighup": False,
        "timeout": LAUNCH_TIMEOUT_S * 1000,
    }
    if not kind.is_chromium:
        return await _installed(kind, getattr(driver, kind.name).launch(**options))
    flags = [*FLAGS, *(PROXIED_FLAGS if proxied else ())]
    options |= {"args": flags, "chromium_sandbox": os.geteuid() != 0}  # Chromium refuses its sandbox to root
    if kind.channel is not None:
        return await _installed(kind, driver.chromium.launch(channel=kind.channel, **options))
    return await driver.chromium.launch(executable_path=path, **options)


async def _installed(kind: BrowserKind, launch: Any) -> Browser:
    try:
        browser: Browser = await launch
    except Error as error:
        if not _NOT_INSTALLED.search(str(error)):
            raise
        by_playwright = f"run `playwright install {kind}` as the worker's user"
        advice = "install it from its maker" if kind.channel in _NOT_BY_PLAYWRIGHT else by_playwright
        raise BrowserMissingError(
            f"{kind} is not installed on this worker: {advice}, "
            f"or leave out `use: {{{'channel' if kind.channel else 'browser'}: {kind}}}`."
        ) from None
    return browser


async def _connect(driver: Playwright, kind: BrowserKind, connect: Connect) -> Browser:
    engine = getattr(driver, kind.name)
    try:
        if connect.cdp is None:
            browser: Browser = await engine.connect(connect.address, timeout=LAUNCH_TIMEOUT_S * 1000)
        else:
            browser = await driver.chromium.connect_over_cdp(connect.address, timeout=LAUNCH_TIMEOUT_S * 1000)
    except Error as error:
        raise BrowserMissingError(
            f"no browser answers at {connect.address} (use.connect): {first_line(str(error))}. Start one there "
            "with `playwright run-server --port PORT` (websocket) or `chromium --remote-debugging-port=PORT` (cdp)."
        ) from error
    return browser


def _check(path: Path, *, headless: bool) -> None:
    if not path.is_file():
        raise BrowserMissingError(
            f"there is no browser at {path}: set QA_BROWSER_PATH to a Chromium or run `qa-queue doctor`."
        )
    if not headless and "headless" in path.name:
        raise InputError(
            f"headless: false needs a full Chrome or Chromium, and {path} has no window: "
            "set QA_BROWSER_PATH to one, or leave headless on."
        )
