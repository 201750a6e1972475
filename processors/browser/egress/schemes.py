"""Requests that no run may make: for files of the worker, pages of the browser, and addresses of the service.

A case cannot name them (`qa_queue.cases.urls`), and Chromium lets no page of the web lead to them. This is the
second lock: the browser asks before it loads one, whichever tab, frame or worker wants it, and is refused. Only
matching requests are held up; all others pass without a question. Addresses are compared as they stand in the URL:
a host name that resolves to one of them, and WebSockets, are not covered. Requests that the driver sends itself do
not pass through the browser: `canonical_url` and `is_refused` apply the same rules to them.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from playwright.async_api import Browser, BrowserContext, CDPSession, Error, Request, Route

from processors.browser.page_log import guarded
from qa_queue.cases.hosts import canonical_host
from qa_queue.cases.urls import WEB_SCHEMES, normalized

LOCAL_SCHEMES = ("file", "filesystem", "view-source", "chrome", "chrome-untrusted", "chrome-extension", "devtools")
LOOPBACK = ("127.*", "localhost", "*.localhost", "0.0.0.0", "[::1]", "[::]", "[::ffff:7f*]")  # noqa: S104 - compared only
METADATA = ("169.254.*", "metadata.google.internal*")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_log = logging.getLogger(__name__)


async def refuse_local_schemes(browser: Browser, addresses: Sequence[str] = ()) -> None:
    """Refuse requests for local schemes and for these address patterns, in contexts opened later too."""
    session = await browser.new_browser_cdp_session()
    refusals: set[asyncio.Task[None]] = set()

    def refuse(event: dict[str, Any]) -> None:
        refusal = asyncio.create_task(_refuse(session, event))
        refusals.add(refusal)
        refusal.add_done_callback(refusals.discard)

    session.on("Fetch.requestPaused", guarded(refuse))
    patterns = [*(f"{scheme}:*" for scheme in LOCAL_SCHEMES), *addresses]
    await session.send("Fetch.enable", {"patterns": [{"urlPattern": pattern} for pattern in patterns]})


async def refuse_addresses(context: BrowserContext, addresses: Sequence[str], stop: Callable[[str], None]) -> None:
    """Refuse requests for these address patterns in a browser without Chromium's DevTools.

    Such a browser follows redirects without asking. `stop` ends the run of a request that was redirected to one of
    the addresses, so that the run does not see the response.
    """
    if not addresses:
        return

    async def refuse(route: Route) -> None:
        await route.abort("blockedbyclient")

    def stop_if_refused(request: Request) -> None:
        if request.redirected_from is not None and is_refused(canonical_url(request.url) or "", addresses):
            stop(f"the site redirected to {request.url}, which the service refuses")

    await context.route(re.compile("|".join(map(_expression, addresses))), refuse)
    context.on("request", guarded(stop_if_refused))


def denied_addresses(own: Iterable[str]) -> tuple[str, ...]:
    """Return the address patterns of cloud metadata, link-local hosts and these URLs of the service."""
    places = list(METADATA)
    for url in own:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        host = parts.hostname or ""
        local = host.startswith("127.") or host in ("localhost", "0.0.0.0", "::1", "::")  # noqa: S104 - compared only
        places += [f"{name}{port}/*" for name in (LOOPBACK if local else (host,)) if name]
    return tuple(f"http*://{login}{place}" for place in places for login in ("", "*@"))


def canonical_url(url: str) -> str | None:
    """Return a URL of the web in the one form in which browsers write it; None for a URL that has none.

    Other forms of the same address, such as `http://0x7f.1` or `http://shop.example\\@127.0.0.1`, do not pass a
    comparison of texts unnoticed.
    """
    try:
        parts = urlsplit(normalized(url).replace("\\", "/"))
        host, port = _canonical_host(parts.hostname or ""), parts.port
    except ValueError:
        return None
    if parts.scheme not in WEB_SCHEMES or host is None:
        return None
    login = f"{found}@" if (found := parts.netloc.rpartition("@")[0]) else ""
    place = host if port in (None, _DEFAULT_PORTS[parts.scheme]) else f"{host}:{port}"
    return urlunsplit(parts._replace(netloc=login + place, path=parts.path or "/"))


def _canonical_host(host: str) -> str | None:
    if ":" in host:
        address = ipaddress.IPv6Address(host)
        mapped = address.ipv4_mapped
        if mapped is None:
            return f"[{address.compressed}]"
        high, low = divmod(int(mapped), 1 << 16)
        return f"[::ffff:{high:x}:{low:x}]"
    return canonical_host(host)


def is_refused(url: str, patterns: Sequence[str]) -> bool:
    """Return True where a canonical URL matches one of these patterns, in which `*` stands for any text."""
    return any(re.fullmatch(_expression(pattern), url, re.DOTALL) for pattern in patterns)


def _expression(pattern: str) -> str:
    text = re.escape(pattern).replace(r"\*", ".*")
    return f"^{text}$"


async def _refuse(session: CDPSession, event: dict[str, Any]) -> None:
    scheme = event["request"]["url"].partition(":")[0]  # the rest may hold a secret; the run's log masks it
    _log.warning("Refused a request for '%s:': runs may not open it", scheme)
    try:
        await session.send("Fetch.failRequest", {"requestId": event["requestId"], "errorReason": "BlockedByClient"})
    except Error as error:
        _log.debug("The request was over before it was refused: %s", error)
