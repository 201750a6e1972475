"""What finished runs teach: how reliable a case is, and which of a target's locators find its element. Pure.

Everything is counted from the runs and steps alone, relative to each other and not to the present, so that
learning from the same rows gives the same numbers on any day.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from qa_queue.models import RunStatus, StepStatus
from qa_queue.store.records import PatternRecord, RunRecord, StepRecord, digest, pattern_id

COUNTED = (RunStatus.COMPLETED, RunStatus.ADAPTED, RunStatus.FAILED, RunStatus.TIMED_OUT)  # the site's own doing
HALF_LIFE = timedelta(days=14)
EARNED = 0.2  # of a learned locator's confidence: one success without a failure is 0.207, one of two is 0.095
Z_95 = 1.959963984540054  # the standard normal's quantile at 97.5 %, for an interval of 95 %
LEARNED_WINDOW = 5  # uses of a learned locator that count, the latest: three misses in a row drop the best one
_FOUND = (StepStatus.PASSED, StepStatus.ADAPTED)


@dataclass(frozen=True)
class CaseScore:
    """What is known of a case: `reliability` and `flake_rate` in 0..1, from this many runs."""

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
        """The score so far; None before the first run."""
        if not self._all:
            return None
        return CaseScore(self._good / self._all, self._flaky / self._all, self._runs)


@dataclass
class _Count:
    """What became of one locator: (when, whether it was right, whether the case did not name it), in any order."""

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
    """How often each locator of each step was looked for, and found exactly the element that was used.

    A locator that a heal found, or that was learned from heals, is right where every later step passed and wrong
    where one did not: so one wrong heal outweighs a right one.
    """

    _counts: dict[tuple[str, str], _Count] = field(default_factory=dict)

    def add(self, runs: Iterable[RunRecord], steps: Sequence[StepRecord]) -> None:
        """Count the steps of these runs, as far as they can be trusted."""
        totals = {run.id: run.total_steps for run in runs}
        for attempt in _attempts(steps):
            trustworthy = trusted(attempt, totals.get(attempt[0].test_run_id, 0))
            for step in trustworthy:
                for match in step.matches or ():
                    self._count(step.step_key, match["locator"]).add(step, same=bool(match["same"]))
            for step in attempt:
                self._add_use(step, right=step in trustworthy)

    def _add_use(self, step: StepRecord, *, right: bool) -> None:
        """Count the locator that was used instead of the case's own, unless its match was counted already."""
        if step.locator is None or step.status not in _FOUND or step.locator in named_by_case(step):
            return
        counted = right and any(match["locator"] == step.locator for match in step.matches or ())
        if not counted:
            self._count(step.step_key, step.locator).add(step, same=right)

    def patterns(self, case_id: str) -> list[PatternRecord]:
        """What was counted, as rows."""
        return [count.pattern(case_id, key) for (key, _), count in sorted(self._counts.items(), key=_by_name)]

    def _count(self, step_key: str, locator: dict[str, Any]) -> _Count:
        return self._counts.setdefault((step_key, digest(locator)), _Count(locator))


def named_by_case(step: StepRecord) -> list[dict[str, Any]]:
    """The locators that the case itself has for a step: its target's own words and the fallbacks."""
    if step.target is None:
        return [match["locator"] for match in step.matches or ()]  # nothing was healed without a target
    own = {name: value for name, value in step.target.items() if name != "fallbacks"}
    return [own, *(step.target.get("fallbacks") or ())]


def wilson_lower_bound(successes: int, trials: int, z: float = Z_95) -> float:
    """The lower end of Wilson's score interval for a share of successes, in 0..1; 0 without a trial.

    E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", Journal of the American
    Statistical Association 22 (1927), p. 209-212. Unlike the plain share it is low where little is known.
    """
    if trials == 0:
        return 0.0
    share, z2n = successes / trials, z * z / trials
    # The smaller root of a quadratic by its product with the larger: a difference would lose digits.
    return share * share / (share + z2n / 2 + z * math.sqrt((share * (1 - share) + z2n / 4) / trials))


def trusted(attempt: Sequence[StepRecord], total_steps: int) -> list[StepRecord]:
    """The steps of one attempt that found their element, and after which every step of the case passed.

    Only the rest of the test shows that an element was the right one: what clicked the wrong button fails later.
    So a step counts only when all steps behind it are there (`total_steps` of them in the case) and none failed.
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
    """The steps of each attempt of each run."""
    attempts: dict[tuple[str, int], list[StepRecord]] = {}
    for step in steps:
        attempts.setdefault((step.test_run_id, step.attempt), []).append(step)
    yield from attempts.values()
