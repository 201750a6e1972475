"""The W3C trace context of a run: a `traceparent` header on requests to the site under test, and to no other."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from urllib.parse import urlsplit
from uuid import UUID

from playwright.async_api import BrowserContext, Route

from processors.browser.page_log import guarded_async
from qa_queue.cases.hosts import canonical_host


def trace_id_of(run_id: str) -> str:
    """Return the trace of a run: its id without dashes, so that one leads to the other; else a digest of it."""
    try:
        return UUID(run_id).hex
    except ValueError:
        return hashlib.sha256(run_id.encode()).hexdigest()[:32]


class TraceContext:
    """The trace of a run on the hosts of its site: that of the base URL and those below it. Each step is a span."""

    def __init__(self, trace_id: str, base_url: str) -> None:
        self._trace_id = trace_id
        self._host = canonical_host(urlsplit(base_url).hostname or "") or ""
        written = re.escape(f"[{self._host}]" if ":" in self._host else self._host)
        self._pattern = re.compile(rf"^https?://([^/?#@]*\.)?{written}(:\d+)?([/?#]|$)", re.IGNORECASE)
        self.span = secrets.token_hex(8)

    async def install(self, context: BrowserContext) -> None:
        """Add the header to requests of pages; the browser asks for each of the site's, and its cache is off."""
        await context.route(self._pattern, guarded_async(self._answer))

    def begin_step(self) -> None:
        """Begin the span of a step."""
        self.span = secrets.token_hex(8)

    def covers(self, url: str) -> bool:
        """Return True for a URL on the hosts of the site."""
        try:
            host = canonical_host(urlsplit(url).hostname or "") or ""
        except ValueError:
            return False
        return bool(self._host) and (host == self._host or host.endswith(f".{self._host}"))

    def headers(self, url: str) -> Mapping[str, str]:
        """Return the header of a request to a URL; none elsewhere."""
        return {"traceparent": f"00-{self._trace_id}-{self.span}-01"} if self.covers(url) else {}

    @property
    def note(self) -> str:
        """The sentence on a step that failed."""
        return f"its requests to the site are in the trace {self._trace_id}, below the span {self.span}"

    async def _answer(self, route: Route) -> None:
        request = route.request
        await route.fallback(headers={**request.headers, **self.headers(request.url)})
