"""Requests that no run may make: for files of the worker, pages of the browser, and addresses of the service.

A case cannot name them (`qa_queue.cases.urls`), and Chromium lets no page of the web lead to them. This is the
second lock: the browser asks before it loads one, whichever tab, frame or worker wants it, and is refused. Only
matching requests are held up; all others pass without a question. Addresses are compared as they stand in the URL:
a host name that resolves to one of them, and WebSockets, are not covered.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, CDPSession, Error

LOCAL_SCHEMES = ("file", "filesystem", "view-source", "chrome", "chrome-untrusted", "chrome-extension", "devtools")
LOOPBACK = ("127.*", "localhost", "*.localhost", "0.0.0.0", "[::1]", "[::]", "[::ffff:7f*]")  # noqa: S104 - compared only
METADATA = ("169.254.*", "metadata.google.internal*")
REFUSED = "ERR_BLOCKED_BY_CLIENT"  # Chromium's name for a request that its DevTools refused
_log = logging.getLogger(__name__)


async def refuse_local_schemes(browser: Browser, addresses: Sequence[str] = ()) -> None:
    """Refuse requests for local schemes and for these address patterns, in contexts opened later too."""
    session = await browser.new_browser_cdp_session()
    refusals: set[asyncio.Task[None]] = set()

    def refuse(event: dict[str, Any]) -> None:
        refusal = asyncio.create_task(_refuse(session, event))
        refusals.add(refusal)
        refusal.add_done_callback(refusals.discard)

    session.on("Fetch.requestPaused", refuse)
    patterns = [*(f"{scheme}:*" for scheme in LOCAL_SCHEMES), *addresses]
    await session.send("Fetch.enable", {"patterns": [{"urlPattern": pattern} for pattern in patterns]})


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


async def _refuse(session: CDPSession, event: dict[str, Any]) -> None:
    _log.warning("Refused %s: runs may not open it", event["request"]["url"])
    try:
        await session.send("Fetch.failRequest", {"requestId": event["requestId"], "errorReason": "BlockedByClient"})
    except Error as error:
        _log.debug("The request was over before it was refused: %s", error)
