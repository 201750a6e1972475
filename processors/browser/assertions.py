"""Every check of the `expect` action, retried by Playwright until it holds or the time is up."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, cast

from playwright.async_api import expect

from processors.browser.action_context import ActionContext
from processors.browser.failures import StepFailedError, ambiguous
from processors.browser.urls import glob
from qa_queue.cases.model import ELEMENT_CHECKS, PAGE_CHECKS, Expect
from qa_queue.models import ErrorKind

Check = Callable[[ActionContext, Any, bool], Awaitable[None]]
_ACTUAL = re.compile(r"\nActual value: (.*?)(?:\nError: (.*?))? ?\nCall log:", re.DOTALL)


async def check(call: ActionContext) -> None:
    """Check one thing; `StepFailedError` says in one line what was expected and what was there."""
    args = cast(Expect, call.args)
    name = checked_name(args)
    wanted = getattr(args, name)
    try:
        await CHECKS[name](call, wanted, args.negate)
    except AssertionError as error:
        expected = f"expected {expectation(name, wanted, args.negate)}"
        raise failed(call, str(error), expected, ErrorKind.ASSERTION) from None


def checked_name(args: Expect) -> str:
    """Which of the checks an assertion makes."""
    return next(name for name in (*ELEMENT_CHECKS, *PAGE_CHECKS) if getattr(args, name) is not None)


def expectation(name: str, wanted: Any, negate: bool) -> str:
    """What a check expects, in words: "text 'Welcome'", "not to be visible". Pure."""
    if isinstance(wanted, bool):
        return f"to be {name}" if wanted is not negate else f"not to be {name}"
    words = {"contains_text": "to contain text", "url": "URL"}.get(name, name)
    return f"{'not ' if negate else ''}{words} {wanted!r}"


def failed(call: ActionContext, text: str, expected: str, kind: ErrorKind) -> StepFailedError:
    """One line from what was expected and Playwright's text, which has what was there."""
    if "strict mode violation" in text:
        return ambiguous(text, call.subject)
    found = _ACTUAL.search(text)
    actual, error = found.groups() if found else (None, None)
    seen = _seen(actual, error)
    where = f" on {call.subject}" if call.locator is not None else ""
    return StepFailedError(kind, f"{expected}, found {seen} in {call.deadline.timeout_ms} ms{where}")


def _seen(actual: str | None, error: str | None) -> str:
    if error is not None:
        return "no such element" if "not found" in error else f"an error: {error.strip().splitlines()[0]}"
    words = " ".join((actual or "").split())
    return repr(words) if len(words) <= 200 else repr(words[:199] + "…")


async def visible(call: ActionContext, wanted: bool, negate: bool) -> None:
    """Shown, with a size and not hidden by style."""
    await expect(call.element).to_be_visible(visible=wanted is not negate, timeout=call.left_ms)


async def hidden(call: ActionContext, wanted: bool, negate: bool) -> None:
    """Not shown, or not there at all."""
    await visible(call, not wanted, negate)


async def text(call: ActionContext, wanted: str, negate: bool) -> None:
    """The whole text, white space folded."""
    it = expect(call.element)
    await (it.not_to_have_text if negate else it.to_have_text)(wanted, timeout=call.left_ms)


async def contains_text(call: ActionContext, wanted: str, negate: bool) -> None:
    """A part of the text, white space folded."""
    it = expect(call.element)
    await (it.not_to_contain_text if negate else it.to_contain_text)(wanted, timeout=call.left_ms)


async def value(call: ActionContext, wanted: str, negate: bool) -> None:
    """The value of a field."""
    it = expect(call.element)
    await (it.not_to_have_value if negate else it.to_have_value)(wanted, timeout=call.left_ms)


async def count(call: ActionContext, wanted: int, negate: bool) -> None:
    """How many elements match."""
    it = expect(call.element)
    await (it.not_to_have_count if negate else it.to_have_count)(wanted, timeout=call.left_ms)


async def checked(call: ActionContext, wanted: bool, negate: bool) -> None:
    """The mark of a checkbox, radio button or switch."""
    await expect(call.element).to_be_checked(checked=wanted is not negate, timeout=call.left_ms)


async def enabled(call: ActionContext, wanted: bool, negate: bool) -> None:
    """Whether it can be used."""
    await expect(call.element).to_be_enabled(enabled=wanted is not negate, timeout=call.left_ms)


async def disabled(call: ActionContext, wanted: bool, negate: bool) -> None:
    """Whether it cannot be used."""
    await enabled(call, not wanted, negate)


async def url(call: ActionContext, wanted: str, negate: bool) -> None:
    """The page's URL, as a glob."""
    pattern, it = glob(wanted, call.options.base_url), expect(call.page)
    await (it.not_to_have_url if negate else it.to_have_url)(pattern, timeout=call.left_ms)


async def title(call: ActionContext, wanted: str, negate: bool) -> None:
    """The page's title."""
    it = expect(call.page)
    await (it.not_to_have_title if negate else it.to_have_title)(wanted, timeout=call.left_ms)


CHECKS: dict[str, Check] = {
    "visible": visible,
    "hidden": hidden,
    "text": text,
    "contains_text": contains_text,
    "value": value,
    "count": count,
    "checked": checked,
    "enabled": enabled,
    "disabled": disabled,
    "url": url,
    "title": title,
}
