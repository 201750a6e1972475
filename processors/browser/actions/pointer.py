"""Actions of the mouse."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Error, Position

from processors.browser.action_context import ActionContext, performs
from processors.browser.failures import StepFailedError
from processors.browser.recorded_point import recorded_point
from qa_queue.cases.actions import Click, DoubleClick, Hover, PointerAction, RightClick, Tap
from qa_queue.models import ErrorKind


@performs(Click)
async def click(call: ActionContext[Click]) -> None:
    """Click once, or as often as asked."""
    args = call.args
    how = await _how(call)
    await call.element.click(button=args.button, delay=args.delay_ms, click_count=args.click_count, **how)


@performs(DoubleClick)
async def dblclick(call: ActionContext[DoubleClick]) -> None:
    """Click twice."""
    how = await _how(call)
    await call.element.dblclick(button=call.args.button, delay=call.args.delay_ms, **how)


@performs(RightClick)
async def right_click(call: ActionContext[RightClick]) -> None:
    """Click with the right button."""
    await call.element.click(button="right", **await _how(call))


@performs(Hover)
async def hover(call: ActionContext[Hover]) -> None:
    """Move the pointer over the element."""
    await call.element.hover(**await _how(call))


@performs(Tap)
async def tap(call: ActionContext[Tap]) -> None:
    """Touch the element for a moment."""
    try:
        await call.element.tap(**await _how(call))
    except Error as error:
        if "does not support tap" not in str(error):
            raise
        problem = "the page has no touch: give the case a device with it, as use: {device: iPhone 15}"
        raise StepFailedError(ErrorKind.INPUT, problem) from None


async def _how(call: ActionContext[Any]) -> dict[str, Any]:
    """Return the options that every action of the pointer has."""
    args: PointerAction = call.args
    position = await _position(call)
    return {
        "position": position,
        "modifiers": list(args.modifiers),
        "force": args.force,
        "timeout": call.left_ms,
    }


async def _position(call: ActionContext[Any]) -> Position | None:
    args: PointerAction = call.args
    if args.position:
        return Position(x=args.position[0], y=args.position[1])
    if args.recorded_at is None:
        return None
    return await recorded_point(call.element, args.recorded_at, subject=call.subject, timeout_ms=call.left_ms)
