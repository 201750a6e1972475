"""Anchors: stored elements that are certainly still there show where the sought one is expected.

A banner shifts a page, and a footer moves down with the content, so absolute positions mislead; distances to
elements that moved along do not. An anchor is a stored element with one candidate that several of its keys agree
on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, hypot
from operator import attrgetter

from processors.healing.candidates import CandidatePage
from processors.healing.fingerprint import Box
from processors.healing.traits import Traits

KEYS = {
    "test_id": True,
    "source.id": True,
    "source.name": True,
    "link": True,
    "accessible_name": True,
    "text": True,
    "source.alt": True,
    "id_path": False,
    "path": False,
}
"""Traits that may identify an element; True for its content, False for its position."""

MOST_HOLDERS = 3
VOTES_NEEDED = 1.5
LEAD_NEEDED = 0.5
NEAREST = 3
OFFSET_PX = 100.0
OUT_OF_SIGHT_PX = 1000.0
NOWHERE = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Anchor:
    """A stored element and its candidate."""

    old: Traits
    new: Traits


def find_anchor(old: Traits, page: CandidatePage) -> Anchor | None:
    """Return the one candidate that a stored element's keys agree on, or None.

    A key that n <= 3 candidates have gives each 1/n of a vote. One content key and another key must agree, and no
    other candidate may come close.
    """
    votes: dict[int, float] = defaultdict(float)
    with_content: set[int] = set()
    for key, content in KEYS.items():
        value = attrgetter(key)(old)
        holders = page.holders(key, value) if value else ()
        if len(holders) > MOST_HOLDERS:
            continue
        for holder in holders:
            votes[holder] += 1 / len(holders)
        if content:
            with_content.update(holders)
    ranked = sorted(votes.items(), key=lambda vote: -vote[1])[:2]
    if not ranked or ranked[0][1] < VOTES_NEEDED or ranked[0][0] not in with_content:
        return None
    if len(ranked) == 2 and ranked[0][1] - ranked[1][1] < LEAD_NEEDED:
        return None
    return Anchor(old, page.traits[ranked[0][0]])


def steps_between(one: Traits, other: Traits) -> int:
    """Return the number of tree edges between two elements of the same page."""
    shared = 0
    for mine, yours in zip(one.steps, other.steps, strict=False):
        if mine != yours:
            break
        shared += 1
    return len(one.steps) + len(other.steps) - 2 * shared


class Expectation:
    """The place where an element is expected, from its nearest anchors."""

    def __init__(self, old: Traits, anchors: Sequence[Anchor]) -> None:
        near = sorted((steps_between(old, anchor.old), number) for number, anchor in enumerate(anchors))
        self._places: list[tuple[float, float, float]] = []
        for steps, number in near[:NEAREST]:
            place = _expected_corner(old.source.box, anchors[number])
            if place is not None:
                self._places.append((1 / (1 + steps), *place))
        self._total = sum(weight for weight, _, _ in self._places)

    def fit(self, box: Box | None) -> tuple[float, float]:
        """Return the fit of a box to that place and to its height, 0..1: means weighted by nearness."""
        if box is None or not self._places:
            return NOWHERE
        place = row = 0.0
        for weight, x, y in self._places:
            if abs(box.y - y) > OUT_OF_SIGHT_PX:
                continue
            place += weight * exp(-hypot(box.x - x, box.y - y) / OFFSET_PX)
            row += weight * exp(-abs(box.y - y) / OFFSET_PX)
        return place / self._total, row / self._total


def _expected_corner(old: Box | None, anchor: Anchor) -> tuple[float, float] | None:
    was, now = anchor.old.source.box, anchor.new.source.box
    if old is None or was is None or now is None:
        return None
    return now.x + old.x - was.x, now.y + old.y - was.y
