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
        same_wording=2.98,
        other_wording=-2.45,
        lost_wording=-0.86,
        same_link=1.66,
        other_link=-1.97,
        lost_link=-2.01,
        same_key=1.81,
        other_key=-0.92,
        words=2.26,
        markup=0.27,
        neighbours=1.27,
        path_tail=1.7,
        kind=1.19,
        place=1.93,
        row=2.45,
        width=0.84,
        height=0.5,
    ),
    nothing=7.44,
    accept=0.55,
    lead=0.3,
)
