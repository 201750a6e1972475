"""Actions that answer or block the requests of pages."""

from __future__ import annotations

import asyncio
import json
import mimetypes
from typing import Any

from playwright.async_api import Request, Route

from processors.browser.action_context import ActionContext, performs
from processors.browser.failures import StepFailedError
from processors.browser.interception import Answer, Rule
from processors.browser.recording import MAX_BYTES, Recording
from qa_queue.cases.actions import BlockRequests, Mock, ReplayHar
from qa_queue.cases.actions.mocking import RouteAction
from qa_queue.models import ErrorKind


@performs(Mock)
async def mock(call: ActionContext[Mock]) -> None:
    """Answer requests with a fixed response, or fail them."""
    args, traffic = call.args, call.state.traffic
    if args.off is not None or args.url is None:
        await _end(call)
        return
    pattern = args.url

    def applies(request: Request) -> bool:
        return args.method in (None, request.method) and traffic.fits_url(pattern, request.url)

    await _begin(call, applies, _mocked(args, _response_of(call)), left=args.times)


def _mocked(args: Mock, response: dict[str, Any]) -> Answer:
    async def answer(route: Route) -> None:
        if args.delay_ms is not None:
            await asyncio.sleep(args.delay_ms / 1000)
        if args.abort is not None:
            await route.abort(args.abort)
        else:
            await route.fulfill(**response)

    return answer


def _response_of(call: ActionContext[Mock]) -> dict[str, Any]:
    args = call.args
    headers = {name.lower(): value for name, value in args.headers.items()}
    body: str | bytes = args.body or ""
    if args.json_body is not None:
        body = json.dumps(args.json_body)
        headers.setdefault("content-type", "application/json")
    if args.file is not None:
        path = call.case_file(args.file, "answer with")
        body = path.read_bytes()
        headers.setdefault("content-type", mimetypes.guess_type(path.name)[0] or "application/octet-stream")
    return {"status": args.status, "headers": headers, "body": body}


@performs(BlockRequests)
async def block(call: ActionContext[BlockRequests]) -> None:
    """Fail requests by URL or type."""
    args, traffic = call.args, call.state.traffic
    if args.off is not None:
        await _end(call)
        return

    def applies(request: Request) -> bool:
        if request.resource_type in (args.resources or ()):
            return True
        return any(traffic.fits_url(pattern, request.url) for pattern in args.urls or ())

    async def answer(route: Route) -> None:
        await route.abort("blockedbyclient")

    await _begin(call, applies, answer)


@performs(ReplayHar)
async def replay(call: ActionContext[ReplayHar]) -> None:
    """Answer requests from a recording."""
    args, traffic = call.args, call.state.traffic
    if args.off is not None or args.har is None:
        await _end(call)
        return
    recording = await asyncio.to_thread(_read, call, args.har)

    def applies(request: Request) -> bool:
        if args.url is not None and not traffic.fits_url(args.url, request.url):
            return False
        known = recording.find(request.method, request.url, request.post_data)
        return args.not_found == "abort" or known is not None

    async def answer(route: Route) -> None:
        request = route.request
        found = recording.find(request.method, request.url, request.post_data)
        if found is None:
            await route.abort("failed")
        else:
            await route.fulfill(status=found.status, headers=dict(found.headers), body=found.body)

    await _begin(call, applies, answer)


def _read(call: ActionContext[ReplayHar], name: str) -> Recording:
    path = call.case_file(name, "replay")
    if path.stat().st_size > MAX_BYTES:
        raise _unreadable(name, f"it has more than {MAX_BYTES // 1_000_000} MB")
    try:
        return Recording(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise _unreadable(name, str(error)) from None


def _unreadable(name: str, reason: str) -> StepFailedError:
    return StepFailedError(ErrorKind.INPUT, f"cannot replay {name!r}: {reason}")


async def _begin(call: ActionContext[Any], applies: Any, answer: Answer, left: int | None = None) -> None:
    args = call.args
    rule = Rule(kind=args.keyword, label=args.subject_text, applies=applies, answer=answer, left=left)
    await call.state.interception.add(rule)


async def _end(call: ActionContext[Any]) -> None:
    """End the rules that a step names.

    Raises:
        StepFailedError: there are none.
    """
    args: RouteAction = call.args
    label = None if args.off is True else str(args.off)
    interception = call.state.interception
    if not await interception.remove(args.keyword, label) and label is not None:
        active = ", ".join(map(repr, interception.labels(args.keyword))) or "none"
        text = f"{args.sentence()}: there is no {args.keyword} of {label!r}; active are {active}"
        raise StepFailedError(ErrorKind.INPUT, text)
