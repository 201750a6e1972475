"""Checks of the page."""

from __future__ import annotations

import re
from typing import Any

from playwright.async_api import expect

from processors.browser.action_context import ActionContext, checks
from qa_queue.cases.checks import ToHaveTitle, ToHaveURL
from qa_queue.cases.patterns import playwright_text
from qa_queue.cases.urls import glob

Call = ActionContext[Any]


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
