"""Actions that open pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from playwright.async_api import Error, Page, Response

from processors.browser.action_context import ActionContext, performs
from processors.browser.failures import StepFailedError, is_closed, is_crash, navigation
from qa_queue.cases.actions import Back, Forward, Goto, Reload
from qa_queue.cases.urls import web_url
from qa_queue.errors import InputError
from qa_queue.models import ErrorKind


@performs(Goto)
async def goto(call: ActionContext[Goto]) -> None:
    """Open a page and wait for its load event."""
    args = call.args
    referer = None if args.referer is None else _whole(call, args.referer)
    await open_url(call, call.page, args.url, wait_until=args.wait_until, referer=referer)


async def open_url(call: ActionContext[Any], page: Page, url: str, **options: Any) -> None:
    """Open a URL of a case on a page.

    Raises:
        StepFailedError: a case may not open it, or it did not open.
    """
    whole = _whole(call, url)
    try:
        await page.goto(whole, timeout=call.left_ms, **options)
    except Error as error:
        raise _explained(error, call, whole) from None


def _whole(call: ActionContext[Any], url: str) -> str:
    try:
        return web_url(url, call.options.base_url)
    except InputError as error:
        raise StepFailedError(ErrorKind.INPUT, str(error)) from None


@performs(Reload)
async def reload(call: ActionContext[Reload]) -> None:
    """Load the page again and wait for its load event."""
    url = call.page.url
    try:
        await call.page.reload(timeout=call.left_ms, wait_until=call.args.wait_until)
    except Error as error:
        raise _explained(error, call, url) from None


@performs(Back)
async def back(call: ActionContext[Back]) -> None:
    """Go to the page before in the history."""
    await _travel(call, call.page.go_back, "before")


@performs(Forward)
async def forward(call: ActionContext[Forward]) -> None:
    """Go to the page after in the history."""
    await _travel(call, call.page.go_forward, "after")


async def _travel(call: ActionContext[Any], move: Callable[..., Awaitable[Response | None]], place: str) -> None:
    """Move in the history; a move within one document has no response, but another URL."""
    url = call.page.url
    try:
        response = await move(timeout=call.left_ms, wait_until=call.args.wait_until)
    except Error as error:
        raise _explained(error, call, f"the page {place} {url}") from None
    if response is None and call.page.url == url:
        raise StepFailedError(ErrorKind.NAVIGATION, f"the history has no page {place} {url}")


def _explained(error: Error, call: ActionContext[Any], url: str) -> Exception:
    text = str(error)
    if is_closed(text) or is_crash(text):
        return error
    return navigation(call.state.explain(text, url), url=url, timeout_ms=call.deadline.timeout_ms)
