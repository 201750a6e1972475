"""Actions on the page as a whole, and waiting."""

from __future__ import annotations

from playwright.async_api import TimeoutError as WaitTimeoutError

from processors.browser.action_context import ActionContext, Performed, performs
from processors.browser.checks import make
from processors.browser.failures import StepFailedError
from qa_queue.cases.actions import Screenshot, SetViewport, WaitFor
from qa_queue.cases.checks import ToHaveCount, ToHaveURL
from qa_queue.models import ErrorKind


@performs(WaitFor)
async def wait_for(call: ActionContext[WaitFor]) -> None:
    """Wait for each thing that is asked for: an element's state or count, a URL, a load state."""
    args = call.args
    if args.count is not None:
        await make(call, ToHaveCount(target=args.target, count=args.count), waiting=True)
    elif call.locator is not None:
        await _wait_for_state(call)
    if args.url is not None:
        await make(call, ToHaveURL(url=args.url), waiting=True)
    if args.load_state is not None:
        await call.page.wait_for_load_state(args.load_state, timeout=call.left_ms)


async def _wait_for_state(call: ActionContext[WaitFor]) -> None:
    state = call.args.state
    try:
        await call.element.wait_for(state=state, timeout=call.left_ms)
    except WaitTimeoutError as error:
        if "locator resolved to" not in str(error):
            raise
        now = "there" if state == "detached" else "visible" if state == "hidden" else "hidden"
        raise StepFailedError(
            ErrorKind.TIMEOUT,
            f"waited {call.deadline.timeout_ms} ms for {call.subject} to be {state}, it is still {now}",
        ) from None


@performs(Screenshot)
async def screenshot(call: ActionContext[Screenshot]) -> Performed:
    """Take a picture of the page or of one element."""
    if call.locator is not None:
        return Performed(picture=await call.locator.screenshot(timeout=call.left_ms, mask=call.masks))
    full_page = call.args.full_page
    return Performed(picture=await call.page.screenshot(full_page=full_page, timeout=call.left_ms, mask=call.masks))


@performs(SetViewport)
async def set_viewport(call: ActionContext[SetViewport]) -> None:
    """Change the size of the page."""
    await call.page.set_viewport_size({"width": call.args.width, "height": call.args.height})
