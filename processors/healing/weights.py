"""What each agreement is worth, in natural log units, and when a choice is sure enough.

Fitted by `benchmarks/relocation_fit.py`; docs/healing.md tells how and what came out of fold. A candidate's worth
is the sum of its comparisons times these; "none of them" is worth `nothing`. The signs are fixed before fitting:
no agreement can speak against a candidate, no disagreement for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from processors.healing.compare import Comparison


@dataclass(frozen=True, slots=True)
class Weights:
    """`accept` is the least probability, 0..1, with which a candidate is taken."""

    of: Comparison
    nothing: float
    accept: float


WEIGHTS = Weights(
    of=Comparison(
        same_wording=3.2,
        other_wording=-2.55,
        lost_wording=-1.2,
        same_link=1.8,
        other_link=-2.2,
        lost_link=-2.1,
        same_key=1.4,
        other_key=-0.9,
        words=2.5,
        markup=0.6,
        neighbours=1.25,
        path=1.1,
        path_tail=1.5,
        kind=1.4,
        place=2.4,
        row=2.1,
        width=1.4,
        height=0.65,
    ),
    nothing=8.1,
    accept=0.6,
)
