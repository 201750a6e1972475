"""Actions of the mouse."""

from __future__ import annotations

from playwright.async_api import Position

from processors.browser.action_context import ActionContext, performs
from processors.browser.recorded_point import recorded_point
from qa_queue.cases.actions import Click, DoubleClick, Hover


@performs(Click)
async def click(call: ActionContext[Click]) -> None:
    """Click once."""
    position = await _position(call)
    await call.element.click(button=call.args.button, position=position, timeout=call.left_ms)


@performs(DoubleClick)
async def dblclick(call: ActionContext[DoubleClick]) -> None:
    """Click twice."""
    position = await _position(call)
    await call.element.dblclick(button=call.args.button, position=position, timeout=call.left_ms)


async def _position(call: ActionContext[Click] | ActionContext[DoubleClick]) -> Position | None:
    if call.args.position:
        return Position(x=call.args.position[0], y=call.args.position[1])
    return await _recorded(call)


async def _recorded(
    call: ActionContext[Click] | ActionContext[DoubleClick] | ActionContext[Hover],
) -> Position | None:
    if call.args.recorded_at is None:
        return None
    return await recorded_point(call.element, call.args.recorded_at, subject=call.subject, timeout_ms=call.left_ms)


@performs(Hover)
async def hover(call: ActionContext[Hover]) -> None:
    """Move the pointer over the element."""
    await call.element.hover(position=await _recorded(call), timeout=call.left_ms)
