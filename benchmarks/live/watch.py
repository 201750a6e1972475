"""Seeing which element a step acts on, from outside: every action passes here on its way to the page.

`processors.browser.action_context.PERFORMERS` has the coroutine of each action, which is given a locator that has
been decided on: by the target's own words, a fallback or a heal. In `watching()` its entries first look whose key
that element has.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from playwright.async_api import Error, Locator, Page

from benchmarks.shop_versions import TRUTH
from processors.base import BrowserPool
from processors.browser.action_context import PERFORMERS, ActionContext, Performer
from processors.browser.protocol import BrowserSession, SessionOptions, StepOutcome
from qa_queue.cases.actions import Press
from qa_queue.cases.model import Case, Step
from qa_queue.cases.steps import Action

ACTING = frozenset({"click", "dblclick", "hover", "fill", "type", "press", "check", "uncheck", "select", "upload"})
REST_MS = 300  # of a step's time is for the action, which says what is wrong where there is no element
POLL_S = 0.03
_STEP = "step-"
_CHAIN = (Path(__file__).parent / "chains.js").read_text(encoding="utf-8").partition("\n")[2]
_LOOK = f"""(found, wantsChain) => found.length !== 1 ? null : {{
  key: found[0].closest("[{TRUTH}]")?.getAttribute("{TRUTH}") ?? null,
  chain: wantsChain ? ({_CHAIN})(found[0]) : [],
}}"""


def acts(step: Step) -> bool:
    """Return whether a step acts on an element of its own."""
    return step.action in ACTING and not (isinstance(step.args, Press) and step.args.target is None)


def numbered(case: Case) -> Case:
    """The case with the numbers of its steps as their ids, so that the watch knows them."""
    steps = [step.model_copy(update={"id": f"{_STEP}{number}"}) for number, step in enumerate(case.steps, 1)]
    return case.model_copy(update={"steps": tuple(steps)})


@dataclass
class Watch:
    """Observations of one run, by number of step.

    `wanted` are the keys of the elements that the steps should act on, as far as known. With `lead` the steps are
    given those elements, however they are named: that shows whether the case can be done at all.
    """

    wanted: Mapping[int, str] = field(default_factory=dict)
    lead: bool = False
    record: bool = False
    acted: dict[int, str] = field(default_factory=dict)
    chains: dict[int, list[dict[str, str]]] = field(default_factory=dict)
    there: dict[int, bool] = field(default_factory=dict)
    number: int = 0
    page: Page | None = None

    async def look(self, call: ActionContext[Any]) -> ActionContext[Any]:
        """Note the element of a call; the call, led to the right element where that was asked for."""
        if self.lead and self.number in self.wanted:
            call = replace(call, locator=await self._lead(call))
        if call.locator is None:
            return call
        try:
            await call.locator.first.wait_for(state="attached", timeout=max(call.left_ms - REST_MS, REST_MS))
            seen = await call.locator.evaluate_all(_LOOK, self.record)
        except Error:
            return call  # there is no such element, which the action will say
        if seen is not None and seen["key"] is not None:
            self.acted[self.number] = seen["key"]
            self.chains[self.number] = seen["chain"]
            if seen["key"] == self.wanted.get(self.number):
                self.there[self.number] = True
            else:
                await self.search()
        return call

    async def search(self) -> None:
        """Note whether the present step's right element is on the page."""
        key = self.wanted.get(self.number)
        if key is not None and self.page is not None and not self.there.get(self.number):
            self.there[self.number] = await _find(self.page, key) is not None

    async def _lead(self, call: ActionContext[Any]) -> Locator | None:
        locator = None
        while locator is None and not call.deadline.over:
            locator = await _find(call.page, self.wanted[self.number])
            if locator is None:
                await asyncio.sleep(POLL_S)
        return locator or call.locator


WATCH: ContextVar[Watch] = ContextVar("watch")


@contextmanager
def watching() -> Iterator[None]:
    """Let every action look first, while the block runs; each run has to set `WATCH`."""
    with patch.dict(PERFORMERS, {kind: _watched(kind, performer) for kind, performer in PERFORMERS.items()}):
        yield


@dataclass(frozen=True)
class WatchedPool:
    """A browser whose sessions tell the watch which step they do."""

    pool: BrowserPool

    def session(self, options: SessionOptions) -> AbstractAsyncContextManager[BrowserSession]:
        """See `processors.browser.protocol.BrowserPool`."""
        return self._session(options)

    @asynccontextmanager
    async def _session(self, options: SessionOptions) -> AsyncIterator[Any]:
        async with self.pool.session(options) as session:
            yield WatchedSession(session)


class WatchedSession:
    """A session, and before and after each step the watch."""

    def __init__(self, session: BrowserSession) -> None:
        self._session = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    async def perform(self, step: Step, **options: Any) -> StepOutcome:
        """See `processors.browser.protocol.BrowserSession`."""
        watch = WATCH.get()
        watch.number = int((step.id or "").removeprefix(_STEP))
        outcome = await self._session.perform(step, **options)
        if outcome.error is not None:
            await watch.search()
        return outcome


def _watched(kind: type[Action], performer: Performer[Any]) -> Performer[Any]:
    async def act(call: ActionContext[Any]) -> bytes | None:
        watch = WATCH.get()
        watch.page = call.page
        return await performer(await watch.look(call) if kind.keyword in ACTING else call)

    return act


async def _find(page: Page, key: str) -> Locator | None:
    """The element with this key, in whatever frame or open shadow root; the inmost one, wrappers have it too."""
    for frame in page.frames:
        locator = frame.locator(f'[{TRUTH}="{key}"]')
        try:
            if await locator.count():
                return locator.last
        except Error:
            continue  # the frame is just going
    return None
