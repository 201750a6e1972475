"""From what each candidate is worth to how likely it is the one, or that none is.

A conditional logit with an outside option (McFadden, 1974): P(c) = e^u(c) / (e^u(none) + sum of e^u over all
candidates). A rival that is as good halves the probability.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf

from processors.healing.candidates import CandidatePage


@dataclass(frozen=True, slots=True)
class CandidateChoice:
    """The most likely candidate and what stands against it.

    `probability` includes its parent and children, which are no rivals; `runner_up` is the most likely candidate
    that is unrelated to it; `none` is the probability that the element is gone. All are in 0..1.
    """

    index: int
    probability: float
    runner_up: int | None
    runner_up_probability: float
    none: float


def choose(utilities: Sequence[float], nothing: float, page: CandidatePage) -> CandidateChoice | None:
    """The best candidate, or None when all are impossible (-inf)."""
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
