"""Checks of the network and the console."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from processors.browser.action_context import ActionContext, checks
from processors.browser.failures import StepFailedError, shorten
from processors.browser.responses import mask_confidential
from processors.browser.traffic import LISTED, Exchange, listed
from qa_queue.cases.checks import (
    Check,
    ToHaveNoConsoleErrors,
    ToHaveNoFailedRequests,
    ToHaveRequest,
    ToHaveResponse,
)
from qa_queue.cases.traffic import RegexMatch
from qa_queue.models import ErrorKind

Call = ActionContext[Any]
_LEAVING = "the page made more requests than are recorded"


@checks(ToHaveResponse)
async def response(call: Call, check: ToHaveResponse) -> None:
    """A response since the case began."""
    traffic = call.state.traffic

    def holds() -> bool:
        return bool(traffic.matching(check.response, traffic.responses)) is not check.negate

    if not await traffic.until(holds, call.left_ms / 1000):
        raise _failed(call, check, listed(traffic.responses, "response"))


@checks(ToHaveRequest)
async def request(call: Call, check: ToHaveRequest) -> None:
    """A request since the case began, or a number of them."""
    traffic = call.state.traffic

    def number() -> int:
        return len(traffic.matching(check.request, traffic.requests))

    def holds() -> bool:
        return (number() > 0 if check.times is None else number() == check.times) is not check.negate

    if not await traffic.until(holds, call.left_ms / 1000):
        raise _failed(call, check, f"found {number()}; {listed(traffic.requests, 'request')}")


@checks(ToHaveNoFailedRequests)
async def no_failed_requests(call: Call, check: ToHaveNoFailedRequests) -> None:
    """No failed request since the case began."""
    traffic = call.state.traffic

    def failed() -> list[Exchange]:
        patterns = check.no_failed_requests.ignore
        bad = [one for one in traffic.requests if one.failed]
        return [one for one in bad if not any(traffic.fits_url(pattern, one.url) for pattern in patterns)]

    if check.negate:
        await traffic.until(lambda: bool(failed()), call.left_ms / 1000)
    if bool(found := failed()) is not check.negate:
        raise StepFailedError(ErrorKind.ASSERTION, f"expected {check.expectation()}, found {_counted(found)}")


@checks(ToHaveNoConsoleErrors)
async def no_console_errors(call: Call, check: ToHaveNoConsoleErrors) -> None:
    """No error in the console since the case began."""
    ignored = check.no_console_errors.ignore
    found = [text for text in _errors(call) if not any(_ignores(one, text) for one in ignored)]
    if bool(found) is not check.negate:
        raise StepFailedError(ErrorKind.ASSERTION, f"expected {check.expectation()}, found {_quoted(found)}")


def _errors(call: Call) -> Iterator[str]:
    for entry in call.state.log.entries:
        if entry["type"] == "pageerror" or (entry["type"] == "console" and entry["level"] == "error"):
            yield entry["text"]


def _ignores(pattern: str | RegexMatch, text: str) -> bool:
    return pattern.found_in(text) if isinstance(pattern, RegexMatch) else pattern in text


def _failed(call: Call, check: Check, found: str) -> StepFailedError:
    more = f"; {_LEAVING}" if call.state.traffic.overflow else ""
    text = f"expected {check.expectation()} in {call.deadline.timeout_ms} ms; {found}{more}"
    return StepFailedError(ErrorKind.ASSERTION, text)


def _counted(failed: list[Exchange]) -> str:
    return f"{len(failed)}: {', '.join(map(str, failed[:LISTED]))}" if failed else "none"


def _quoted(texts: list[str]) -> str:
    shown = "; ".join(repr(mask_confidential(shorten(text))) for text in texts[:LISTED])
    return f"{len(texts)}: {shown}" if texts else "none"
