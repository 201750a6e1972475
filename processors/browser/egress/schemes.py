"""Schemes that lead out of the web: files of the worker and pages of the browser itself.

A case cannot name them (`qa_queue.cases.urls`), and Chromium lets no page of the web lead to them. This is the
second lock: the browser asks before it loads one, whichever tab, frame or worker wants it, and is refused. Only
requests with these schemes are held up; those of the web pass without a question.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from playwright.async_api import Browser, CDPSession, Error

LOCAL_SCHEMES = ("file", "filesystem", "view-source", "chrome", "chrome-untrusted", "chrome-extension", "devtools")
REFUSED = "ERR_BLOCKED_BY_CLIENT"  # Chromium's name for a request that its DevTools refused
_log = logging.getLogger(__name__)


async def refuse_local_schemes(browser: Browser) -> None:
    """Refuse requests for local schemes in every context of the browser, those opened later included."""
    session = await browser.new_browser_cdp_session()
    refusals: set[asyncio.Task[None]] = set()

    def refuse(event: dict[str, Any]) -> None:
        refusal = asyncio.create_task(_refuse(session, event))
        refusals.add(refusal)
        refusal.add_done_callback(refusals.discard)

    session.on("Fetch.requestPaused", refuse)
    await session.send("Fetch.enable", {"patterns": [{"urlPattern": f"{scheme}:*"} for scheme in LOCAL_SCHEMES]})


async def _refuse(session: CDPSession, event: dict[str, Any]) -> None:
    _log.warning("Refused %s: it is not a page of the web", event["request"]["url"])
    try:
        await session.send("Fetch.failRequest", {"requestId": event["requestId"], "errorReason": "BlockedByClient"})
    except Error as error:
        _log.debug("The request was over before it was refused: %s", error)
