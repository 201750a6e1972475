"""One browser context with its pages: performs steps, takes pictures, keeps the trace."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from playwright.async_api import BrowserContext, Error, Page

from processors.browser.action_context import SURROUNDERS, ActionContext, SessionState, masks
from processors.browser.dialogs import DialogHandler
from processors.browser.downloads import DownloadLimit, Downloads
from processors.browser.egress.proxy import EgressProxy
from processors.browser.egress.schemes import refuse_addresses
from processors.browser.element_finder import Deadline
from processors.browser.failures import (
    StepFailedError,
    explain,
    first_line,
    is_closed,
    is_crash,
    is_done,
    navigation,
)
from processors.browser.flood import BrowserLoad
from processors.browser.interception import Interception
from processors.browser.page_log import ABORTED, PageLog, as_given
from processors.browser.pages import OpenPages
from processors.browser.protocol import (
    HAR_NAME,
    NO_HINTS,
    DownloadedFile,
    ElementHints,
    Finish,
    NetworkUse,
    SessionOptions,
    StepOutcome,
)
from processors.browser.step_runner import StepRunner
from processors.browser.trace_context import TraceContext
from processors.browser.traffic import Traffic
from qa_queue.cases.model import STEP_TIMEOUT_MS, Step
from qa_queue.errors import BrowserCrashedError, EvidenceError
from qa_queue.models import ErrorKind

SLACK_S = 2.0  # over a step's time, for a page that does not even answer questions
PICTURE_TIMEOUT_MS = 5_000
TRACE_TIMEOUT_S = 30.0
CRASH_EVENT_S = 1.0  # between the abort of a navigation and the event of the crash that caused it
_ERROR_PAGE = "chrome-error://"
_SILENT = "the page does not answer"
T = TypeVar("T")


class Session:
    """`processors.browser.protocol.BrowserSession` on Playwright."""

    def __init__(
        self,
        context: BrowserContext,
        page: Page,
        options: SessionOptions,
        load: BrowserLoad,
        limit: DownloadLimit,
        egress: EgressProxy | None = None,
        trace: TraceContext | None = None,
    ) -> None:
        self._context = context
        self._options = options
        self._load = load
        self._egress = egress
        self._trace = trace
        explain = egress.explain if egress else as_given
        self._log = log = PageLog(context, page, load, explain, options.limits)
        if egress is not None:
            egress.on_limit = log.stop
        self._pages = pages = OpenPages(context, page)
        self._dialogs = dialogs = DialogHandler(log, options.dialogs, options.limits.dialogs)
        self._traffic = traffic = Traffic(
            context, recorded=options.records_traffic, base_url=options.base_url, explain=explain
        )
        self._downloads = downloads = Downloads(context, log, limit, options.limits.downloads)
        self._state = SessionState(
            log=log,
            pages=pages,
            dialogs=dialogs,
            downloads=downloads,
            traffic=traffic,
            interception=Interception(context),
            egress=egress,
            trace=trace,
        )

    @property
    def page(self) -> Page:
        """The page that steps act on."""
        return self._pages.current

    @property
    def unreported(self) -> tuple[str, ...]:
        """See `processors.browser.protocol.BrowserSession`."""
        notes = (dialog.note for dialog in self._dialogs.take())
        refused = self._egress.notes if self._egress else ()
        return (*filter(None, notes), *self._dialogs.unused, *self._downloads.unreported, *refused)

    @property
    def exceeded(self) -> str | None:
        """See `processors.browser.protocol.BrowserSession`."""
        return self._log.flood or self._downloads.exceeded

    @property
    def events(self) -> list[dict[str, Any]]:
        """See `processors.browser.protocol.BrowserSession`."""
        return self._log.entries

    @property
    def network_use(self) -> NetworkUse | None:
        """See `processors.browser.protocol.BrowserSession`."""
        return self._egress.use if self._egress else None

    def stop(self, reason: str) -> None:
        """See `processors.browser.protocol.BrowserSession`."""
        self._log.stop(reason)

    async def refuse_addresses(self, addresses: Sequence[str]) -> None:
        """Refuse requests for these address patterns in a browser without Chromium's DevTools."""
        await refuse_addresses(self._context, addresses, self._log.stop)

    async def perform(
        self,
        step: Step,
        *,
        timeout_ms: int,
        hints: ElementHints = NO_HINTS,
        secrets: frozenset[str] = frozenset(),
        finish: Finish | None = None,
    ) -> StepOutcome:
        """See `processors.browser.protocol.BrowserSession`."""
        self._traffic.begin_step()
        self._downloads.begin_step(step.title)
        if self._trace is not None:
            self._trace.begin_step()
        outcome = self._with_dialogs(await self._perform(step, timeout_ms, hints, secrets, finish))
        notes = (self._trace.note,) if self._trace is not None and outcome.error is not None else ()
        return replace(outcome, notes=(*outcome.notes, *notes))

    async def look(self, step: Step, *, timeout_ms: int) -> StepOutcome:
        """See `processors.browser.protocol.BrowserSession`."""
        return await self._perform(step, timeout_ms)

    async def _perform(
        self,
        step: Step,
        timeout_ms: int,
        hints: ElementHints = NO_HINTS,
        secrets: frozenset[str] = frozenset(),
        finish: Finish | None = None,
    ) -> StepOutcome:
        """Perform a step; one that another run's page held up is repeated."""
        repeated = False
        while True:
            runner = StepRunner(self._state, self._options, step, Deadline(timeout_ms), hints, secrets, finish)
            began = time.monotonic()
            try:
                async with self._limit(timeout_ms / 1000, began) as limit:
                    outcome = await runner.outcome(limit)
            except (Error, StepFailedError, TimeoutError) as error:
                held_up = await self._held_up(runner.page, error, began)
                if repeated or not held_up:
                    return self._failed(runner, error, timeout_ms)
                repeated = True
            else:
                flood = self._flood
                return replace(outcome, error=str(flood), kind=flood.kind) if flood else outcome

    @asynccontextmanager
    async def around(self, step: Step) -> AsyncIterator[Finish]:
        """See `processors.browser.protocol.BrowserSession`; a beginning that fails fails the end."""
        context = ActionContext(
            page=self._state.pages.current,
            state=self._state,
            args=step.args,
            options=self._options,
            deadline=Deadline(STEP_TIMEOUT_MS),
            subject=step.title,
        )
        async with AsyncExitStack() as stack:
            try:
                finish = await stack.enter_async_context(SURROUNDERS[type(step.args)](context))
            except (Error, StepFailedError) as error:
                finish = partial(_raise, error)
            yield finish

    async def downloads(self) -> tuple[DownloadedFile, ...]:
        """See `processors.browser.protocol.BrowserSession`."""
        return await self._downloads.close()

    async def state(self) -> dict[str, Any]:
        """See `processors.browser.protocol.BrowserSession`."""
        try:
            async with asyncio.timeout(TRACE_TIMEOUT_S):
                return dict(await self._context.storage_state(indexed_db=True))
        except (Error, TimeoutError) as error:
            raise BrowserCrashedError(
                f"the browser did not give its cookies and storage: {first_line(str(error)) or _SILENT}"
            ) from error

    async def screenshot(self) -> bytes:
        """See `processors.browser.protocol.BrowserSession`."""
        hidden = masks(self.page, self._options.secrets)
        picture = self.page.screenshot(timeout=PICTURE_TIMEOUT_MS, mask=hidden)
        return await _evidence("screenshot", picture, PICTURE_TIMEOUT_MS / 1000 + SLACK_S, _SILENT)

    async def save_trace(self, path: Path) -> None:
        """See `processors.browser.protocol.BrowserSession`."""
        await _evidence("trace", self._context.tracing.stop(path=path), TRACE_TIMEOUT_S)

    async def snapshot(self) -> str:
        """See `processors.browser.protocol.BrowserSession`."""
        found = self.page.locator("body").aria_snapshot(timeout=PICTURE_TIMEOUT_MS)
        return await _evidence("snapshot", found, PICTURE_TIMEOUT_MS / 1000, _SILENT)

    async def save_har(self) -> Path:
        """See `processors.browser.protocol.BrowserSession`."""
        assert self._options.recordings is not None
        await _evidence("HAR file", self._context.tracing.stop_har(), TRACE_TIMEOUT_S)
        return self._options.recordings / HAR_NAME

    async def save_videos(self) -> list[Path]:
        """See `processors.browser.protocol.BrowserSession`."""
        return await _evidence("video", self._videos(), TRACE_TIMEOUT_S)

    async def _videos(self) -> list[Path]:
        videos = [(page, page.video) for page in self._context.pages]
        for page, _ in videos:
            await page.close()
        return [Path(await video.path()) for _, video in videos if video is not None]

    @asynccontextmanager
    async def _limit(self, seconds: float, began: float) -> AsyncIterator[asyncio.Timeout]:
        """End a step whose page does not answer; a step gets its time again if the browser was too busy for it."""

        async def extend(limit: asyncio.Timeout) -> None:
            await asyncio.sleep(seconds)
            end, now = limit.when(), asyncio.get_running_loop().time
            limit.reschedule(None)
            try:
                busy = await self._load.held_up(self._context, began)
                limit.reschedule(now() + seconds + SLACK_S if busy else max(end or 0, limit.when() or 0))
            except BrowserCrashedError:  # found again, and reported, by the step
                limit.reschedule(now())

        async with asyncio.timeout(seconds + SLACK_S) as limit:
            extension = asyncio.create_task(extend(limit))
            try:
                yield limit
            finally:
                extension.cancel()

    async def _held_up(self, page: Page, error: Exception, began: float) -> bool:
        """Return True if the browser was too busy with another run's page for a step, which did not act yet.

        Raises:
            BrowserCrashedError: the browser died.
        """
        if self._log.flood is not None or await self._crashed(page, str(error)):
            return False
        busy = await self._load.held_up(self._context, began)
        acted = isinstance(error, StepFailedError) and error.acted
        return busy and not (
            acted or isinstance(error, TimeoutError) or is_closed(str(error)) or is_done(str(error))
        )

    async def _crashed(self, page: Page, text: str) -> bool:
        """Return True if the page's process died; a crash while a page opens is reported as an abort first."""
        return is_crash(text) or await self._log.crashed_within(page, CRASH_EVENT_S if ABORTED in text else 0)

    def _with_dialogs(self, outcome: StepOutcome) -> StepOutcome:
        """Return the outcome with notes on the dialogs of the step; one that was not expected fails it."""
        dialogs = self._dialogs.take()
        if not dialogs:
            return outcome
        notes = tuple(filter(None, (dialog.note for dialog in dialogs)))
        outcome = replace(outcome, notes=(*outcome.notes, *notes))
        problem = next((dialog.problem for dialog in dialogs if dialog.problem), None)
        if problem is None:
            return outcome
        error = "; ".join(filter(None, (problem, outcome.error)))
        return replace(outcome, error=error, kind=ErrorKind.ASSERTION)

    def _failed(self, runner: StepRunner, error: Exception, timeout_ms: int) -> StepOutcome:
        failure = self._own_failure(runner.page, error) or self._blame_navigation(
            runner.page, _explained(runner, error, timeout_ms)
        )
        text = f"{failure}; not healed: {runner.refusal}" if runner.refusal else str(failure)
        return StepOutcome(
            found=runner.found, error=text, kind=failure.kind, heal=runner.proposal, pictures=failure.pictures
        )

    @property
    def _flood(self) -> StepFailedError | None:
        """The failure of a page that went beyond a limit."""
        if self._log.flood is None:
            return None
        return StepFailedError(ErrorKind.PAGE_FLOOD, f"{self._log.flood}; its context was closed")

    def _own_failure(self, page: Page, error: Exception) -> StepFailedError | None:
        """Return the failure of a page that is gone."""
        if self._flood:
            return self._flood
        if is_crash(str(error)) or self._log.crashed(page):
            return StepFailedError(ErrorKind.PAGE_CRASH, f"the page crashed at {page.url}")
        gone = page.is_closed() or is_closed(str(error))
        return StepFailedError(ErrorKind.PAGE_CRASH, "the page was closed") if gone else None

    def _blame_navigation(self, page: Page, failure: StepFailedError) -> StepFailedError:
        """On the browser's own error page no element can be found: what failed is the way there."""
        failed = self._log.failed_navigation(page)
        if not page.url.startswith(_ERROR_PAGE) or failed is None or failure.kind is ErrorKind.NAVIGATION:
            return failure
        return navigation(failed.error, url=failed.url, timeout_ms=0)


async def _raise(error: Exception, _context: object) -> NoReturn:
    raise error


def _explained(runner: StepRunner, error: Exception, timeout_ms: int) -> StepFailedError:
    if isinstance(error, StepFailedError):
        return error
    if isinstance(error, TimeoutError):
        text = f"the page did not answer for {timeout_ms / 1000 + SLACK_S:.3g} s: a script keeps it busy"
        return StepFailedError(ErrorKind.TIMEOUT, text)
    return explain(str(error), subject=runner.subject, timeout_ms=timeout_ms)


async def _evidence(what: str, wanted: Awaitable[T], seconds: float, otherwise: str = "it took too long") -> T:
    """Return a piece of evidence.

    Raises:
        EvidenceError: it could not be taken in `seconds`.
    """
    try:
        async with asyncio.timeout(seconds):
            return await wanted
    except (Error, TimeoutError, OSError) as error:
        raise EvidenceError(f"no {what}: {first_line(str(error)) or otherwise}") from error
