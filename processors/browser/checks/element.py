"""Checks of an element."""

from __future__ import annotations

from typing import Any

from playwright.async_api import expect

from processors.browser.action_context import ActionContext, checks
from qa_queue.cases.checks import (
    ToBeChecked,
    ToBeDisabled,
    ToBeEnabled,
    ToBeHidden,
    ToBeVisible,
    ToContainText,
    ToHaveCount,
    ToHaveText,
    ToHaveValue,
)

Call = ActionContext[Any]


@checks(ToBeVisible)
async def visible(call: Call, check: ToBeVisible) -> None:
    """Shown, with a size and not hidden by style."""
    await expect(call.element).to_be_visible(visible=not check.negate, timeout=call.left_ms)


@checks(ToBeHidden)
async def hidden(call: Call, check: ToBeHidden) -> None:
    """Not shown, or absent."""
    await expect(call.element).to_be_visible(visible=check.negate, timeout=call.left_ms)


@checks(ToHaveText)
async def text(call: Call, check: ToHaveText) -> None:
    """The whole text, white space folded."""
    it = expect(call.element)
    await (it.not_to_have_text if check.negate else it.to_have_text)(check.text, timeout=call.left_ms)


@checks(ToContainText)
async def contains_text(call: Call, check: ToContainText) -> None:
    """A part of the text, white space folded."""
    it = expect(call.element)
    verify = it.not_to_contain_text if check.negate else it.to_contain_text
    await verify(check.contains_text, timeout=call.left_ms)


@checks(ToHaveValue)
async def value(call: Call, check: ToHaveValue) -> None:
    """The value of a field."""
    it = expect(call.element)
    await (it.not_to_have_value if check.negate else it.to_have_value)(check.value, timeout=call.left_ms)


@checks(ToHaveCount)
async def count(call: Call, check: ToHaveCount) -> None:
    """The number of elements that match."""
    it = expect(call.element)
    await (it.not_to_have_count if check.negate else it.to_have_count)(check.count, timeout=call.left_ms)


@checks(ToBeChecked)
async def checked(call: Call, check: ToBeChecked) -> None:
    """The mark of a checkbox, radio button or switch."""
    await expect(call.element).to_be_checked(checked=not check.negate, timeout=call.left_ms)


@checks(ToBeEnabled)
async def enabled(call: Call, check: ToBeEnabled) -> None:
    """Ready to be used."""
    await expect(call.element).to_be_enabled(enabled=not check.negate, timeout=call.left_ms)


@checks(ToBeDisabled)
async def disabled(call: Call, check: ToBeDisabled) -> None:
    """Not ready to be used."""
    await expect(call.element).to_be_enabled(enabled=check.negate, timeout=call.left_ms)
