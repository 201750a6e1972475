"""Checks of the page."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import Any

from playwright.async_api import Error, expect

from processors.browser.accessibility import Violation, is_left, violations, violations_text
from processors.browser.action_context import ActionContext, checks
from processors.browser.failures import StepFailedError
from processors.browser.locators import locator_for
from qa_queue.cases.checks import ToBeAccessible, ToHaveTitle, ToHaveURL
from qa_queue.cases.patterns import playwright_text
from qa_queue.cases.urls import glob
from qa_queue.models import ErrorKind

Call = ActionContext[Any]
AGAIN_S = 0.5  # axe reads the whole page


@checks(ToHaveURL)
async def url(call: Call, check: ToHaveURL) -> None:
    """The page's URL, as a glob or a regular expression."""
    pattern, it = _pattern(call, check), expect(call.page)
    verify = it.not_to_have_url if check.negate else it.to_have_url
    await verify(pattern, ignore_case=check.ignore_case or None, timeout=call.left_ms)


def _pattern(call: Call, check: ToHaveURL) -> re.Pattern[str]:
    if isinstance(check.url, str):
        return glob(check.url, call.options.base_url)
    return re.compile(check.url.matches, re.IGNORECASE if check.url.ignore_case else 0)


@checks(ToHaveTitle)
async def title(call: Call, check: ToHaveTitle) -> None:
    """The page's title."""
    it = expect(call.page)
    verify = it.not_to_have_title if check.negate else it.to_have_title
    await verify(playwright_text(check.title), timeout=call.left_ms)


@checks(ToBeAccessible)
async def accessibility(call: Call, check: ToBeAccessible) -> None:
    """No violation of axe's rules, or at least one; read again as long as there is time to read as much."""
    deadline = call.deadline
    found = await _first_violations(call, check)
    took = deadline.spent_ms
    while not _holds(check, found) and deadline.spent_ms + AGAIN_S * 1000 + took <= deadline.timeout_ms:
        await asyncio.sleep(AGAIN_S)
        began = deadline.spent_ms
        with suppress(TimeoutError):  # what was found before counts
            found = await asyncio.wait_for(_violations(call, check), call.left_ms / 1000)
        took = deadline.spent_ms - began
    if _holds(check, found):
        return
    where = f" on {call.subject}" if call.locator is not None else ""
    seen = "a page that keeps changing" if found is None else violations_text(found)
    text = f"expected {check.expectation()}{where} in {call.deadline.timeout_ms} ms, found {seen}"
    raise StepFailedError(ErrorKind.ASSERTION, text)


def _holds(check: ToBeAccessible, found: list[Violation] | None) -> bool:
    return found is not None and bool(found) is check.negate


async def _first_violations(call: Call, check: ToBeAccessible) -> list[Violation] | None:
    """Return the first violations, which may take a second more than the step has.

    Raises:
        StepFailedError: they took longer.
    """
    try:
        return await asyncio.wait_for(_violations(call, check), call.left_ms / 1000 + 1)
    except TimeoutError:
        text = f"axe did not read the page in {call.deadline.timeout_ms} ms: give the step more time (`timeout`)"
        raise StepFailedError(ErrorKind.TIMEOUT, text) from None


async def _violations(call: Call, check: ToBeAccessible) -> list[Violation] | None:
    """Return the violations; None if the page was left meanwhile."""
    rules = check.accessibility
    scope = await call.locator.element_handle(timeout=call.left_ms) if call.locator is not None else None
    try:
        frame = await scope.owner_frame() if scope else None
        excluded = [
            element
            for target in rules.exclude
            for element in await locator_for(call.page, target, call.options.test_id_attribute).element_handles()
        ]
        return await violations(frame or call.page.main_frame, rules, scope, excluded)
    except Error as error:
        if is_left(str(error)):
            return None
        raise
