"""Find an element by one of the alternatives of its target, within the step's time.

A target without fallbacks is left to Playwright, which waits for it. With fallbacks all alternatives are polled:
the target's own words win as soon as they match exactly one element. Only after a grace (1.5 s, at most 30 % of
the step's time) may the first fallback that matches exactly one element win.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace

from playwright.async_api import Error, Locator

from processors.browser.failures import is_closed, is_crash
from processors.browser.protocol import Found, Match
from qa_queue.cases.targets import Target

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
        """The time since the step began."""
        return (time.monotonic() - self.start) * 1000

    @property
    def left_ms(self) -> float:
        """The time left for an action; never 0, which means no limit to Playwright."""
        return max(self.floor_ms, self.timeout_ms - self.spent_ms)

    @property
    def over(self) -> bool:
        """True if the time is used up."""
        return self.spent_ms >= self.timeout_ms

    def share(self, part: float) -> Deadline:
        """The first part of the same time."""
        return replace(self, timeout_ms=round(self.timeout_ms * part))

    @property
    def grace_over(self) -> bool:
        """True if fallbacks may win now."""
        return self.spent_ms >= min(GRACE_MS, self.timeout_ms * GRACE_SHARE)


@dataclass(frozen=True)
class Observation:
    """The number of elements that an alternative matches, and the name of a single one."""

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


async def find(
    locators: list[Locator], deadline: Deadline, learned: Target | None = None, *, framed: bool = False
) -> Found:
    """Look at the alternatives until one wins; at the end of the time the target's own words, which then fail.

    One round trip a round, however many alternatives there are, and one more that tells how each of the others does
    beside the winner; that is before the action, as that may leave the page. The last of the locators may be that
    of a `learned` target. `framed` says that at least one leads into a frame.
    """
    if len(locators) == 1:
        return Found()
    winner, rounds = None, 0
    counts: list[int] = []
    while winner is None and not deadline.over:
        counts = await asyncio.gather(*map(count, locators))
        winner = choose(counts, fallbacks=deadline.grace_over, learned=learned is not None)
        if winner is None:
            await asyncio.sleep(POLL_S[min(rounds, len(POLL_S) - 1)])
        rounds += 1
    if winner is None:
        return Found()
    used, compare = locators[winner], _same_by_name if framed else _same

    async def is_used(locator: Locator, number: int) -> bool:
        return number == 1 and (locator is used or await compare(used, locator))

    same = await asyncio.gather(*map(is_used, locators, counts))
    matches = tuple(Match(count=number, same=one) for number, one in zip(counts, same, strict=True))
    return Found(index=winner, matches=matches, learned=learned)


async def count(locator: Locator) -> int:
    """Return the number of elements that a locator finds now; 0 during navigation or if it cannot be parsed.

    Asked in Playwright's own world of the page. `look_at` asks in the page's, to which Playwright first has to
    bring all of its script, at 30 to 60 ms of a browser's CPU for each document.
    """
    try:
        return await locator.count()
    except Error as error:
        if is_closed(str(error)) or is_crash(str(error)):
            raise
        return 0


async def _same(one: Locator, other: Locator) -> bool:
    """Return True if two locators that find one element each find the same one."""
    return await count(one.and_(other)) == 1


async def _same_by_name(one: Locator, other: Locator) -> bool:
    """As `_same`, also across frames, where Playwright joins no locators."""
    looks = await asyncio.gather(look_at(one), look_at(other))
    return looks[0].element is not None and looks[0].element == looks[1].element


async def look_at(locator: Locator) -> Observation:
    """Return the number of elements that a locator finds now, and the name of a single one."""
    try:
        number, element = await locator.evaluate_all(_LOOK)
    except Error as error:
        if is_closed(str(error)) or is_crash(str(error)):
            raise
        return Observation(count=0)  # the page is just navigating, or an alternative cannot be parsed
    return Observation(count=number, element=element)
