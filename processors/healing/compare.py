"""The comparison of a stored element with a candidate: agreements and disagreements in 0..1, and their weights.

A property counts only if both sides recorded it. Weights are in natural log units. The utility of a candidate is
the sum of its comparisons times their weights; that of "none of them" is `Weights.nothing`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import NamedTuple

from processors.healing.candidates import CandidatePage, Rarity
from processors.healing.fingerprint import Box
from processors.healing.traits import Traits, trigrams

PLACE_PX = 200.0
ROW_PX = 100.0
TAIL_STEPS = 8
NEAR = 0.2


class Comparison(NamedTuple):
    """The agreement of two elements; weights have the same names.

    same_wording     the accessible name (else the text) is equal
    other_wording    1 - similarity of two wordings that both exist
    lost_wording     only one of them has a wording
    same_link        it leads to the same page; for a form's button, only if no other candidate does
    other_link       1 - similarity of two links that both exist
    lost_link        only one of them is a link
    same_key         the test id, name or id is equal
    sole_key         and no other candidate has it
    other_key        both have a test id, or both a name, and they differ
    words            overlap of the words of all own properties
    markup           overlap of classes and attributes
    neighbours       overlap of the words around
    path_tail        share of the last eight steps of the XPath that are equal
    kind             mean of: tag equal, role (else kind) equal
    place            e^(-px / 200) with the distance from its old place, or from the one expected by its anchors
    row              the same for the height on the page alone, e^(-px / 100)
    width, height    smaller / larger
    """

    same_wording: float
    other_wording: float
    lost_wording: float
    same_link: float
    other_link: float
    lost_link: float
    same_key: float
    sole_key: float
    other_key: float
    words: float
    markup: float
    neighbours: float
    path_tail: float
    kind: float
    place: float
    row: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Weights:
    """`accept` is the minimum probability of an accepted candidate, `lead` its minimum margin; both in 0..1."""

    of: Comparison
    nothing: float
    accept: float
    lead: float


DISAGREEMENTS = frozenset({"other_wording", "lost_wording", "other_link", "lost_link", "other_key"})

WEIGHTS = Weights(
    of=Comparison(
        same_wording=3.04,
        other_wording=-2.47,
        lost_wording=-0.97,
        same_link=1.72,
        other_link=-1.9,
        lost_link=-1.99,
        same_key=1.32,
        sole_key=1.32,
        other_key=-0.88,
        words=2.11,
        markup=0.28,
        neighbours=1.28,
        path_tail=1.72,
        kind=1.12,
        place=1.93,
        row=2.45,
        width=0.82,
        height=0.52,
    ),
    nothing=7.4,
    accept=0.55,
    lead=0.3,
)


def compare(old: Traits, new: Traits, page: CandidatePage, expected: tuple[float, float]) -> Comparison | None:
    """Compare a stored element with a candidate of the page; None if the candidate cannot be the element.

    `expected` is the fit of the candidate to the place expected by the anchors: place and row, 0..1.
    """
    drawn = _drawn(old.source.box, new.source.box, expected)
    if not _possible(old, new, place=drawn[0]):
        return None
    return Comparison(
        *_wording(old, new, page.text_rarity),
        *_link(old, new, page),
        *_key(old, new, page),
        page.word_rarity.overlap(old.words, new.words),
        page.markup_rarity.dice(old.markup, new.markup),
        page.neighbour_rarity.dice(old.neighbours, new.neighbours),
        _tail(old.steps, new.steps),
        ((old.tag == new.tag) + (old.kind == new.kind)) / 2,
        *drawn,
    )


def _possible(old: Traits, new: Traits, place: float) -> bool:
    """Return False for a candidate that cannot be the element.

    A field can only be a field of the same kind: filling a label never works. A candidate that shares neither a
    word nor the link and is not near is excluded: it never wins, but many of them would lower the probability of
    the best.
    """
    if old.field is not None and old.field != new.field:
        return False
    if not old.words or place >= NEAR:
        return True
    return not old.words.isdisjoint(new.words) or old.link == new.link != ""


def _wording(old: Traits, new: Traits, rarity: Rarity) -> tuple[float, float, float]:
    """Compare the accessible names if both have one, else the texts."""
    named = bool(old.accessible_name and new.accessible_name)
    one, other = (old.accessible_name, new.accessible_name) if named else (old.text, new.text)
    if not one or not other:
        return 0.0, 0.0, float(one != other)
    if one == other:
        return 1.0, 0.0, 0.0
    return 0.0, 1 - _wording_similarity(one, other, rarity), 0.0


def _wording_similarity(one: str, other: str, rarity: Rarity) -> float:
    mine, yours = trigrams(one), trigrams(other)
    spelling = 2 * len(mine & yours) / (len(mine) + len(yours))
    words, others = frozenset(one.split()), frozenset(other.split())
    return (max(spelling, rarity.dice(words, others)) + rarity.containment(words, others)) / 2


def _link(old: Traits, new: Traits, page: CandidatePage) -> tuple[float, float, float]:
    if not old.link or not new.link:
        return 0.0, 0.0, float(old.is_link != new.is_link)
    if old.link != new.link:
        return 0.0, 1 - page.link_rarity.dice(old.link_words, new.link_words), 0.0
    if old.is_link and new.is_link:
        return 1.0, 0.0, 0.0
    # One form may have many buttons ("Save", "Delete"), and each card of a list the same form.
    buttons = sum(not page.traits[at].is_link for at in page.holders("link", new.link))
    return float(buttons <= 1), 0.0, 0.0


def _key(old: Traits, new: Traits, page: CandidatePage) -> tuple[float, float, float]:
    mine, yours = old.source, new.source
    shared = [("test_id", test_id) for test_id in mine.test_ids if test_id in yours.test_ids]
    if mine.id is not None and mine.id == yours.id != "" and not page.is_counter(mine.id):
        shared.append(("source.id", mine.id))
    if mine.name and mine.name == yours.name:
        shared.append(("source.name", mine.name))
    other_name = bool(mine.name and yours.name and mine.name != yours.name)
    other_test_id = bool(mine.test_ids and yours.test_ids) and set(mine.test_ids).isdisjoint(yours.test_ids)
    sole = any(len(page.holders(key, value)) == 1 for key, value in shared)
    return float(bool(shared)), float(sole), float(other_name or other_test_id)


def _tail(old: tuple[str, ...], new: tuple[str, ...]) -> float:
    equal = 0
    for one, other in zip(reversed(old[-TAIL_STEPS:]), reversed(new[-TAIL_STEPS:]), strict=False):
        if one != other:
            break
        equal += 1
    return equal / TAIL_STEPS


def _drawn(old: Box | None, new: Box | None, expected: tuple[float, float]) -> tuple[float, float, float, float]:
    if old is None or new is None:
        return 0.0, 0.0, 0.0, 0.0
    down = abs(old.y - new.y)
    distance = ((old.x - new.x) ** 2 + down**2) ** 0.5
    return (
        max(expected[0], exp(-distance / PLACE_PX)),
        max(expected[1], exp(-down / ROW_PX)),
        min(old.width, new.width) / max(old.width, new.width, 1),
        min(old.height, new.height) / max(old.height, new.height, 1),
    )
