"""Actions on the fields of forms, and keys."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Error

from processors.browser.action_context import ActionContext, Performed, performs
from processors.browser.failures import StepFailedError
from processors.browser.pointing import BY_LABEL, Attempt, label_of_hidden, position_of, reaching
from processors.browser.secret_input import DOTS, fill_secret
from qa_queue.cases.actions import Blur, CheckBox, Clear, Fill, Focus, Press, Select, Type, UncheckBox, Upload
from qa_queue.models import ErrorKind

UNCHECKED = frozenset({"", "0", "false", "no", "off"})  # values that clear a checkbox; any other sets it
_NO_TEXT_FIELD = ("is not an <input>", "cannot be filled")
_KIND_OF_FIELD = "element => element.tagName === 'SELECT' ? 'select' : element.type"


@performs(Fill)
async def fill(call: ActionContext[Fill]) -> None:
    """Set a field's value; recordings also "fill" lists, checkboxes and radio buttons."""
    if call.args.keep_checked and await _kind_of_field(call) in ("checkbox", "radio"):
        return
    if call.secrets:
        await fill_secret(call)
        return
    value = call.args.value
    await _hide_secret(call, value)
    try:
        await call.element.fill(value, force=call.args.force, timeout=call.left_ms)
    except Error as error:
        if not any(mark in str(error) for mark in _NO_TEXT_FIELD):
            raise
        await _set_other_field(call, value, error)


async def _set_other_field(call: ActionContext[Fill], value: str, refused: Error) -> None:
    match await _kind_of_field(call):
        case "select":
            await call.element.select_option(value, timeout=call.left_ms)
        case "checkbox":
            await call.element.set_checked(value.strip().lower() not in UNCHECKED, timeout=call.left_ms)
        case "radio":
            await call.element.check(timeout=call.left_ms)
        case _:
            raise refused


async def _kind_of_field(call: ActionContext[Fill]) -> str | None:
    kind: str | None = await call.element.evaluate(_KIND_OF_FIELD, timeout=call.left_ms)
    return kind


@performs(Clear)
async def clear(call: ActionContext[Clear]) -> None:
    """Remove the text of a field."""
    await call.element.clear(force=call.args.force, timeout=call.left_ms)


@performs(Type)
async def type_(call: ActionContext[Type]) -> None:
    """Press the keys of a text one by one."""
    if call.secrets:
        await fill_secret(call)
        return
    await _hide_secret(call, call.args.value)
    await call.element.press_sequentially(call.args.value, delay=call.args.delay_ms, timeout=call.left_ms)


async def _hide_secret(call: ActionContext[Fill] | ActionContext[Type], value: str) -> None:
    """Show dots in a field before a value goes in that contains a secret without naming it, as an input may."""
    if call.contains_secret(value):
        await call.element.evaluate(DOTS, timeout=call.left_ms)


@performs(Press)
async def press(call: ActionContext[Press]) -> None:
    """Press a key or chord, on an element or on the one that has the focus."""
    if call.locator is None:
        await call.page.keyboard.press(call.args.key, delay=call.args.delay_ms)
    else:
        await call.locator.press(call.args.key, delay=call.args.delay_ms, timeout=call.left_ms)


@performs(Focus)
async def focus(call: ActionContext[Focus]) -> None:
    """Give the element the focus."""
    await call.element.focus(timeout=call.left_ms)


@performs(Blur)
async def blur(call: ActionContext[Blur]) -> None:
    """Take the focus from the element."""
    await call.element.blur(timeout=call.left_ms)


@performs(CheckBox)
async def check(call: ActionContext[CheckBox]) -> Performed:
    """Set a checkbox or radio button."""
    return await _set_checked(call, checked=True)


@performs(UncheckBox)
async def uncheck(call: ActionContext[UncheckBox]) -> Performed:
    """Clear a checkbox."""
    return await _set_checked(call, checked=False)


async def _set_checked(call: ActionContext[Any], *, checked: bool) -> Performed:
    position = position_of(call.args.position)

    async def once(attempt: Attempt) -> None:
        if attempt.on is not call.element:
            await _through_label(call, attempt, checked=checked)
            return
        force, timeout = attempt.force, attempt.timeout
        await call.element.set_checked(checked, position=attempt.position, timeout=timeout, force=force)

    if call.args.force:
        await once(Attempt(call.element, call.left_ms, position, force=True))
        return Performed()
    if label := await label_of_hidden(call.element, call.deadline):
        return Performed.adapted_by(BY_LABEL if await _through_label(call, label, checked=checked) else None)
    return Performed.adapted_by(await reaching(call.element, once, call.deadline, position))


async def _through_label(call: ActionContext[Any], attempt: Attempt, *, checked: bool) -> bool:
    """Set a checkbox that is not shown by a click on its label; return False where its state is right already."""
    if await call.element.is_checked() is checked:
        return False
    await attempt.on.click(position=attempt.position, timeout=attempt.timeout)
    if await call.element.is_checked() is not checked:
        text = f"{call.subject} is not shown, and a click on its label did not change its state"
        raise StepFailedError(ErrorKind.NOT_ACTIONABLE, text, acted=True)
    return True


@performs(Select)
async def select(call: ActionContext[Select]) -> None:
    """Choose options of a list by value (which Playwright also compares with labels), by label, or by place."""
    args = call.args
    how: dict[str, Any] = {"force": args.force, "timeout": call.left_ms}
    if args.label is not None:
        await call.element.select_option(label=args.label, **how)
    elif args.index is not None:
        await call.element.select_option(index=args.index, **how)
    else:
        values = list(args.values) if args.value is None else [args.value]
        await call.element.select_option(values, **how)


@performs(Upload)
async def upload(call: ActionContext[Upload]) -> None:
    """Give files of the case's folder to a file input."""
    files = [call.case_file(name) for name in call.args.files]
    await call.element.set_input_files(files, timeout=call.left_ms)
