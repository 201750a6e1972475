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
    locator: dict[str, Any]
    tried: int = 0
    matched: int = 0
    last_seen_at: datetime | None = None

    def add(self, step: StepRecord, *, same: bool) -> None:
        self.tried += 1
        if same:
            self.matched += 1
            self.last_seen_at = max(self.last_seen_at or step.started_at, step.started_at)


@dataclass
class LocatorTally:
    """How often each locator of each step was looked for, and found exactly the element that was used."""

    _counts: dict[tuple[str, str], _Count] = field(default_factory=dict)

    def add(self, runs: Iterable[RunRecord], steps: Sequence[StepRecord]) -> None:
        """Count the steps of these runs, as far as they can be trusted."""
        totals = {run.id: run.total_steps for run in runs}
        for attempt in _attempts(steps):
            for step in trusted(attempt, totals.get(attempt[0].test_run_id, 0)):
                for match in step.matches or ():
                    self._count(step.step_key, match["locator"]).add(step, same=bool(match["same"]))

    def patterns(self, case_id: str) -> list[PatternRecord]:
        """What was counted, as rows."""
        return [
            PatternRecord(
                id=pattern_id(case_id, step_key, count.locator),
                test_case_id=case_id,
                step_key=step_key,
                locator=count.locator,
                tried=count.tried,
                matched=count.matched,
                confidence=wilson_lower_bound(count.matched, count.tried),
                last_seen_at=count.last_seen_at,
            )
            for (step_key, _), count in sorted(self._counts.items())
        ]

    def _count(self, step_key: str, locator: dict[str, Any]) -> _Count:
        return self._counts.setdefault((step_key, digest(locator)), _Count(locator))


def wilson_lower_bound(successes: int, trials: int, z: float = Z_95) -> float:
    """The lower end of Wilson's score interval for a share of successes, in 0..1; 0 without a trial.

    E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", Journal of the American
    Statistical Association 22 (1927), p. 209-212. Unlike the plain share it is low where little is known.
    """
    if trials == 0:
        return 0.0
    share, z2n = successes / trials, z * z / trials
    lower = (share + z2n / 2 - z * math.sqrt((share * (1 - share) + z2n / 4) / trials)) / (1 + z2n)
    return min(1.0, max(0.0, lower))


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


def _attempts(steps: Iterable[StepRecord]) -> Iterator[list[StepRecord]]:
    """The steps of each attempt of each run."""
    attempts: dict[tuple[str, int], list[StepRecord]] = {}
    for step in steps:
        attempts.setdefault((step.test_run_id, step.attempt), []).append(step)
    yield from attempts.values()
