"""The worker's runtime in a chaos run: the real one, which notes the attempts, on a browser of plain HTTP."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import httpx

from processors.base import Services
from processors.browser.protocol import SessionOptions, StepOutcome
from processors.execution.plan import RunPlan
from processors.execution.records import RunOutcome
from processors.execution.reporting import RunReporter
from processors.execution.stopping import StopSignal
from processors.execution.tries import TryLoop
from processors.runtime import Runtime
from processors.suites.processor import RunProcessor
from qa_queue.cases.actions import Goto
from qa_queue.cases.model import Step
from qa_queue.models import ErrorKind, TestJobData, TestJobResult
from tests.chaos.events import ASK, BEGIN, END, EventLog

LOG_VARIABLE = "TEST_CHAOS_LOG"
BROWSER_VARIABLE = "TEST_CHAOS_BROWSER"
_NO_REUSE = httpx.Limits(max_keepalive_connections=0)  # runs share no connection
RUNTIME = "tests.chaos.runtime:ChaosRuntime"


@cache
def _log() -> EventLog:
    return EventLog(Path(os.environ[LOG_VARIABLE]))


class NotedProcessor(RunProcessor):
    """Notes when an attempt is about to begin, begins to act and has ended, under the number that its rows have."""

    async def _execute(self, plan: RunPlan) -> RunOutcome:
        _log().note(ASK, plan.case.name, self.context.attempt)
        return await super()._execute(plan)

    def _tries(self, plan: RunPlan, reporter: RunReporter, stop: StopSignal) -> TryLoop:
        _log().note(BEGIN, plan.case.name, self.context.attempt, worker=self.context.worker, process=os.getpid())
        return super()._tries(plan, reporter, stop)

    async def process(self, data: TestJobData) -> TestJobResult:
        name = (data.case or {}).get("name", "")
        try:
            result = await super().process(data)
        except BaseException as error:
            _log().note(END, name, self.context.attempt, error=f"{type(error).__name__}: {error}"[:300])
            raise
        _log().note(END, name, self.context.attempt, status=result.status)
        return result


class HttpSession:
    """A session whose pages are read by plain HTTP requests: it can open pages and compare texts."""

    unreported: tuple[str, ...] = ()
    exceeded: str | None = None
    network_use: ClassVar[None] = None
    events: ClassVar[list[dict[str, Any]]] = []

    def __init__(self, client: httpx.AsyncClient, options: SessionOptions) -> None:
        self._client = client
        self._base_url = options.base_url or ""
        self._page = ""

    async def perform(self, step: Step, *, timeout_ms: int, **_: Any) -> StepOutcome:
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                return await self._perform(step)
        except (httpx.HTTPError, TimeoutError) as error:
            return StepOutcome(error=f"the page did not answer: {error!r}", kind=ErrorKind.NAVIGATION)

    async def _perform(self, step: Step) -> StepOutcome:
        if isinstance(step.args, Goto):
            self._page = (await self._client.get(f"{self._base_url}{step.args.url}")).text
            return StepOutcome()
        expected = step.args.check.text  # type: ignore[union-attr] # the runs have these two actions only
        if str(expected) in self._page:
            return StepOutcome()
        return StepOutcome(error=f"expected {expected}, received {self._page}", kind=ErrorKind.ASSERTION)

    def __getattr__(self, name: str) -> Any:
        """Return the answer to whatever else a run asks of a session, such as its downloads: there is nothing."""

        async def nothing(*_: Any, **__: Any) -> tuple[()]:
            return ()

        return nothing

    async def screenshot(self) -> bytes:
        return b"a picture"

    async def save_trace(self, path: Path) -> None:
        path.write_bytes(b"a trace")


class HttpPool:
    """A browser pool of such sessions."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    @asynccontextmanager
    async def session(self, options: SessionOptions) -> AsyncIterator[HttpSession]:
        yield HttpSession(self._client, options)


class ChaosRuntime(Runtime):
    """The real runtime with these processors, and without Chromium unless TEST_CHAOS_BROWSER is set."""

    processors: ClassVar = {**Runtime.processors, "processors.entry.execute_run": NotedProcessor}

    async def _open(self, stack: AsyncExitStack) -> Services:
        if os.environ.get(BROWSER_VARIABLE):
            return await super()._open(stack)
        self._queues = ()  # the pool starts Chromium when it is first used, which it is not
        client = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=60, limits=_NO_REUSE))
        return replace(await super()._open(stack), browser=HttpPool(client))  # type: ignore[arg-type] # what runs need
