"""The coroutine of each check of the format. `qa_queue/cases/checks` has the same modules.

Playwright retries a check until it holds or the time is up.
"""

from __future__ import annotations

import re
from typing import Any

from processors.browser.action_context import CHECKERS, ActionContext, Performed
from processors.browser.checks import element, events, network, page, screenshots, value
from processors.browser.failures import StepFailedError, ambiguous
from qa_queue.cases.checks import Check
from qa_queue.models import ErrorKind

__all__ = ["element", "events", "failed", "make", "network", "page", "screenshots", "value"]
_ACTUAL = re.compile(r"\nActual value: (.*?)(?:\nError: (.*?))? ?\nCall log:", re.DOTALL)


async def make(call: ActionContext[Any], check: Check, *, waiting: bool = False) -> Performed | None:
    """Make a check and return its results, if it has any; with `waiting` it is part of a wait.

    Raises:
        StepFailedError: it did not hold in time; the message has the expected and the actual value in one line.
    """
    try:
        return await CHECKERS[type(check)](call, check)
    except AssertionError as error:
        verb, kind = ("waited for", ErrorKind.TIMEOUT) if waiting else ("expected", ErrorKind.ASSERTION)
        raise failed(call, str(error), f"{verb} {check.expectation()}", kind) from None


def failed(call: ActionContext[Any], text: str, expected: str, kind: ErrorKind) -> StepFailedError:
    """Return one line with the expected value and the actual one, which is in Playwright's text."""
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
    if words.startswith("[") and len(words) <= 200:
        return words  # a list
    return repr(words) if len(words) <= 200 else repr(words[:199] + "…")
