"""Finding a step's element again on a changed page: candidates, the decision, a locator and a picture of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from playwright.async_api import Error, Locator, Page

from processors.browser.action_context import masks
from processors.browser.element_finder import look_at
from processors.browser.failures import is_closed, is_crash
from processors.browser.fingerprinting import Candidate, PageView, candidate_targets, candidates_of, frame_css, pick
from processors.browser.locators import locator_for
from processors.browser.protocol import ElementHints
from processors.healing.decision import Decision, HealAccepted, HealRefused, Reason, decide
from processors.healing.fingerprint import Fingerprint
from qa_queue.cases.targets import Target
from qa_queue.store.records import digest

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
SETTLED_MS = 150  # without a change of the document
SETTLE_MS = 1_000  # a page that never rests is taken as it is
_SETTLE = """([quiet, most]) => new Promise((done) => {
  let timer = setTimeout(done, quiet);
  const watch = new MutationObserver(() => { clearTimeout(timer); timer = setTimeout(done, quiet); });
  watch.observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
  setTimeout(done, most);
})"""


@dataclass(frozen=True)
class HealFinding:
    """The element that was taken for the sought one, and its locator.

    One that was refused for its new name alone is here too, with that decision: it may be proposed to people.
    """

    target: Target
    decision: HealAccepted | HealRefused
    new: Fingerprint
    runner_up: Fingerprint | None


@dataclass(frozen=True)
class Refusal:
    """The reason why no element was accepted, in words."""

    reason: str


async def settle(page: Page) -> None:
    """Wait until nothing has changed for a moment, in the main frame."""
    try:
        await page.evaluate(_SETTLE, [SETTLED_MS, SETTLE_MS])
    except Error as error:
        if is_closed(str(error)) or is_crash(str(error)):
            raise
        # The page is just being left: what is there now is looked at.


async def search(page: Page, view: PageView, hints: ElementHints, secrets: Sequence[str]) -> HealFinding | Refusal:
    """The element of a step among all that are there now, or why none of them is taken."""
    assert hints.old is not None
    candidates = await _candidates(page, view)
    prints = [candidate.fingerprint for candidate in candidates]
    decision = await asyncio.to_thread(decide, hints.old, prints, hints.others)
    index = _proposed(decision)
    if index is None:
        assert isinstance(decision, HealRefused)
        return Refusal(decision.reason.value)
    chosen = candidates[index]
    targets = await unique_targets(page, chosen, view, secrets)
    if any(digest(target.document()) in hints.rejected for target in targets):
        return Refusal("somebody rejected that element for this step")
    if not targets:
        return Refusal("no locator finds it alone")
    runner_up = None if decision.runner_up is None else prints[decision.runner_up]
    return HealFinding(targets[0], decision, chosen.fingerprint, runner_up)


def _proposed(decision: Decision) -> int | None:
    """The candidate that may be used, or at least shown to somebody."""
    if isinstance(decision, HealAccepted):
        return decision.index
    return decision.best if decision.reason is Reason.RENAMED else None


async def is_still(page: Page, view: PageView, hints: ElementHints, element: str) -> bool:
    """Return True if the element of this name (from `element_finder`) would be accepted for the stored one.

    If a person accepted its locator, a new name alone is not a doubt.
    """
    assert hints.old is not None
    candidates = await _candidates(page, view)
    decision = await asyncio.to_thread(decide, hints.old, [one.fingerprint for one in candidates], hints.others)
    index = _proposed(decision)
    if index is None or not (hints.accepted or isinstance(decision, HealAccepted)):
        return False
    picked = await pick(candidates[index], view)
    return picked is not None and picked.name == element


async def unique_targets(page: Page, chosen: Candidate, view: PageView, secrets: Sequence[str]) -> list[Target]:
    """Every locator that finds this candidate and nothing else on the page, the best first."""
    picked = await pick(chosen, view)
    if picked is None:
        return []
    frame = await _frame_target(chosen, view)
    ideas = [
        idea.model_copy(update={"frame": frame})
        for idea in candidate_targets(chosen.fingerprint, picked.css, picked.xpath)
        if not any(secret in text for secret in secrets if secret for text in map(str, idea.document().values()))
    ]
    looks = await asyncio.gather(*(look_at(locator_for(page, idea, view.test_id_attribute)) for idea in ideas))
    return [idea for idea, look in zip(ideas, looks, strict=True) if look.element == picked.name]


async def _candidates(page: Page, view: PageView) -> list[Candidate]:
    """Those of every frame; a frame that is just going has none."""
    found = await asyncio.gather(*(candidates_of(frame, view) for frame in page.frames), return_exceptions=True)
    for result in found:
        if isinstance(result, BaseException) and (not isinstance(result, Error) or is_closed(str(result))):
            raise result
    return [candidate for result in found if isinstance(result, list) for candidate in result]


async def _frame_target(chosen: Candidate, view: PageView) -> Target | None:
    """Return the target of a candidate's frame, with the frames around it; None in the page itself."""
    chain = []
    frame = chosen.frame
    while frame.parent_frame is not None:
        chain.append(await frame_css(frame, view))
        frame = frame.parent_frame
    target = None
    for css in reversed(chain):
        target = Target(css=css, frame=target)
    return target


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
