"""Actions of the mouse."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Error, Position
from playwright.async_api import TimeoutError as WaitTimeoutError

from processors.browser.action_context import ActionContext, Performed, performs
from processors.browser.failures import StepFailedError, explain
from processors.browser.locators import locator_for
from processors.browser.pointing import BY_LABEL, Attempt, label_of_hidden, position_of, reaching, recorded_point
from qa_queue.cases.actions import (
    Click,
    DoubleClick,
    Drag,
    Hover,
    Mouse,
    PointerAction,
    RightClick,
    Scroll,
    Tap,
)
from qa_queue.models import ErrorKind


@performs(Click)
async def click(call: ActionContext[Click]) -> Performed:
    """Click once, or as often as asked."""
    args = call.args
    own: dict[str, Any] = {"button": args.button, "delay": args.delay_ms, "click_count": args.click_count}
    return await _act(call, "click", **own)


@performs(DoubleClick)
async def dblclick(call: ActionContext[DoubleClick]) -> Performed:
    """Click twice."""
    return await _act(call, "dblclick", button=call.args.button, delay=call.args.delay_ms)


@performs(RightClick)
async def right_click(call: ActionContext[RightClick]) -> Performed:
    """Click with the right button."""
    return await _act(call, "click", button="right")


@performs(Hover)
async def hover(call: ActionContext[Hover]) -> Performed:
    """Move the pointer over the element."""
    return await _act(call, "hover")


async def _act(call: ActionContext[Any], method: str, **own: Any) -> Performed:
    """Act on the element by a method of Playwright, or on the ancestor or label that its point belongs to."""
    modifiers = list(call.args.modifiers)

    async def once(attempt: Attempt) -> None:
        how = {"position": attempt.position, "timeout": attempt.timeout, "force": attempt.force}
        await getattr(attempt.on, method)(**own, **how, modifiers=modifiers)

    if call.args.recorded_at and (label := await label_of_hidden(call.element, call.deadline)):
        await once(label)
        return Performed.adapted_by(BY_LABEL)
    position = await _position(call)
    if call.args.force:
        await once(Attempt(call.element, call.left_ms, position, force=True))
        return Performed()
    return Performed.adapted_by(await reaching(call.element, once, call.deadline, position))


@performs(Tap)
async def tap(call: ActionContext[Tap]) -> None:
    """Touch the element for a moment."""
    try:
        await call.element.tap(
            position=await _position(call),
            modifiers=list(call.args.modifiers),
            force=call.args.force,
            timeout=call.left_ms,
        )
    except Error as error:
        if "does not support tap" not in str(error):
            raise
        problem = "the page has no touch: give the case a device with it, as use: {device: iPhone 15}"
        raise StepFailedError(ErrorKind.INPUT, problem) from None


@performs(Drag)
async def drag(call: ActionContext[Drag]) -> None:
    """Press the button on the element, move to the other one and release it."""
    args = call.args
    place = locator_for(call.page, args.to, call.options.test_id_attribute)
    try:
        await place.wait_for(state="attached", timeout=call.left_ms)
    except Error as error:
        raise explain(str(error), subject=str(args.to), timeout_ms=call.deadline.timeout_ms) from None
    await call.element.drag_to(
        place,
        source_position=position_of(args.position),
        target_position=position_of(args.to_position),
        force=args.force,
        timeout=call.left_ms,
    )


async def _position(call: ActionContext[Any]) -> Position | None:
    args: PointerAction = call.args
    if args.position or args.recorded_at is None:
        return position_of(args.position)
    return await recorded_point(call.element, args.recorded_at, subject=call.subject, timeout_ms=call.left_ms)


@performs(Mouse)
async def mouse(call: ActionContext[Mouse]) -> None:
    """Use the mouse at a point, or where it is."""
    args, it = call.args, call.page.mouse
    if args.down or args.up:
        await (it.down if args.down else it.up)(button=args.button)
    elif args.wheel is not None:
        await it.wheel(*args.wheel)
    else:
        left, top = await _corner(call)
        x, y = args.move or args.click or args.dblclick or (0, 0)
        if args.move is not None:
            await it.move(left + x, top + y, steps=args.moves)
        else:
            act = it.click if args.click is not None else it.dblclick
            await act(left + x, top + y, button=args.button)


async def _corner(call: ActionContext[Mouse]) -> tuple[float, float]:
    """Return the point of the page from which points count."""
    if call.locator is None:
        return 0, 0
    try:
        await call.locator.scroll_into_view_if_needed(timeout=call.left_ms)
    except WaitTimeoutError:
        if not await call.locator.count():
            raise
        box = None
    else:
        box = await call.locator.bounding_box(timeout=call.left_ms)
    if box is None:
        text = f"{call.subject} was not visible in {call.deadline.timeout_ms} ms"
        raise StepFailedError(ErrorKind.NOT_ACTIONABLE, text) from None
    return box["x"], box["y"]


GROWTH_MS = 1_000  # for a list to load more when it is scrolled to its end
_SCROLL = """async (element, {to, by, growth, left}) => {
  const page = !element || element === document.documentElement || element === document.body;
  const box = page ? document.scrollingElement : element;
  const end = performance.now() + left;
  const [x, y] = to ?? [box.scrollLeft + by[0], box.scrollTop + by[1]];
  for (let height = -1; ;) {
    box.scrollTo({left: x, top: y, behavior: 'instant'});
    const there = box.scrollTop >= y - 1;
    if (there || !to) return [box.scrollLeft, box.scrollTop];
    height = box.scrollHeight;
    for (const stop = Math.min(end, performance.now() + growth); box.scrollHeight <= height; ) {
      if (performance.now() > stop) return [box.scrollLeft, box.scrollTop];
      await new Promise(resolve => setTimeout(resolve, 20));
    }
  }
}"""


@performs(Scroll)
async def scroll(call: ActionContext[Scroll]) -> Performed:
    """Scroll into view, or to a place that may come into being by scrolling."""
    args = call.args
    if args.to is None and args.by is None:
        await call.element.scroll_into_view_if_needed(timeout=call.left_ms)
        return Performed()
    how = {"to": args.to, "by": args.by, "growth": GROWTH_MS, "left": call.left_ms}
    if call.locator is None:
        _, top = await call.page.evaluate(f"how => ({_SCROLL})(null, how)", how)
    else:
        _, top = await call.locator.evaluate(_SCROLL, how, timeout=call.left_ms)
    short = args.to is not None and top < args.to[1] - 1
    return Performed(notes=(f"scrolled down to {top:g} px, where {call.subject} ends",) if short else ())
