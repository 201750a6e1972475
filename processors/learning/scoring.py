"""Scores from finished runs: the reliability of a case and of each locator of its steps. Pure.

Everything is counted from the runs and steps alone, relative to each other and not to the present, so that learning
from the same rows gives the same figures on any day.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from qa_queue.models import RunStatus, StepStatus
from qa_queue.store.records import PatternRecord, RunRecord, StepRecord, digest, pattern_id

COUNTED = (RunStatus.COMPLETED, RunStatus.ADAPTED, RunStatus.FAILED, RunStatus.TIMED_OUT)  # decided by the site
HALF_LIFE = timedelta(days=14)
EARNED = 0.2  # confidence of a learned locator to be used: one success of one is 0.207, one of two is 0.095
Z_95 = 1.959963984540054  # the standard normal's quantile at 97.5 %, for an interval of 95 %
LEARNED_WINDOW = 5  # uses of a learned locator that count, the latest: three misses in a row drop the best one
_FOUND = (StepStatus.PASSED, StepStatus.ADAPTED)


@dataclass(frozen=True)
class CaseScore:
    """The score of a case: `reliability` and `flake_rate` in 0..1, and the number of runs they come from."""

    reliability: float
    flake_rate: float
    runs: int


@dataclass
class CaseTally:
    """Sums over the runs of one case.

    A run that ended at t weighs 2^(t / 14 days): half of one that ended two weeks later. With w for the weights,
    reliability = sum of w over the runs that ended well / sum of w over all, and flake rate = sum of w over those
    that passed only on a retry / sum of w over all. Where t is counted from cancels out of both.
    """

    _origin: datetime | None = None
    _runs: int = 0
    _all: float = 0.0
    _good: float = 0.0
    _flaky: float = 0.0

    def add(self, runs: Iterable[RunRecord]) -> None:
        """Count finished runs."""
        for run in runs:
            ended = run.finished_at or run.queued_at
            self._origin = self._origin or ended
            weight = 2.0 ** ((ended - self._origin) / HALF_LIFE)
            self._runs += 1
            self._all += weight
            self._good += weight * run.status.good
            self._flaky += weight * run.flaky

    def score(self) -> CaseScore | None:
        """Return the score so far; None before the first run."""
        if not self._all:
            return None
        return CaseScore(self._good / self._all, self._flaky / self._all, self._runs)


@dataclass
class _Count:
    """The uses of one locator, in any order: when, right or wrong, and True if the case does not name it."""

    locator: dict[str, Any]
    uses: list[tuple[datetime, bool, bool]] = field(default_factory=list)

    def add(self, step: StepRecord, *, same: bool) -> None:
        self.uses.append((step.started_at, same, self.locator not in named_by_case(step)))

    def pattern(self, case_id: str, step_key: str) -> PatternRecord:
        uses = sorted(self.uses, reverse=True)
        learned = uses[0][2]
        counted = [same for _, same, _ in (uses[:LEARNED_WINDOW] if learned else uses)]
        return PatternRecord(
            id=pattern_id(case_id, step_key, self.locator),
            test_case_id=case_id,
            step_key=step_key,
            locator=self.locator,
            tried=len(counted),
            matched=sum(counted),
            confidence=wilson_lower_bound(sum(counted), len(counted)),
            last_seen_at=max((when for when, same, _ in uses if same), default=None),
            learned=learned,
        )


@dataclass
class LocatorTally:
    """The number of times that each locator of each step was tried, and found exactly the element that was used.

    A locator found by a heal, or learned from heals, is right if every later step passed and wrong if one did not,
    so one wrong heal outweighs a right one.
    """

    _counts: dict[tuple[str, str], _Count] = field(default_factory=dict)

    def add(self, runs: Iterable[RunRecord], steps: Sequence[StepRecord]) -> None:
        """Count the trusted steps of these runs."""
        totals = {run.id: run.total_steps for run in runs}
        for attempt in _attempts(steps):
            trustworthy = trusted(attempt, totals.get(attempt[0].test_run_id, 0))
            for step in trustworthy:
                for match in step.matches or ():
                    self._count(step.step_key, match["locator"]).add(step, same=bool(match["same"]))
            for step in attempt:
                self._add_use(step, right=step in trustworthy)

    def _add_use(self, step: StepRecord, *, right: bool) -> None:
        """Count a locator used instead of the case's own, unless its match is counted already."""
        if step.locator is None or step.status not in _FOUND or step.locator in named_by_case(step):
            return
        counted = right and any(match["locator"] == step.locator for match in step.matches or ())
        if not counted:
            self._count(step.step_key, step.locator).add(step, same=right)

    def patterns(self, case_id: str) -> list[PatternRecord]:
        """Return the counts as rows."""
        return [count.pattern(case_id, key) for (key, _), count in sorted(self._counts.items(), key=_by_name)]

    def _count(self, step_key: str, locator: dict[str, Any]) -> _Count:
        return self._counts.setdefault((step_key, digest(locator)), _Count(locator))


def named_by_case(step: StepRecord) -> list[dict[str, Any]]:
    """Return the locators that the case itself has for a step: its target and the fallbacks."""
    if step.target is None:
        return [match["locator"] for match in step.matches or ()]  # without a target, nothing is healed
    own = {name: value for name, value in step.target.items() if name != "fallbacks"}
    return [own, *(step.target.get("fallbacks") or ())]


def wilson_lower_bound(successes: int, trials: int, z: float = Z_95) -> float:
    """Return the lower bound of Wilson's score interval for a proportion, in 0..1; 0 without a trial.

    E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", Journal of the American
    Statistical Association 22 (1927), p. 209-212. Unlike the plain proportion, it is low for few trials.
    """
    if trials == 0:
        return 0.0
    share, z2n = successes / trials, z * z / trials
    # The smaller root of a quadratic from its product with the larger one: a difference would lose digits.
    return share * share / (share + z2n / 2 + z * math.sqrt((share * (1 - share) + z2n / 4) / trials))


def trusted(attempt: Sequence[StepRecord], total_steps: int) -> list[StepRecord]:
    """Return the steps of one attempt that found their element and after which every step passed.

    Only the rest of the test shows that an element was the right one: a click on the wrong button fails later. So a
    step counts only if every step after it is recorded (the attempt has `total_steps`) and none failed.
    """
    found: list[StepRecord] = []
    expected = total_steps
    for step in sorted(attempt, key=lambda step: step.number, reverse=True):
        if step.number != expected or step.status is StepStatus.FAILED:
            break
        if step.status in _FOUND:
            found.append(step)
        expected -= 1
    return found[::-1]


def _by_name(item: tuple[tuple[str, str], _Count]) -> tuple[str, str]:
    return item[0]


def _attempts(steps: Iterable[StepRecord]) -> Iterator[list[StepRecord]]:
    """Yield the steps of each attempt of each run."""
    attempts: dict[tuple[str, int], list[StepRecord]] = {}
    for step in steps:
        attempts.setdefault((step.test_run_id, step.attempt), []).append(step)
    yield from attempts.values()
