"""Fit the healer's weights to relocation data, and say how they do on sites that they were not fitted on.

    python -m benchmarks.relocation_fit DATA.jsonl.gz [--penalty 0.0014] [--accept 0.55] [--alone] [--halves 10]

Each stored element is two situations: it is on the page, it is gone. The weights maximise the likelihood of the
right choice in both (conditional logit with "none of them" as a choice), less, for each situation, `penalty` times
the sum of their squares; a site with n elements counts sqrt(n). Agreements keep weights >= 0, disagreements <= 0.
Other stored elements take part in the fit as anchors alone. Then every site is decided by `decide` itself with
weights from the other sites. Needs numpy and scipy (dependency group `fit`).
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import product
from math import sqrt
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from scipy.optimize import minimize

from benchmarks.relocation_data import Situation, situations
from processors.healing.candidates import CandidatePage
from processors.healing.compare import DISAGREEMENTS, WEIGHTS, Comparison, Weights
from processors.healing.decision import ElementSearch, HealAccepted, decide

Array = np.ndarray[Any, np.dtype[np.float64]]
COLUMNS = ("right", "wrong", "false")
Z_95 = 1.96


@dataclass(frozen=True, kw_only=True)
class Example:
    """A situation as numbers: a row of comparisons for each possible candidate, and which of them are right."""

    site: str
    rows: Array
    right: Array


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The decision in one situation; `gone` says that refusing was right."""

    site: str
    hard: bool
    gone: bool
    taken: bool
    right: bool


def example_of(situation: Situation) -> Example | None:
    """The situation as numbers; None where a right candidate exists but is of a kind that is never taken."""
    search = ElementSearch(situation.old, CandidatePage(situation.candidates), situation.others, WEIGHTS)
    possible = [(at, row) for at, row in enumerate(search.comparisons()) if row is not None]
    right = np.array([float(at in situation.right) for at, _ in possible])
    if situation.right and not right.any():
        return None
    rows = np.array([row for _, row in possible]).reshape(len(possible), len(Comparison._fields))
    return Example(site=situation.site, rows=rows, right=right)


def fit(examples: Sequence[Example], penalty: float, accept: float) -> Weights:
    """The weights with the highest penalised likelihood."""
    per_site = Counter(example.site for example in examples)
    raw = np.array([1 / sqrt(per_site[example.site]) for example in examples])
    shares = raw * len(examples) / raw.sum()
    bounds = [(None, 0) if name in DISAGREEMENTS else (0, None) for name in Comparison._fields]
    found = minimize(
        _loss,
        np.zeros(len(bounds) + 1),
        args=(examples, shares, penalty),
        jac=True,
        method="L-BFGS-B",
        bounds=[*bounds, (None, None)],
    )
    *of, nothing = (round(float(value), 2) for value in found.x)
    return Weights(of=Comparison(*of), nothing=nothing, accept=accept, lead=WEIGHTS.lead)


def _loss(w: Array, examples: Sequence[Example], shares: Array, penalty: float) -> tuple[float, Array]:
    strength = penalty * len(examples)
    loss = strength * float(w[:-1] @ w[:-1])
    slope = np.append(2 * strength * w[:-1], 0.0)
    for example, share in zip(examples, shares, strict=True):
        utilities = np.append(example.rows @ w[:-1], w[-1])
        odds = np.exp(utilities - utilities.max())
        wanted = np.append(odds[:-1] * example.right, 0.0) if example.right.any() else odds * _only_last(len(odds))
        loss -= share * float(np.log(wanted.sum() / odds.sum()))
        pull = share * (odds / odds.sum() - wanted / wanted.sum())
        slope += np.append(example.rows.T @ pull[:-1], pull[-1])
    return loss, slope


def _only_last(size: int) -> Array:
    return np.append(np.zeros(size - 1), 1.0)


def outcome_of(situation: Situation, weights: Weights) -> Outcome:
    """Return what the healer does with these weights."""
    decision = decide(situation.old, situation.candidates, situation.others, weights)
    taken = isinstance(decision, HealAccepted)
    return Outcome(
        site=situation.site,
        hard=situation.hard,
        gone=not situation.right,
        taken=taken,
        right=isinstance(decision, HealAccepted) and decision.index in situation.right,
    )


def counts(outcomes: Sequence[Outcome]) -> dict[str, tuple[int, int]]:
    """(how often, of how many) for each column of `score_relocation`."""
    there = [outcome for outcome in outcomes if not outcome.gone]
    gone = [outcome for outcome in outcomes if outcome.gone]
    return {
        "right": (sum(outcome.right for outcome in there), len(there)),
        "wrong": (sum(outcome.taken and not outcome.right for outcome in there), len(there)),
        "false": (sum(outcome.taken for outcome in gone), len(gone)),
    }


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a proportion, in percent (Wilson, 1927)."""
    share, spread = hits / of, Z_95**2 / of
    middle = (share + spread / 2) / (1 + spread)
    half = sqrt(share * (1 - share) * spread + spread**2 / 4) / (1 + spread)
    return 100 * (middle - half), 100 * (middle + half)


def bootstrap(outcomes: Sequence[Outcome], column: str, draws: int = 2000) -> tuple[float, float]:
    """The 95 % interval of a column in percent when the sites are drawn anew, with replacement."""
    by_site: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_site[outcome.site].append(outcome)
    per_site = [counts(of_site)[column] for of_site in by_site.values()]
    random = Random(1)
    shares = sorted(_share(random.choices(per_site, k=len(per_site))) for _ in range(draws))
    return shares[draws // 40], shares[-draws // 40 - 1]


def _share(drawn: Sequence[tuple[int, int]]) -> float:
    return 100 * sum(hits for hits, _ in drawn) / max(sum(of for _, of in drawn), 1)


def report(outcomes: Sequence[Outcome]) -> None:
    """Print the columns with their intervals, then every site that is not perfect."""
    hard = [outcome for outcome in outcomes if outcome.hard]
    for (label, part), column in product((("all", outcomes), ("hard", hard)), COLUMNS):
        hits, of = counts(part)[column]
        low, high = wilson(hits, of)
        least, most = bootstrap(part, column)
        print(
            f"{label:5}{column:6}{100 * hits / of:6.1f} %  ({hits} of {of})"
            f"  Wilson {low:.1f}-{high:.1f}  over sites {least:.1f}-{most:.1f}"
        )
    for site in dict.fromkeys(outcome.site for outcome in outcomes):
        of_site = counts([outcome for outcome in outcomes if outcome.site == site])
        print(f"  {site:14}" + "  ".join(f"{column} {hits}/{of}" for column, (hits, of) in of_site.items()))


class Fitting:
    """Weights from some sites, outcomes on the others."""

    def __init__(self, data: Sequence[Situation], penalty: float, accept: float) -> None:
        self.data = data
        self.sites = list(dict.fromkeys(situation.site for situation in data))
        self.penalty, self.accept = penalty, accept
        self._examples = [example for example in map(example_of, data) if example is not None]

    def without(self, sites: Collection[str]) -> Weights:
        """The weights fitted on all sites but these."""
        return fit([each for each in self._examples if each.site not in sites], self.penalty, self.accept)

    def held_out(self, sites: Collection[str]) -> list[Outcome]:
        """Return what becomes of these sites with weights from the rest."""
        weights = self.without(sites)
        return [outcome_of(situation, weights) for situation in self.data if situation.site in sites]

    def report_halves(self, times: int) -> None:
        """Print mean and worst of each column over random halves of the sites."""
        random = Random(1)
        tests = [self.held_out(set(random.sample(self.sites, len(self.sites) // 2))) for _ in range(times)]
        for column in COLUMNS:
            shares = sorted(_share([counts(test)[column]]) for test in tests)
            worst = shares[0] if column == "right" else shares[-1]
            print(f"{column:6} mean {sum(shares) / times:.1f}  worst {worst:.1f}")


def main() -> None:
    """Fit, hold out every site in turn, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--penalty", type=float, default=0.0014)
    parser.add_argument("--accept", type=float, default=WEIGHTS.accept)
    parser.add_argument("--alone", action="store_true", help="no other stored elements: no anchors, no claims")
    parser.add_argument(
        "--halves", type=int, help="instead: fit on half of the sites, test on the rest, this number of times"
    )
    options = parser.parse_args()
    data = list(situations(options.data, alone=options.alone))
    fitting = Fitting(data, options.penalty, options.accept)
    if options.halves:
        fitting.report_halves(options.halves)
        return
    print("Out of fold, each site decided with weights fitted on the others:")
    report([outcome for site in fitting.sites for outcome in fitting.held_out({site})])
    print("\nFitted on all sites:", fitting.without(set()), sep="\n")


if __name__ == "__main__":
    main()
