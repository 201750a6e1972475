"""Actions on the page as a whole, and waiting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from playwright.async_api import Error, FloatRect
from playwright.async_api import TimeoutError as WaitTimeoutError

from processors.browser.action_context import ActionContext, Performed, Performer, performs, surrounds
from processors.browser.checks import make
from processors.browser.failures import StepFailedError, first_line, is_closed, shorten
from processors.browser.locators import locator_for
from processors.browser.traffic import Exchange, listed
from qa_queue.cases.actions import Screenshot, SetViewport, WaitFor, WaitForTraffic
from qa_queue.cases.checks import ToHaveCount, ToHaveURL
from qa_queue.cases.traffic import RequestPattern
from qa_queue.models import ErrorKind


@performs(WaitFor)
async def wait_for(call: ActionContext[WaitFor]) -> None:
    """Wait for each thing that is asked for: an element's state or count, a URL, traffic, a load state, a time."""
    args = call.args
    if args.count is not None:
        await make(call, ToHaveCount(target=args.target, count=args.count), waiting=True)
    elif call.locator is not None:
        await _wait_for_state(call)
    if args.url is not None:
        await make(call, ToHaveURL(url=args.url), waiting=True)
    for kind in ("request", "response"):
        if (pattern := getattr(args, kind)) is not None:
            await _wait_for_traffic(call, kind, pattern)
    if args.load_state is not None:
        await _wait_for_load_state(call)
    if args.function is not None:
        await _wait_for_function(call, args.function)
    if args.time_ms is not None:
        await asyncio.sleep(args.time_ms / 1000)


async def _wait_for_traffic(call: ActionContext[WaitFor], kind: str, pattern: RequestPattern) -> None:
    traffic = call.state.traffic
    if not await traffic.until(lambda: bool(traffic.matching(pattern, traffic.recent(kind))), call.left_ms / 1000):
        raise _missed(call, f"a {kind} {pattern}", listed(traffic.recent(kind), kind))


@surrounds(WaitForTraffic)
@asynccontextmanager
async def wait_for_traffic(call: ActionContext[WaitForTraffic]) -> AsyncIterator[Performer[WaitForTraffic]]:
    """Remember which traffic there was before the steps."""
    traffic = call.state.traffic
    yield partial(_received, len(traffic.requests), len(traffic.responses))


async def _received(requests: int, responses: int, call: ActionContext[WaitForTraffic]) -> Performed:
    """Wait for a request or response after the first ones, and return it."""
    traffic, kind, pattern = call.state.traffic, call.args.kind, call.args.pattern

    def since() -> list[Exchange]:
        return traffic.requests[requests:] if kind == "request" else traffic.responses[responses:]

    if not await traffic.until(lambda: bool(traffic.matching(pattern, since())), call.left_ms / 1000):
        raise _missed(call, f"a {kind} {pattern}", listed(since(), kind))
    return Performed(result=await traffic.matching(pattern, since())[0].value(kind))


async def _wait_for_load_state(call: ActionContext[WaitFor]) -> None:
    state = call.args.load_state
    try:
        await call.page.wait_for_load_state(state, timeout=call.left_ms)
    except WaitTimeoutError:
        still_open = listed(call.state.traffic.unanswered, "request") if state == "networkidle" else ""
        found = f"open requests: {still_open}" if call.state.traffic.unanswered else "it is still loading"
        raise _missed(call, f"load state {state} of {call.page.url}", found) from None


async def _wait_for_function(call: ActionContext[WaitFor], script: str) -> None:
    try:
        await call.page.wait_for_function(script, timeout=call.left_ms)
    except WaitTimeoutError:
        raise _missed(call, f"the script {shorten(script)!r} to be true", "it is not") from None
    except Error as error:
        if is_closed(str(error)):
            raise
        text = f"the script {shorten(script)!r} failed: {first_line(str(error))}"
        raise StepFailedError(ErrorKind.ASSERTION, text) from None


def _missed(call: ActionContext[Any], wanted: str, found: str) -> StepFailedError:
    return StepFailedError(ErrorKind.TIMEOUT, f"waited {call.deadline.timeout_ms} ms for {wanted}; {found}")


async def _wait_for_state(call: ActionContext[WaitFor]) -> None:
    state = call.args.state
    try:
        await call.element.wait_for(state=state, timeout=call.left_ms)
    except WaitTimeoutError as error:
        if "locator resolved to" not in str(error):
            raise
        now = "there" if state == "detached" else "visible" if state == "hidden" else "hidden"
        raise StepFailedError(
            ErrorKind.TIMEOUT,
            f"waited {call.deadline.timeout_ms} ms for {call.subject} to be {state}, it is still {now}",
        ) from None


@performs(Screenshot)
async def screenshot(call: ActionContext[Screenshot]) -> Performed:
    """Take a picture of the page or of one element; masks of the step and secrets are black."""
    args = call.args
    find = partial(locator_for, call.page, test_id_attribute=call.options.test_id_attribute)
    hidden = [*call.masks, *map(find, args.mask)]
    if call.locator is not None:
        return Performed(picture=await call.locator.screenshot(timeout=call.left_ms, mask=hidden))
    clip = (
        None
        if args.clip is None
        else FloatRect(x=args.clip.x, y=args.clip.y, width=args.clip.width, height=args.clip.height)
    )
    picture = await call.page.screenshot(full_page=args.full_page, clip=clip, timeout=call.left_ms, mask=hidden)
    return Performed(picture=picture)


@performs(SetViewport)
async def set_viewport(call: ActionContext[SetViewport]) -> None:
    """Change the size of the page."""
    await call.page.set_viewport_size({"width": call.args.width, "height": call.args.height})
