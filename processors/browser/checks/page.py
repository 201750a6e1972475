"""Checks of the page."""

from __future__ import annotations

from typing import Any

from playwright.async_api import expect

from processors.browser.action_context import ActionContext, checks
from processors.browser.urls import glob
from qa_queue.cases.checks import ToHaveTitle, ToHaveURL

Call = ActionContext[Any]


@checks(ToHaveURL)
async def url(call: Call, check: ToHaveURL) -> None:
    """The page's URL, as a glob."""
    pattern, it = glob(check.url, call.options.base_url), expect(call.page)
    await (it.not_to_have_url if check.negate else it.to_have_url)(pattern, timeout=call.left_ms)


@checks(ToHaveTitle)
async def title(call: Call, check: ToHaveTitle) -> None:
    """The page's title."""
    it = expect(call.page)
    await (it.not_to_have_title if check.negate else it.to_have_title)(check.title, timeout=call.left_ms)
