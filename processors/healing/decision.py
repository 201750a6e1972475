"""The decision of a heal: one of the candidates is the stored element, or none is certain enough.

A false heal is worse than a failure, so every doubt leads to a refusal: nothing similar, two that are similar, one
that matches another stored element better, one of the wrong kind, one that cannot be used.

The probability of a candidate is a conditional logit with an outside option (McFadden, 1974):
P(c) = e^u(c) / (e^u(none) + sum of e^u over all candidates). A rival of equal utility halves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import exp, fsum, inf
from operator import mul
from typing import Any

from processors.healing.anchors import Anchor, Expectation, find_anchor
from processors.healing.candidates import CandidatePage
from processors.healing.compare import WEIGHTS, Comparison, Weights, compare
from processors.healing.fingerprint import Fingerprint
from processors.healing.traits import Traits

CONTESTED = 8
"""The number of best candidates that are also compared with the other stored elements."""

NEARLY_NAMED = 0.25
"""The largest `other_wording` of a name that counts as kept: "Add Tea to cart", "Add Tea to basket"."""


class Reason(StrEnum):
    """The reason for a refusal."""

    NO_CANDIDATES = "no candidates"
    NOTHING_LIKE_IT = "no element of its kind shares anything with it"
    GONE = "nothing is similar enough"
    AMBIGUOUS = "several are similar"
    CLAIMED = "it matches another stored element better"
    NOT_USABLE = "it cannot be used now"
    RENAMED = "it has another name, and neither a key nor a link confirms that it is the same"


@dataclass(frozen=True, slots=True)
class HealEvidence:
    """The basis of a decision: the stored element, the best candidate, their comparison and its weights."""

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
    """No candidate is accepted; `best` is the most likely one, with its figures."""

    reason: Reason
    best: int | None = None
    score: float = 0.0
    margin: float = 0.0
    runner_up: int | None = None
    evidence: HealEvidence | None = None


Decision = HealAccepted | HealRefused


@dataclass(frozen=True, slots=True)
class CandidateChoice:
    """The most likely candidate and its rivals.

    `probability` includes its parent and children, which are not rivals; `runner_up` is the most likely candidate
    unrelated to it; `none` is the probability that the element is gone. All are in 0..1.
    """

    index: int
    probability: float
    runner_up: int | None
    runner_up_probability: float
    none: float


def decide(
    old: Fingerprint,
    candidates: Sequence[Fingerprint],
    others: Sequence[Fingerprint] = (),
    weights: Weights = WEIGHTS,
) -> Decision:
    """Return the candidate that is the stored element `old`, or a refusal.

    `others` are the other elements stored for the old page: those that are still there show where things moved,
    and a candidate that matches one of them better is not accepted.
    """
    search = ElementSearch(old, CandidatePage(candidates), others, weights)
    return search.decision()


class ElementSearch:
    """The search for one stored element on one page."""

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
        """Compare all candidates and decide."""
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
        """Return the comparison with every candidate, in order; None for one that cannot be the element."""
        expected = Expectation(self.old, self.anchors)
        return [compare(self.old, new, self.page, expected.fit(new.source.box)) for new in self.page.traits]

    def _worth(self, comparison: Comparison | None) -> float:
        return -inf if comparison is None else fsum(map(mul, comparison, self.weights.of))

    def _claimed(self, utilities: Sequence[float]) -> set[int]:
        """Return those of the best candidates that match another stored element better."""
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
        """Return the objection to a candidate that is likely enough."""
        if choice.probability - choice.runner_up_probability < self.weights.lead:
            return Reason.AMBIGUOUS
        if not self.page.traits[choice.index].source.usable:
            return Reason.NOT_USABLE
        return None if is_named_alike(comparison) else Reason.RENAMED


def is_named_alike(comparison: Comparison) -> bool:
    """Return True if something that tells the element's purpose is kept: its name, a key, or its link.

    Place, style and neighbours do not tell it: "Add to wishlist" may have replaced "Add to cart".
    """
    if comparison.same_wording or comparison.same_key or comparison.same_link:
        return True
    return not comparison.lost_wording and comparison.other_wording <= NEARLY_NAMED


def choose(utilities: Sequence[float], nothing: float, page: CandidatePage) -> CandidateChoice | None:
    """Return the best candidate, or None if all are impossible (-inf)."""
    best = max(range(len(utilities)), key=utilities.__getitem__, default=None)
    if best is None or utilities[best] == -inf:
        return None
    top = max(utilities[best], nothing)
    odds = [exp(utility - top) for utility in utilities]
    none = exp(nothing - top)
    total = sum(odds) + none
    runner_up = _first_unrelated(best, odds, page)
    return CandidateChoice(
        index=best,
        probability=sum(odds[member] for member in page.same_spot(best)) / total,
        runner_up=runner_up,
        runner_up_probability=odds[runner_up] / total if runner_up is not None else 0.0,
        none=none / total,
    )


def _first_unrelated(best: int, odds: Sequence[float], page: CandidatePage) -> int | None:
    runner_up = None
    for index, value in enumerate(odds):
        better = runner_up is None or value > odds[runner_up]
        if value and better and not page.related(best, index):
            runner_up = index
    return runner_up
