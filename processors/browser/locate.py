"""Which alternative of a target finds the element, within the step's time.

A target without fallbacks is left to Playwright, which waits for it by itself. With fallbacks all alternatives
are looked at again and again: the target's own words win as soon as they match exactly one element. Only after a
grace (1.5 s, at most 30 % of the step's time) may the first fallback that matches exactly one element win.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from playwright.async_api import Error, Locator

from processors.browser.failures import is_closed, is_crash
from processors.browsing import Found, Match

GRACE_MS = 1_500
GRACE_SHARE = 0.3
POLL_S = (0.02, 0.05, 0.1)  # the last one repeats
FLOOR_MS = 200  # what an action gets at least, so that its error can say what is wrong with the element
_COUNT_AND_SAME = "(found, used) => [found.length, found.length === 1 && found[0] === used]"


@dataclass(frozen=True)
class Deadline:
    """The time of one step; all figures in ms."""

    timeout_ms: int
    start: float = field(default_factory=time.monotonic)

    @property
    def spent_ms(self) -> float:
        """How long the step has run."""
        return (time.monotonic() - self.start) * 1000

    @property
    def left_ms(self) -> float:
        """What an action may still take; never 0, which means "for ever" to Playwright."""
        return max(FLOOR_MS, self.timeout_ms - self.spent_ms)

    @property
    def over(self) -> bool:
        """Whether the time is used up."""
        return self.spent_ms >= self.timeout_ms

    @property
    def grace_over(self) -> bool:
        """Whether fallbacks may win now."""
        return self.spent_ms >= min(GRACE_MS, self.timeout_ms * GRACE_SHARE)


def choose(counts: list[int], *, fallbacks: bool) -> int | None:
    """The index of the alternative that wins with these counts of elements, or None. Pure."""
    if counts[0] == 1:
        return 0
    return counts.index(1) if fallbacks and 1 in counts else None


async def find(locators: list[Locator], deadline: Deadline) -> Found:
    """Look at the alternatives until one wins; at the end of the time the target's own words, which then fail."""
    if len(locators) == 1:
        return Found()
    winner, rounds = None, 0
    while winner is None and not deadline.over:
        counts = await asyncio.gather(*map(_count, locators))
        winner = choose(list(counts), fallbacks=deadline.grace_over)
        if winner is None:
            await asyncio.sleep(POLL_S[min(rounds, len(POLL_S) - 1)])
        rounds += 1
    return Found(index=winner or 0, matches=await _matches(locators, winner))


async def _count(locator: Locator) -> int:
    try:
        return await locator.count()
    except Error as error:
        if is_closed(str(error)) or is_crash(str(error)):
            raise
        return 0  # the page is just navigating, or an alternative cannot be parsed


async def _matches(locators: list[Locator], winner: int | None) -> tuple[Match, ...]:
    """How every alternative does at this moment, asked at once and before the action, which may leave the page."""
    if winner is None:
        return ()
    try:
        used = await locators[winner].element_handle(timeout=FLOOR_MS)
    except Error:
        return ()
    matches = await asyncio.gather(*(_match(locator, used) for locator in locators))
    await used.dispose()
    return tuple(matches)


async def _match(locator: Locator, used: object) -> Match:
    try:
        count, same = await locator.evaluate_all(_COUNT_AND_SAME, used)
    except Error:  # in another frame nothing can be the same element
        return Match(count=await _count(locator), same=False)
    return Match(count=count, same=same)
