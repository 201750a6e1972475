"""Pictures of the page with one element marked."""

from __future__ import annotations

from playwright.async_api import Error, Locator, Page

from processors.browser.action_context import masks

PICTURE_TIMEOUT_MS = 3_000
_MARK = """element => {
  const known = window[Symbol.for('qa-queue')] ??= {names: new WeakMap(), document: Math.random(), last: 0};
  known.marked = [element, element.getAttribute('style')];
  element.style.setProperty('outline', '4px solid #e6007e', 'important');
  element.style.setProperty('outline-offset', '2px', 'important');
}"""
_UNMARK = """element => {
  const [marked, style] = window[Symbol.for('qa-queue')].marked ?? [];
  if (marked) style === null ? marked.removeAttribute('style') : marked.setAttribute('style', style);
}"""


async def marked_picture(page: Page, locator: Locator, secrets: tuple[str, ...]) -> bytes | None:
    """The page as PNG, with the element outlined where it is still there; None where no picture can be taken."""
    try:
        marked = await _mark(locator, _MARK)
        picture = await page.screenshot(timeout=PICTURE_TIMEOUT_MS, mask=masks(page, secrets))
        if marked:
            await _mark(locator, _UNMARK)
    except Error:
        return None  # the page is being left: a heal does not fail for want of a picture
    return picture


async def _mark(locator: Locator, script: str) -> bool:
    elements = await locator.element_handles()
    if len(elements) == 1:
        await elements[0].evaluate(script)
    return len(elements) == 1
