"""What each action of the case format does to the page: one coroutine each, in one table."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal, cast

from playwright.async_api import Error, Position
from playwright.async_api import TimeoutError as WaitTimeoutError

from processors.browser import assertions
from processors.browser.action_context import ActionContext
from processors.browser.failures import StepFailedError, is_closed, is_crash, navigation
from qa_queue.cases import model
from qa_queue.cases.urls import web_url
from qa_queue.errors import InputError
from qa_queue.models import ErrorKind

Action = Callable[[ActionContext], Awaitable[bytes | None]]
UNCHECKED = frozenset({"", "0", "false", "no", "off"})  # values that take a checkbox's mark away; any other sets it
_NO_TEXT_FIELD = ("is not an <input>", "cannot be filled")
_DOTS = "element => element.style.setProperty('-webkit-text-security', 'disc', 'important')"
_KIND_OF_FIELD = "element => element.tagName === 'SELECT' ? 'select' : element.type"


async def goto(call: ActionContext) -> None:
    """Open a page and wait for its load event."""
    args = cast(model.Goto, call.args)
    try:
        url = web_url(args.url, call.options.base_url)
    except InputError as error:
        raise StepFailedError(ErrorKind.INPUT, str(error)) from None
    try:
        await call.page.goto(url, timeout=call.left_ms)
    except Error as error:
        text = str(error)
        if is_closed(text) or is_crash(text):
            raise
        raise navigation(text, url=url, timeout_ms=call.deadline.timeout_ms) from None


async def click(call: ActionContext) -> None:
    """Click once."""
    args = cast(model.Click, call.args)
    await call.element.click(button=args.button, position=_position(args), timeout=call.left_ms)


async def dblclick(call: ActionContext) -> None:
    """Click twice."""
    args = cast(model.Click, call.args)
    await call.element.dblclick(button=args.button, position=_position(args), timeout=call.left_ms)


def _position(args: model.Click) -> Position | None:
    return Position(x=args.position[0], y=args.position[1]) if args.position else None


async def hover(call: ActionContext) -> None:
    """Move the pointer over the element."""
    await call.element.hover(timeout=call.left_ms)


async def fill(call: ActionContext) -> None:
    """Set a field's value; recordings also "fill" lists, checkboxes and radio buttons, which are set then."""
    value = cast(model.Fill, call.args).value
    await _hide_secret(call, value)
    try:
        await call.element.fill(value, timeout=call.left_ms)
    except Error as error:
        if not any(mark in str(error) for mark in _NO_TEXT_FIELD):
            raise
        await _set_other_field(call, value, error)


async def _set_other_field(call: ActionContext, value: str, refused: Error) -> None:
    match await call.element.evaluate(_KIND_OF_FIELD, timeout=call.left_ms):
        case "select":
            await call.element.select_option(value, timeout=call.left_ms)
        case "checkbox":
            await call.element.set_checked(value.strip().lower() not in UNCHECKED, timeout=call.left_ms)
        case "radio":
            await call.element.check(timeout=call.left_ms)
        case _:
            raise refused


async def type_(call: ActionContext) -> None:
    """Press the keys of a text one by one."""
    value = cast(model.Fill, call.args).value
    await _hide_secret(call, value)
    await call.element.press_sequentially(value, timeout=call.left_ms)


async def _hide_secret(call: ActionContext, value: str) -> None:
    """Show dots in a field before a secret goes in, so that no picture and no film ever has it."""
    if call.secret(value):
        await call.element.evaluate(_DOTS, timeout=call.left_ms)


async def press(call: ActionContext) -> None:
    """Press a key or chord, on an element or on whatever has the focus."""
    args = cast(model.Press, call.args)
    if call.locator is None:
        await call.page.keyboard.press(args.key)
    else:
        await call.locator.press(args.key, timeout=call.left_ms)


async def check(call: ActionContext) -> None:
    """Set a checkbox or radio button."""
    await call.element.check(timeout=call.left_ms)


async def uncheck(call: ActionContext) -> None:
    """Clear a checkbox."""
    await call.element.uncheck(timeout=call.left_ms)


async def select(call: ActionContext) -> None:
    """Choose options of a list, by value (which Playwright also compares with labels), or by label alone."""
    args = cast(model.Select, call.args)
    if args.label is not None:
        await call.element.select_option(label=args.label, timeout=call.left_ms)
    else:
        values = list(args.values) if args.value is None else [args.value]
        await call.element.select_option(values, timeout=call.left_ms)


async def upload(call: ActionContext) -> None:
    """Give files of the case's folder to a file input."""
    names = cast(model.Upload, call.args).files
    files = [_uploaded(name, call.options.upload_root) for name in names]
    await call.element.set_input_files(files, timeout=call.left_ms)


def _uploaded(name: str, root: Path | None) -> Path:
    """Return the file to upload, symbolic links followed.

    Hidden files are refused wherever they are: the folder of a case may hold the service's own `.env` and `.qa`.
    """
    if root is None:
        raise StepFailedError(
            ErrorKind.INPUT, f"cannot upload {name!r}: this case has no folder with files; run it from its file"
        )
    folder = root.resolve()
    file = (folder / name).resolve()
    if not file.is_relative_to(folder) or any(part.startswith(".") for part in file.relative_to(folder).parts):
        raise StepFailedError(
            ErrorKind.INPUT,
            f"cannot upload {name!r}: only files in the folder of the case, {folder}, that are not hidden",
        )
    if not file.is_file() or not os.access(file, os.R_OK):
        raise StepFailedError(ErrorKind.INPUT, f"the file to upload cannot be read: {name} (looked for at {file})")
    return file


async def wait_for(call: ActionContext) -> None:
    """Wait for each thing that is asked for: an element's state or count, a URL, a load state."""
    args = cast(model.WaitFor, call.args)
    if args.count is not None:
        await _wait_until("count", call, args.count)
    elif call.locator is not None:
        await _wait_for_state(call, args.state)
    if args.url is not None:
        await _wait_until("url", call, args.url)
    if args.load_state is not None:
        await call.page.wait_for_load_state(args.load_state, timeout=call.left_ms)


async def _wait_until(check_name: str, call: ActionContext, wanted: object) -> None:
    try:
        await assertions.CHECKS[check_name](call, wanted, False)
    except AssertionError as error:
        expected = assertions.expectation(check_name, wanted, negate=False)
        raise assertions.failed(call, str(error), f"waited for {expected}", ErrorKind.TIMEOUT) from None


async def _wait_for_state(call: ActionContext, state: Literal["visible", "hidden", "attached", "detached"]) -> None:
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


async def screenshot(call: ActionContext) -> bytes:
    """Take a picture of the page or of one element."""
    args = cast(model.Screenshot, call.args)
    if call.locator is not None:
        return await call.locator.screenshot(timeout=call.left_ms, mask=call.masks)
    return await call.page.screenshot(full_page=args.full_page, timeout=call.left_ms, mask=call.masks)


async def set_viewport(call: ActionContext) -> None:
    """Change the size of the page."""
    args = cast(model.SetViewport, call.args)
    await call.page.set_viewport_size({"width": args.width, "height": args.height})


async def expect_(call: ActionContext) -> None:
    """Check one thing until it holds."""
    await assertions.check(call)


ACTIONS: dict[str, Action] = {
    "goto": goto,
    "click": click,
    "dblclick": dblclick,
    "hover": hover,
    "fill": fill,
    "type": type_,
    "press": press,
    "check": check,
    "uncheck": uncheck,
    "select": select,
    "upload": upload,
    "wait_for": wait_for,
    "screenshot": screenshot,
    "set_viewport": set_viewport,
    "expect": expect_,
}
