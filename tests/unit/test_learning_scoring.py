"""The figures that learning computes, from values alone."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.learning.scoring import EARNED, CaseTally, LocatorTally, trusted, wilson_lower_bound
from qa_queue.models import RunStatus, StepStatus
from qa_queue.store.records import RunRecord, StepRecord
from tests.support.records import NOON, case_record, finished_run, step_record

CASE = case_record()
PASSED, ADAPTED, FAILED, SKIPPED = StepStatus.PASSED, StepStatus.ADAPTED, StepStatus.FAILED, StepStatus.SKIPPED


def ended(days_ago: float, status: RunStatus = RunStatus.COMPLETED, **overrides: Any) -> RunRecord:
    return finished_run(CASE, status, finished_at=NOON - timedelta(days=days_ago), **overrides)


def score(*runs: RunRecord) -> tuple[float, float, int]:
    tally = CaseTally()
    tally.add(runs)
    found = tally.score()
    assert found is not None
    return found.reliability, found.flake_rate, found.runs


class TestReliability:
    def test_without_runs_there_is_no_score(self) -> None:
        """A case that never ran has none."""
        assert CaseTally().score() is None

    @pytest.mark.parametrize(
        ("status", "reliability"),
        [(RunStatus.COMPLETED, 1), (RunStatus.ADAPTED, 1), (RunStatus.FAILED, 0), (RunStatus.TIMED_OUT, 0)],
    )
    def test_good_runs_count_for_the_case(self, status: RunStatus, reliability: float) -> None:
        """An adapted run is good too."""
        assert score(ended(0, status)) == (reliability, 0, 1)

    def test_runs_of_the_same_time_have_the_same_weight(self) -> None:
        """Three good ones of four give 0.75."""
        runs = [ended(0)] * 3 + [ended(0, RunStatus.FAILED)]
        assert score(*runs) == (0.75, 0, 4)

    def test_a_run_of_two_weeks_ago_has_half_the_weight(self) -> None:
        """A pass today and a failure 14 days ago: 1 / (1 + 1/2); 28 days ago: 1 / (1 + 1/4)."""
        assert score(ended(0), ended(14, RunStatus.FAILED))[0] == pytest.approx(2 / 3)
        assert score(ended(0), ended(28, RunStatus.FAILED))[0] == pytest.approx(4 / 5)
        assert score(ended(0, RunStatus.FAILED), ended(14))[0] == pytest.approx(1 / 3)

    def test_passes_on_a_retry_are_flaky(self) -> None:
        """They count as good and as flaky, with the same decay."""
        reliability, flake_rate, _ = score(ended(0), ended(14, flaky=True))
        assert (reliability, flake_rate) == (1.0, pytest.approx(1 / 3))

    def test_only_the_distances_count(self) -> None:
        """The same runs a year earlier, in another order, give the same figures."""
        recent = score(ended(0), ended(3, RunStatus.FAILED), ended(9, flaky=True))
        older = score(ended(374, flaky=True), ended(365), ended(368, RunStatus.FAILED))
        assert older == pytest.approx(recent)

    def test_very_old_runs_do_not_break_the_score(self) -> None:
        """A weight too small for a float counts as zero."""
        assert score(ended(0), ended(100_000, RunStatus.FAILED)) == (1.0, 0.0, 2)


class TestWilson:
    @pytest.mark.parametrize(
        ("successes", "trials", "bound"),
        [(0, 0, 0.0), (0, 10, 0.0), (1, 1, 0.206549), (10, 10, 0.722467), (5, 10, 0.236593), (90, 100, 0.825634)],
    )
    def test_known_values(self, successes: int, trials: int, bound: float) -> None:
        """Values of other implementations of the interval at 95 %."""
        assert wilson_lower_bound(successes, trials) == pytest.approx(bound, abs=1e-6)

    @given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
    def test_it_solves_wilsons_equation(self, sample: tuple[int, int]) -> None:
        """The bound b is where the observed share is z standard errors of b above b, and never above the share."""
        successes, trials = sample
        share, bound = successes / trials, wilson_lower_bound(successes, trials)
        z = 1.959963984540054
        assert share - bound == pytest.approx(z * math.sqrt(bound * (1 - bound) / trials), abs=1e-9)
        assert 0 <= bound <= share


def attempt(*statuses: StepStatus, first: int = 1) -> list[StepRecord]:
    run = finished_run(CASE)
    return [step_record(run, number, status=status) for number, status in enumerate(statuses, first)]


class TestTrust:
    @pytest.mark.parametrize(
        ("statuses", "total", "numbers"),
        [
            ((PASSED, PASSED, PASSED), 3, [1, 2, 3]),
            ((PASSED, ADAPTED, PASSED), 3, [1, 2, 3]),
            ((PASSED, SKIPPED, PASSED), 3, [1, 3]),
            ((ADAPTED, PASSED, FAILED), 3, []),
            ((ADAPTED, FAILED, PASSED), 3, [3]),
            ((ADAPTED, FAILED, SKIPPED), 3, []),
            ((ADAPTED, PASSED), 3, []),
            ((), 3, []),
            ((PASSED,), 0, []),
        ],
        ids=str,
    )
    def test_a_step_counts_when_every_later_one_passed(
        self, statuses: tuple[StepStatus, ...], total: int, numbers: list[int]
    ) -> None:
        """After a later failure, or in a run that broke off, its element may have been the wrong one."""
        assert [step.number for step in trusted(attempt(*statuses), total)] == numbers

    def test_a_gap_is_not_trusted(self) -> None:
        """A step whose row is missing may have failed."""
        steps = attempt(PASSED, PASSED, PASSED, PASSED)
        assert [step.number for step in trusted([steps[0], steps[2], steps[3]], 4)] == [3, 4]

    def test_the_order_of_the_rows_does_not_matter(self) -> None:
        """Steps are taken by their numbers."""
        steps = attempt(PASSED, PASSED)
        assert trusted(steps[::-1], 2) == steps


def match(css: str, *, same: bool) -> dict[str, Any]:
    return {"locator": {"css": css}, "count": int(same), "same": same}


class TestLocators:
    def tally(self, *runs: tuple[RunRecord, list[StepRecord]]) -> dict[tuple[str, str], tuple[int, int]]:
        tally = LocatorTally()
        for run, steps in runs:
            tally.add([run], steps)
        return {(row.step_key, row.locator["css"]): (row.tried, row.matched) for row in tally.patterns(CASE.id)}

    def test_each_alternative_is_counted_by_step(self) -> None:
        """Tried in every trusted run, matched if it found the element that was used."""
        runs = [ended(day, total_steps=1) for day in (0, 1, 2)]
        outcomes = [(True, True), (False, True), (False, True)]
        counted = self.tally(
            *(
                (run, [step_record(run, 1, matches=[match("#a", same=a), match("#b", same=b)])])
                for run, (a, b) in zip(runs, outcomes, strict=True)
            )
        )
        assert counted == {("step-1", "#a"): (3, 1), ("step-1", "#b"): (3, 3)}

    def test_the_failed_attempt_of_a_flaky_run_counts_for_nothing(self) -> None:
        """Only the attempt that passed counts."""
        run = ended(0, total_steps=2, flaky=True)
        steps = [
            step_record(run, 1, 1, matches=[match("#wrong", same=True)]),
            step_record(run, 2, 1, status=FAILED),
            step_record(run, 1, 2, matches=[match("#right", same=True)]),
            step_record(run, 2, 2),
        ]
        assert self.tally((run, steps)) == {("step-1", "#right"): (1, 1)}

    def test_steps_without_alternatives_teach_nothing(self) -> None:
        """There is nothing to compare."""
        run = ended(0, total_steps=1)
        assert self.tally((run, [step_record(run, 1, matches=None)])) == {}

    def test_last_seen_is_the_latest_match(self) -> None:
        """In any order of runs; a locator that never matched was never seen."""
        tally = LocatorTally()
        for day in (1, 3, 2):
            run = ended(0, total_steps=1)
            found = [match("#a", same=day < 3), match("#never", same=False)]
            tally.add([run], [step_record(run, 1, started_at=NOON + timedelta(days=day), matches=found)])
        seen = {row.locator["css"]: row.last_seen_at for row in tally.patterns(CASE.id)}
        assert seen == {"#a": NOON + timedelta(days=2), "#never": None}


FOUND = {"text": "Go", "exact": True}


def healed(
    day: float, *, well: bool = True, by: dict[str, Any] | None = None
) -> tuple[RunRecord, list[StepRecord]]:
    """A run whose first step was healed, and whose last step passed unless `well` is False."""
    run = ended(day, total_steps=2)
    steps = [
        step_record(
            run,
            1,
            status=ADAPTED,
            target={"css": "#go"},
            locator=by or FOUND,
            started_at=NOON - timedelta(days=day),
        ),
        step_record(run, 2, status=PASSED if well else FAILED),
    ]
    return run, steps


def learned(*runs: tuple[RunRecord, list[StepRecord]]) -> dict[str, tuple[int, int]]:
    tally = LocatorTally()
    for run, steps in runs:
        tally.add([run], steps)
    return {
        pattern.locator["text"]: (pattern.tried, pattern.matched)
        for pattern in tally.patterns(CASE.id)
        if pattern.learned
    }


class TestLearnedLocators:
    def test_a_heal_before_a_good_end_is_right(self) -> None:
        """One is enough for the locator to be tried first."""
        assert learned(healed(0)) == {"Go": (1, 1)}
        assert wilson_lower_bound(1, 1) > EARNED

    def test_a_heal_before_a_failure_is_wrong(self) -> None:
        """It outweighs one right heal."""
        assert learned(healed(1), healed(0, well=False)) == {"Go": (2, 1)}
        assert wilson_lower_bound(1, 2) < EARNED

    def test_only_the_latest_uses_count(self) -> None:
        """In any order, so that a locator that stops working is dropped soon."""
        runs = [healed(day, well=day > 2) for day in range(20)]
        assert learned(*runs) == learned(*runs[::-1]) == {"Go": (5, 2)}
        assert wilson_lower_bound(2, 5) < EARNED

    def test_what_the_case_names_is_not_learned(self) -> None:
        """Neither a fallback that was used nor the target itself."""
        assert learned(healed(0, by={"css": "#go"})) == {}
