"""Actions that open pages."""

from __future__ import annotations

from playwright.async_api import Error

from processors.browser.action_context import ActionContext, performs
from processors.browser.failures import StepFailedError, is_closed, is_crash, navigation
from qa_queue.cases.actions import Goto, Reload
from qa_queue.cases.urls import web_url
from qa_queue.errors import InputError
from qa_queue.models import ErrorKind


@performs(Goto)
async def goto(call: ActionContext[Goto]) -> None:
    """Open a page and wait for its load event."""
    try:
        url = web_url(call.args.url, call.options.base_url)
    except InputError as error:
        raise StepFailedError(ErrorKind.INPUT, str(error)) from None
    try:
        await call.page.goto(url, timeout=call.left_ms)
    except Error as error:
        raise _explained(error, call, url) from None


@performs(Reload)
async def reload(call: ActionContext[Reload]) -> None:
    """Load the page again and wait for its load event."""
    url = call.page.url
    try:
        await call.page.reload(timeout=call.left_ms)
    except Error as error:
        raise _explained(error, call, url) from None


def _explained(error: Error, call: ActionContext[Goto] | ActionContext[Reload], url: str) -> Exception:
    text = str(error)
    if is_closed(text) or is_crash(text):
        return error
    return navigation(text, url=url, timeout_ms=call.deadline.timeout_ms)
