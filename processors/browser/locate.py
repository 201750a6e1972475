"""Which alternative of a target finds the element, within the step's time.

A target without fallbacks is left to Playwright, which waits for it by itself. With fallbacks all alternatives
are looked at again and again: the target's own words win as soon as they match exactly one element. Only after a
grace (1.5 s, at most 30 % of the step's time) may the first fallback that matches exactly one element win.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace

from playwright.async_api import Error, Locator

from processors.browser.failures import is_closed, is_crash
from processors.browsing import Found, Match
from qa_queue.cases.model import Target

GRACE_MS = 1_500
GRACE_SHARE = 0.3
POLL_S = (0.02, 0.05, 0.1)  # the last one repeats
FLOOR_MS = 200  # what an action gets at least, so that its error can say what is wrong
FOUND_FLOOR_MS = 1_000  # the same on an element that was found late: a step may overrun its time by so much
# Counts, and gives a single element a number of its own in its document, so that two looks can be compared.
_LOOK = """found => {
  if (found.length !== 1) return [found.length, null];
  const known = window[Symbol.for('qa-queue')] ??= {names: new WeakMap(), document: Math.random(), last: 0};
  if (!known.names.has(found[0])) known.names.set(found[0], `${known.document}:${++known.last}`);
  return [1, known.names.get(found[0])];
}"""


@dataclass(frozen=True)
class Deadline:
    """The time of one step; all figures in ms."""

    timeout_ms: int
    start: float = field(default_factory=time.monotonic)
    floor_ms: int = FLOOR_MS

    @property
    def spent_ms(self) -> float:
        """How long the step has run."""
        return (time.monotonic() - self.start) * 1000

    @property
    def left_ms(self) -> float:
        """What an action may still take; never 0, which means "for ever" to Playwright."""
        return max(self.floor_ms, self.timeout_ms - self.spent_ms)

    @property
    def over(self) -> bool:
        """Whether the time is used up."""
        return self.spent_ms >= self.timeout_ms

    def share(self, part: float) -> Deadline:
        """The first part of the same time."""
        return replace(self, timeout_ms=round(self.timeout_ms * part))

    @property
    def grace_over(self) -> bool:
        """Whether fallbacks may win now."""
        return self.spent_ms >= min(GRACE_MS, self.timeout_ms * GRACE_SHARE)


@dataclass(frozen=True)
class Look:
    """How many elements an alternative matches, and which one if it is one."""

    count: int
    element: str | None = None


def choose(counts: list[int], *, fallbacks: bool, learned: bool = False) -> int | None:
    """The index of the alternative that wins with these counts of elements, or None. Pure.

    A learned locator is the last alternative; it comes behind the target's own words but waits for no grace.
    """
    if counts[0] == 1:
        return 0
    if learned and counts[-1] == 1:
        return len(counts) - 1
    return counts.index(1) if fallbacks and 1 in counts else None


async def find(locators: list[Locator], deadline: Deadline, learned: Target | None = None) -> Found:
    """Look at the alternatives until one wins; at the end of the time the target's own words, which then fail.

    One round trip a round, however many alternatives there are: it tells the winner and how each of the others
    does at that moment, which is before the action, as that may leave the page. The last of the locators may be
    that of a `learned` target.
    """
    if len(locators) == 1:
        return Found()
    winner, rounds = None, 0
    looks: list[Look] = []
    while winner is None and not deadline.over:
        looks = await asyncio.gather(*map(look_at, locators))
        counts = [look.count for look in looks]
        winner = choose(counts, fallbacks=deadline.grace_over, learned=learned is not None)
        if winner is None:
            await asyncio.sleep(POLL_S[min(rounds, len(POLL_S) - 1)])
        rounds += 1
    return Found() if winner is None else Found(index=winner, matches=matches(looks, winner), learned=learned)


def matches(looks: list[Look], winner: int) -> tuple[Match, ...]:
    """How every alternative does beside the winner. Pure."""
    used = looks[winner].element
    return tuple(Match(count=look.count, same=look.element is not None and look.element == used) for look in looks)


async def look_at(locator: Locator) -> Look:
    """How many elements a locator finds now, and which one if it is one."""
    try:
        count, element = await locator.evaluate_all(_LOOK)
    except Error as error:
        if is_closed(str(error)) or is_crash(str(error)):
            raise
        return Look(count=0)  # the page is just navigating, or an alternative cannot be parsed
    return Look(count=count, element=element)
