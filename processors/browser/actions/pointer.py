"""Actions of the mouse."""

from __future__ import annotations

from playwright.async_api import Position

from processors.browser.action_context import ActionContext, performs
from qa_queue.cases.actions import Click, DoubleClick, Hover


@performs(Click)
async def click(call: ActionContext[Click]) -> None:
    """Click once."""
    await call.element.click(button=call.args.button, position=_position(call.args), timeout=call.left_ms)


@performs(DoubleClick)
async def dblclick(call: ActionContext[DoubleClick]) -> None:
    """Click twice."""
    await call.element.dblclick(button=call.args.button, position=_position(call.args), timeout=call.left_ms)


def _position(args: Click) -> Position | None:
    return Position(x=args.position[0], y=args.position[1]) if args.position else None


@performs(Hover)
async def hover(call: ActionContext[Hover]) -> None:
    """Move the pointer over the element."""
    await call.element.hover(timeout=call.left_ms)
