"""Checks of an element."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from playwright.async_api import expect

from processors.browser.action_context import ActionContext, checks
from processors.browser.element_finder import POLL_S
from qa_queue.cases import checks as words
from qa_queue.cases.checks import Check
from qa_queue.cases.patterns import Regex, playwright_text

Call = ActionContext[Any]


async def _verify(call: Call, check: Check, name: str, *expected: Any, **options: Any) -> None:
    """Make one of Playwright's assertions, or its opposite."""
    assertion = getattr(expect(call.element), f"not_{name}" if check.negate else name)
    await assertion(*(_plain(value) for value in expected), **options, timeout=call.left_ms)


def _plain(value: Any) -> Any:
    """Return an expected value as Playwright takes it."""
    match value:
        case Regex():
            return playwright_text(value)
        case tuple():
            return [_plain(one) for one in value]
    return value


@checks(words.ToBeVisible)
async def visible(call: Call, check: words.ToBeVisible) -> None:
    """Shown, with a size and not hidden by style."""
    await expect(call.element).to_be_visible(visible=not check.negate, timeout=call.left_ms)


@checks(words.ToBeHidden)
async def hidden(call: Call, check: words.ToBeHidden) -> None:
    """Not shown, or absent."""
    await expect(call.element).to_be_visible(visible=check.negate, timeout=call.left_ms)


@checks(words.ToBeAttached)
async def attached(call: Call, check: words.ToBeAttached) -> None:
    """In the document."""
    await expect(call.element).to_be_attached(attached=not check.negate, timeout=call.left_ms)


@checks(words.ToBeInViewport)
async def in_viewport(call: Call, check: words.ToBeInViewport) -> None:
    """In the visible part of the page."""
    await _verify(call, check, "to_be_in_viewport", ratio=check.ratio)


@checks(words.ToHaveText)
async def text(call: Call, check: words.ToHaveText) -> None:
    """The whole text, white space folded."""
    await _verify(call, check, "to_have_text", check.text, ignore_case=check.ignore_case or None)


@checks(words.ToContainText)
async def contains_text(call: Call, check: words.ToContainText) -> None:
    """A part of the text, white space folded."""
    await _verify(call, check, "to_contain_text", check.contains_text, ignore_case=check.ignore_case or None)


@checks(words.ToBeEmpty)
async def empty(call: Call, check: words.ToBeEmpty) -> None:
    """No text and no content."""
    await _verify(call, check, "to_be_empty")


@checks(words.ToHaveValue)
async def value(call: Call, check: words.ToHaveValue) -> None:
    """The value of a field."""
    await _verify(call, check, "to_have_value", check.value)


@checks(words.ToHaveValues)
async def values(call: Call, check: words.ToHaveValues) -> None:
    """The values of the chosen options."""
    await _verify(call, check, "to_have_values", check.values)


@checks(words.ToHaveCount)
async def count(call: Call, check: words.ToHaveCount) -> None:
    """The number of elements that match."""
    if isinstance(check.count, int):
        await _verify(call, check, "to_have_count", check.count)
        return
    rounds = 0
    while check.count.allows(found := await call.element.count()) is check.negate:
        if call.deadline.over:
            raise AssertionError(f"\nActual value: {found} \nCall log:")
        await asyncio.sleep(POLL_S[min(rounds, len(POLL_S) - 1)])
        rounds += 1


@checks(words.ToBeChecked)
async def checked(call: Call, check: words.ToBeChecked) -> None:
    """The mark of a checkbox, radio button or switch."""
    if not check.indeterminate:
        await expect(call.element).to_be_checked(checked=not check.negate, timeout=call.left_ms)
    elif check.negate:
        await _verify(call, check, "to_have_js_property", "indeterminate", True)
    else:
        await expect(call.element).to_be_checked(indeterminate=True, timeout=call.left_ms)


@checks(words.ToBeEnabled)
async def enabled(call: Call, check: words.ToBeEnabled) -> None:
    """Ready to be used."""
    await expect(call.element).to_be_enabled(enabled=not check.negate, timeout=call.left_ms)


@checks(words.ToBeDisabled)
async def disabled(call: Call, check: words.ToBeDisabled) -> None:
    """Not ready to be used."""
    await expect(call.element).to_be_enabled(enabled=check.negate, timeout=call.left_ms)


@checks(words.ToBeEditable)
async def editable(call: Call, check: words.ToBeEditable) -> None:
    """Enabled and not read-only."""
    await expect(call.element).to_be_editable(editable=not check.negate, timeout=call.left_ms)


@checks(words.ToBeFocused)
async def focused(call: Call, check: words.ToBeFocused) -> None:
    """The element that keys go to."""
    await _verify(call, check, "to_be_focused")


@checks(words.ToHaveAttribute)
async def attribute(call: Call, check: words.ToHaveAttribute) -> None:
    """An attribute, with a value or with any."""
    if isinstance(check.attribute, str):
        await _verify(call, check, "to_have_attribute", check.attribute)
        return
    ((name, wanted),) = check.attribute.items()
    await _verify(call, check, "to_have_attribute", name, wanted, ignore_case=check.ignore_case or None)


@checks(words.ToHaveClass)
async def class_(call: Call, check: words.ToHaveClass) -> None:
    """The class attribute as a whole."""
    await _verify(call, check, "to_have_class", check.class_)


@checks(words.ToContainClass)
async def contains_class(call: Call, check: words.ToContainClass) -> None:
    """Classes among others."""
    await _verify(call, check, "to_contain_class", check.contains_class)


@checks(words.ToHaveCSS)
async def css(call: Call, check: words.ToHaveCSS) -> None:
    """A property of the computed style."""
    ((name, wanted),) = check.css.items()
    await _verify(call, check, "to_have_css", name, wanted, pseudo=check.pseudo)


@checks(words.ToHaveJSProperty)
async def property_(call: Call, check: words.ToHaveJSProperty) -> None:
    """A property of the DOM object."""
    ((name, wanted),) = check.property_.items()
    await _verify(call, check, "to_have_js_property", name, wanted)


@checks(words.ToHaveId)
async def id_(call: Call, check: words.ToHaveId) -> None:
    """The id."""
    await _verify(call, check, "to_have_id", check.id)


@checks(words.ToHaveRole)
async def role(call: Call, check: words.ToHaveRole) -> None:
    """The ARIA role."""
    await _verify(call, check, "to_have_role", check.role)


@checks(words.ToHaveAccessibleName)
async def accessible_name(call: Call, check: words.ToHaveAccessibleName) -> None:
    """The accessible name."""
    options = {"ignore_case": check.ignore_case or None}
    await _verify(call, check, "to_have_accessible_name", check.accessible_name, **options)


@checks(words.ToHaveAccessibleDescription)
async def accessible_description(call: Call, check: words.ToHaveAccessibleDescription) -> None:
    """The accessible description."""
    options = {"ignore_case": check.ignore_case or None}
    await _verify(call, check, "to_have_accessible_description", check.accessible_description, **options)


@checks(words.ToMatchAriaSnapshot)
async def aria_snapshot(call: Call, check: words.ToMatchAriaSnapshot) -> None:
    """The tree of roles and names."""
    element = call.locator if call.locator is not None else call.page.locator("body")
    await _verify(replace(call, locator=element), check, "to_match_aria_snapshot", check.aria_snapshot)
