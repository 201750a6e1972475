"""Checks of how the page looks."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from functools import partial
from typing import Any

from processors.browser.action_context import ActionContext, Performed, checks
from processors.browser.element_finder import POLL_S
from processors.browser.failures import StepFailedError
from processors.browser.locators import locator_for
from processors.browser.pictures import PictureDifference, difference_of
from qa_queue.cases.checks.screenshots import ToHaveScreenshot
from qa_queue.errors import InputError
from qa_queue.models import ErrorKind
from qa_queue.models.results import BASELINE

Call = ActionContext[Any]
PICTURE_MS = 1_500  # for a picture that is taken at the end of the time


@checks(ToHaveScreenshot)
async def screenshot(call: Call, check: ToHaveScreenshot) -> Performed | None:
    """A picture like the baseline, taken until it is; or a new baseline."""
    file = f"{check.screenshot}-{call.options.use.channel or call.options.use.browser}-{sys.platform}.png"
    baseline = call.options.baselines.get(file)
    if baseline is None:
        return _without_baseline(call, file, await _settled(call, check))
    found, actual = await _compared(call, check, baseline)
    if (found is None) is not check.negate:
        return None
    if call.options.update_screenshots and not check.negate:
        return Performed(pictures={f"{BASELINE}{file}": actual}, notes=(f"the baseline {file} was renewed",))
    seen = "a picture that is alike" if found is None else found.text
    text = f"expected {check.expectation()} in {call.deadline.timeout_ms} ms, found {seen}"
    pictures = {} if found is None else _evidence(check, baseline, actual, found)
    raise StepFailedError(ErrorKind.ASSERTION, text, pictures=pictures)


def _without_baseline(call: Call, file: str, actual: bytes) -> Performed:
    pictures = {f"{BASELINE}{file}": actual}
    if call.options.update_screenshots:
        return Performed(pictures=pictures, notes=(f"the baseline {file} was written",))
    text = (
        f"there is no baseline {file}: look at this run's picture, which `qa-queue run FILE --wait` keeps as the "
        "baseline of the next run"
    )
    raise StepFailedError(ErrorKind.ASSERTION, text, pictures=pictures)


def _evidence(
    check: ToHaveScreenshot, baseline: bytes, actual: bytes, found: PictureDifference
) -> Mapping[str, bytes]:
    name = check.screenshot
    pictures = {f"{name}-expected": baseline, f"{name}-actual": actual}
    return pictures if found.image is None else pictures | {f"{name}-diff": found.image}


async def _compared(call: Call, check: ToHaveScreenshot, baseline: bytes) -> tuple[PictureDifference | None, bytes]:
    """Return the difference to the baseline as soon as it is small enough, or at the end of the time."""
    rounds = 0
    while True:
        actual = await _picture(call, check)
        try:
            found = await asyncio.to_thread(difference_of, baseline, actual, check.threshold)
        except InputError as error:
            raise StepFailedError(ErrorKind.INPUT, str(error)) from None
        if found is not None and found.pixels <= check.allowed_pixels(found.total):
            found = None
        if (found is None) is not check.negate or call.deadline.over:
            return found, actual
        await asyncio.sleep(POLL_S[min(rounds, len(POLL_S) - 1)])
        rounds += 1


async def _settled(call: Call, check: ToHaveScreenshot) -> bytes:
    """Return the first picture that is the same twice, or the last one in time."""
    before, rounds = await _picture(call, check), 0
    while not call.deadline.over:
        await asyncio.sleep(POLL_S[min(rounds, len(POLL_S) - 1)])
        now = await _picture(call, check)
        if now == before:
            break
        before, rounds = now, rounds + 1
    return before


async def _picture(call: Call, check: ToHaveScreenshot) -> bytes:
    find = partial(locator_for, call.page, test_id_attribute=call.options.test_id_attribute)
    how: dict[str, Any] = {
        "animations": "disabled",
        "caret": "hide",
        "scale": "css",
        "mask": [*call.masks, *map(find, check.mask)],
        "timeout": max(call.left_ms, PICTURE_MS),
    }
    if call.locator is not None:
        return await call.locator.screenshot(**how)
    return await call.page.screenshot(full_page=check.full_page, **how)
