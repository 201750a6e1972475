"""Actions that open pages."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Error, Page

from processors.browser.action_context import ActionContext, performs
from processors.browser.failures import StepFailedError, is_closed, is_crash, navigation
from qa_queue.cases.actions import Goto, Reload
from qa_queue.cases.urls import web_url
from qa_queue.errors import InputError
from qa_queue.models import ErrorKind


@performs(Goto)
async def goto(call: ActionContext[Goto]) -> None:
    """Open a page and wait for its load event."""
    await open_url(call, call.page, call.args.url)


async def open_url(call: ActionContext[Any], page: Page, url: str) -> None:
    """Open a URL of a case on a page.

    Raises:
        StepFailedError: a case may not open it, or it did not open.
    """
    try:
        whole = web_url(url, call.options.base_url)
    except InputError as error:
        raise StepFailedError(ErrorKind.INPUT, str(error)) from None
    try:
        await page.goto(whole, timeout=call.left_ms)
    except Error as error:
        raise _explained(error, call, whole) from None


@performs(Reload)
async def reload(call: ActionContext[Reload]) -> None:
    """Load the page again and wait for its load event."""
    url = call.page.url
    try:
        await call.page.reload(timeout=call.left_ms)
    except Error as error:
        raise _explained(error, call, url) from None


def _explained(error: Error, call: ActionContext[Any], url: str) -> Exception:
    text = str(error)
    if is_closed(text) or is_crash(text):
        return error
    return navigation(text, url=url, timeout_ms=call.deadline.timeout_ms)
