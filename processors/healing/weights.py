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
    """`accept` is the least probability with which a candidate is taken, `lead` the least margin; both 0..1."""

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
