"""One browser context with its page: does steps, takes pictures, keeps the trace."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from playwright.async_api import BrowserContext, Error, Page

from processors.browser.action_context import masks
from processors.browser.element_finder import Deadline
from processors.browser.failures import StepFailedError, explain, first_line, is_closed, is_crash, navigation
from processors.browser.page_log import PageLog
from processors.browser.protocol import NO_HINTS, ElementHints, SessionOptions, StepOutcome
from processors.browser.step_runner import StepRunner
from qa_queue.cases.model import Step
from qa_queue.errors import BrowserCrashedError, EvidenceError
from qa_queue.models import ErrorKind

SLACK_S = 2.0  # over a step's time, for a page that does not even answer questions
PICTURE_TIMEOUT_MS = 5_000
TRACE_TIMEOUT_S = 30.0
PING_TIMEOUT_S = 3.0
CRASH_NEWS_S = 1.0
_ERROR_PAGE = "chrome-error://"


class Session:
    """`processors.browser.protocol.BrowserSession` on Playwright."""

    def __init__(self, context: BrowserContext, page: Page, options: SessionOptions) -> None:
        self._context = context
        self._page = page
        self._options = options
        self._log = PageLog(context, page)

    @property
    def events(self) -> list[dict[str, Any]]:
        """See `processors.browser.protocol.BrowserSession`."""
        return self._log.entries

    async def perform(self, step: Step, *, timeout_ms: int, hints: ElementHints = NO_HINTS) -> StepOutcome:
        """See `processors.browser.protocol.BrowserSession`."""
        runner = StepRunner(self._page, self._options, step, Deadline(timeout_ms), hints)
        try:
            async with asyncio.timeout(timeout_ms / 1000 + SLACK_S) as limit:
                return await runner.outcome(limit)
        except (Error, StepFailedError, TimeoutError) as error:
            failure = await self._failure(runner, error, timeout_ms)
            text = f"{failure}; not healed: {runner.refusal}" if runner.refusal else str(failure)
            return StepOutcome(found=runner.found, error=text, kind=failure.kind, heal=runner.proposal)

    async def screenshot(self) -> bytes:
        """See `processors.browser.protocol.BrowserSession`."""
        try:
            hidden = masks(self._page, self._options.secrets)
            async with asyncio.timeout(PICTURE_TIMEOUT_MS / 1000 + SLACK_S):
                return await self._page.screenshot(timeout=PICTURE_TIMEOUT_MS, mask=hidden)
        except (Error, TimeoutError) as error:
            raise EvidenceError(f"no screenshot: {first_line(str(error)) or 'the page does not answer'}") from error

    async def save_trace(self, path: Path) -> None:
        """See `processors.browser.protocol.BrowserSession`."""
        try:
            async with asyncio.timeout(TRACE_TIMEOUT_S):
                await self._context.tracing.stop(path=path)
        except (Error, TimeoutError, OSError) as error:
            raise EvidenceError(f"no trace: {first_line(str(error)) or 'it took too long'}") from error

    async def _failure(self, runner: StepRunner, error: Exception, timeout_ms: int) -> StepFailedError:
        """What went wrong, in one line. Raises BrowserCrashedError where it was the browser's fault."""
        if gone := await self._gone(error):
            return gone
        if isinstance(error, StepFailedError):
            return self._blame_navigation(error)
        if isinstance(error, TimeoutError):
            return StepFailedError(
                ErrorKind.TIMEOUT, f"the page did not answer for {timeout_ms} ms: a script keeps it busy"
            )
        failure = explain(str(error), subject=runner.subject, timeout_ms=timeout_ms)
        return self._blame_navigation(failure)

    async def _gone(self, error: Exception) -> StepFailedError | None:
        text = str(error)
        if is_crash(text) or await self._crashed(text):
            return StepFailedError(ErrorKind.PAGE_CRASH, f"the page crashed at {self._page.url}")
        await self._ping()  # also of a check that found nothing: the browser may have died while it looked
        return StepFailedError(ErrorKind.PAGE_CRASH, "the page was closed") if is_closed(text) else None

    async def _crashed(self, text: str) -> bool:
        """Whether the page's process died; the crash of a page that opens is told as an abort first."""
        return await self._log.crashed_within(CRASH_NEWS_S if "ERR_ABORTED" in text else 0)

    async def _ping(self) -> None:
        """Ask the browser, not the page, for a sign of life."""
        try:
            async with asyncio.timeout(PING_TIMEOUT_S):
                await self._context.cookies("http://localhost")
        except (Error, TimeoutError) as error:
            raise BrowserCrashedError("the browser died under the run") from error

    def _blame_navigation(self, failure: StepFailedError) -> StepFailedError:
        """On the browser's own error page no element can be found: what failed is the way there."""
        failed = self._log.failed_navigation
        if not self._page.url.startswith(_ERROR_PAGE) or failed is None or failure.kind is ErrorKind.NAVIGATION:
            return failure
        return navigation(failed.error, url=failed.url, timeout_ms=0)
