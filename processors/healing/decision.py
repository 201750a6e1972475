"""Is one of these candidates the element that was stored, and which? Pure: a value in, a value out.

A false heal is worse than a failure, so every doubt refuses: nothing alike, two alike, one that another stored
element fits better, one of the wrong kind, one that cannot be used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import fsum, inf
from operator import mul
from typing import Any

from processors.healing.anchors import Anchor, Expectation, find_anchor
from processors.healing.candidates import CandidatePage
from processors.healing.compare import Comparison, compare
from processors.healing.fingerprint import Fingerprint
from processors.healing.probability import CandidateChoice, choose
from processors.healing.traits import Traits
from processors.healing.weights import WEIGHTS, Weights

CONTESTED = 8
"""How many of the best candidates are held against the other stored elements."""

NEARLY_NAMED = 0.25
"""Up to this `other_wording` a name counts as kept: "Add Tea to cart", "Add Tea to basket"."""


class Reason(StrEnum):
    """Why nothing was taken."""

    NO_CANDIDATES = "no candidates"
    NOTHING_LIKE_IT = "no element of its kind shares anything with it"
    GONE = "nothing is alike enough"
    AMBIGUOUS = "several are alike"
    CLAIMED = "another stored element fits it better"
    NOT_USABLE = "it cannot be used now"
    RENAMED = "it has another name, and neither a key nor a link says that it is the same"


@dataclass(frozen=True, slots=True)
class HealEvidence:
    """What the decision rests on: the stored element, the best candidate, how they compare, what that is worth."""

    sought: Fingerprint
    found: Fingerprint
    comparison: Comparison
    weights: Weights


@dataclass(frozen=True, kw_only=True, slots=True)
class HealAccepted:
    """Candidate `index` is the element.

    `score` is its probability, `margin` its lead over `runner_up`, the best unrelated candidate; both are in 0..1.
    """

    index: int
    score: float
    margin: float
    runner_up: int | None
    evidence: HealEvidence


@dataclass(frozen=True, kw_only=True, slots=True)
class HealRefused:
    """No candidate is taken; `best` is what came nearest, with the figures it had."""

    reason: Reason
    best: int | None = None
    score: float = 0.0
    margin: float = 0.0
    runner_up: int | None = None
    evidence: HealEvidence | None = None


Decision = HealAccepted | HealRefused


def decide(
    old: Fingerprint,
    candidates: Sequence[Fingerprint],
    others: Sequence[Fingerprint] = (),
    weights: Weights = WEIGHTS,
) -> Decision:
    """Find the stored element `old` among the candidates of the page, or refuse.

    `others` are the other elements that were stored for the old page; those that are still there show where
    things moved, and what they fit better is theirs.
    """
    search = Search(old, CandidatePage(candidates), others, weights)
    return search.decision()


class Search:
    """One stored element sought on one page."""

    def __init__(
        self, old: Fingerprint, page: CandidatePage, others: Sequence[Fingerprint], weights: Weights
    ) -> None:
        self.old = Traits(old)
        self.page = page
        self.others = [Traits(other) for other in others]
        self.weights = weights
        found = [find_anchor(other, page) for other in self.others]
        self.anchors = [anchor for anchor in found if anchor is not None]

    def decision(self) -> Decision:
        """Compare, choose, decide."""
        if not self.page.traits:
            return HealRefused(reason=Reason.NO_CANDIDATES)
        comparisons = self.comparisons()
        utilities = [self._worth(comparison) for comparison in comparisons]
        claimed = self._claimed(utilities)
        free = [-inf if index in claimed else utility for index, utility in enumerate(utilities)]
        choice = choose(free, self.weights.nothing, self.page)
        best = None if choice is None else comparisons[choice.index]
        if choice is None or best is None:
            return HealRefused(reason=Reason.CLAIMED if claimed else Reason.NOTHING_LIKE_IT)
        return self._judge(choice, best, claimed_best=max(utilities) > max(free))

    def comparisons(self) -> list[Comparison | None]:
        """The stored element against every candidate, in order; None for one that cannot be the element."""
        expected = Expectation(self.old, self.anchors)
        return [compare(self.old, new, self.page, expected.fit(new.source.box)) for new in self.page.traits]

    def _worth(self, comparison: Comparison | None) -> float:
        return -inf if comparison is None else fsum(map(mul, comparison, self.weights.of))

    def _claimed(self, utilities: Sequence[float]) -> set[int]:
        """Those of the best candidates that another stored element fits better than the sought one."""
        possible = [index for index, utility in enumerate(utilities) if utility > -inf]
        ranked = sorted(possible, key=lambda index: -utilities[index])[:CONTESTED]
        rivals = [(other, Expectation(other, self._anchors_without(other))) for other in self.others]
        return {
            index
            for index in ranked
            if any(self._worth_to(other, at, index) > utilities[index] for other, at in rivals)
        }

    def _worth_to(self, other: Traits, expected: Expectation, index: int) -> float:
        new = self.page.traits[index]
        return self._worth(compare(other, new, self.page, expected.fit(new.source.box)))

    def _anchors_without(self, old: Traits) -> list[Anchor]:
        return [anchor for anchor in self.anchors if anchor.old is not old]

    def _judge(self, choice: CandidateChoice, comparison: Comparison, *, claimed_best: bool) -> Decision:
        reason = self._objection(choice, comparison, claimed_best)
        found = self.page.traits[choice.index].source
        figures: dict[str, Any] = {
            "score": choice.probability,
            "margin": choice.probability - choice.runner_up_probability,
            "runner_up": choice.runner_up,
            "evidence": HealEvidence(self.old.source, found, comparison, self.weights),
        }
        if reason is None:
            return HealAccepted(index=choice.index, **figures)
        return HealRefused(reason=reason, best=choice.index, **figures)

    def _objection(self, choice: CandidateChoice, comparison: Comparison, claimed_best: bool) -> Reason | None:
        if choice.probability >= self.weights.accept:
            return self._doubt(choice, comparison)
        if claimed_best:
            return Reason.CLAIMED
        return Reason.GONE if choice.none >= choice.runner_up_probability else Reason.AMBIGUOUS

    def _doubt(self, choice: CandidateChoice, comparison: Comparison) -> Reason | None:
        """What speaks against a candidate that is likely enough."""
        if choice.probability - choice.runner_up_probability < self.weights.lead:
            return Reason.AMBIGUOUS
        if not self.page.traits[choice.index].source.usable:
            return Reason.NOT_USABLE
        return None if is_named_alike(comparison) else Reason.RENAMED


def is_named_alike(comparison: Comparison) -> bool:
    """Whether something that says what the element is for is kept: its name, a key, or where it leads.

    Place, looks and neighbours are those of whatever stands there now: "Add to wishlist" for "Add to cart".
    """
    if comparison.same_wording or comparison.same_key or comparison.same_link:
        return True
    return not comparison.lost_wording and comparison.other_wording <= NEARLY_NAMED
