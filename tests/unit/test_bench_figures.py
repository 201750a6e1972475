"""What the worker's benchmark and the soak make of what they measured."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.engine.against import median_ratio
from benchmarks.engine.goals import goals
from benchmarks.soak.growth import growths
from benchmarks.soak.samples import PARTS, Sample


def row(name: str, per_s: float, **fields: Any) -> dict[str, Any]:
    figures = {"per_s": per_s, "from_nothing_per_s": per_s} | fields
    return {"name": name, "mb_per_run": 50.0, **figures, "rounds": [figures]}


def result(**ours: float) -> dict[str, Any]:
    """A result in which everything but ours does 4 runs/s, and a browser a job 1."""
    others = [row(f"bare async loop, {slots} at once", 4.0) for slots in (1, 2, 4, 8)]
    others += [row("pytest-playwright -n 2", 4.0, from_nothing_per_s=3.0), row("Playwright Test --workers=2", 3.5)]
    others.append(row("rq.Worker, a browser a job, 1 worker", 1.0))
    mine = [row(f"qa-queue, in memory, {slots} at once", ours.get("memory", 5.2)) for slots in (1, 2, 4, 8)]
    mine += [
        row("qa-queue, in memory, 2 workers, 4 at once each", 99.0),
        row("qa-queue, in memory, with traces, 4 at once", 99.0),
        row("qa-queue, Supabase Lite, 4 at once", ours.get("lite", 4.0)),
    ]
    times = {"p50": 10.0, "p95": 20.0}
    return {
        "five steps": [*others, *mine],
        "latency": {"started": times, "first_step": times},
        "no-op": {"ratio": 3},
    }


def test_the_comparison_with_a_commit_takes_the_median_of_the_rounds() -> None:
    """Each round's two figures belong together, so one slow round does not decide."""
    assert median_ratio([(2.0, 2.0), (1.0, 2.0), (3.0, 2.0), (4.0, 4.0), (0.9, 1.0)]) == 1.0


def missed(found: dict[str, Any]) -> list[str]:
    return [goal.name for goal in goals(found) if not goal.reached]


def test_goals_are_judged_by_one_worker_without_traces():
    """Figures of two workers or traced runs do not count for the goals."""
    assert missed(result()) == []
    values = {goal.name: goal.value for goal in goals(result())}
    best = {
        name.rpartition(", ")[2]: value for name, value in values.items() if name.startswith("in memory / better")
    }
    assert best == {"each as it is used": 1.49, "both with their start-up": 1.49, "both without it": 1.3}


def test_a_worker_is_up_when_a_run_comes_and_a_runner_starts():
    """So our steady rate stands beside the runner's from start to end."""
    slow = [
        row(one["name"], 5.2, from_nothing_per_s=2.0) if "memory" in one["name"] else one
        for one in result()["five steps"]
    ]
    values = {goal.name: goal.value for goal in goals(result() | {"five steps": slow})}
    assert values["in memory / better of the runners, each as it is used"] == 1.49
    assert values["in memory / better of the runners, both with their start-up"] == 0.57


def test_ratios_are_taken_within_a_round():
    """A machine that is slow in one round is so for all ways; the median of the rounds counts."""
    found = result()
    for one in found["five steps"]:
        speeds = (1.0, 0.1, 2.0) if "in memory" in one["name"] else (1.0, 0.1, 4.0)
        one["rounds"] = [{name: value * speed for name, value in one["rounds"][0].items()} for speed in speeds]
    values = {goal.name: goal.value for goal in goals(found)}
    assert values["in memory / better of the runners, both without it"] == 1.3


def test_a_goal_that_is_missed_is_named():
    """Each on its own."""
    assert missed(result(memory=3.9)) == [
        "in memory / better of the runners, each as it is used",
        "in memory / better of the runners, both with their start-up",
        "in memory / better of the runners, both without it",
        "in memory / rq.Worker, a browser a job",
    ]
    assert missed(result(lite=3.9)) == ["Supabase Lite / better of the runners, both without it"]


def samples(driver_mb: Any) -> list[Sample]:
    same = dict.fromkeys(PARTS, 100.0)
    counts = dict.fromkeys(PARTS, 10)
    return [
        Sample(
            runs=n, pss_mb={**same, "driver": driver_mb(n)}, rss_mb=same, fds=counts, threads=counts, processes=9
        )
        for n in range(0, 1001, 10)
    ]


@pytest.mark.parametrize(
    ("driver_mb", "grows"),
    [
        (lambda n: 100 + n * 0.3, ["driver, MB of PSS"]),
        (lambda n: 100 + (n % 100), []),
        (lambda n: 60 + n * 0.2 if n < 200 else 100, []),
    ],
    ids=["leaks", "collects its garbage", "warms up"],
)
def test_growth_is_distinguished_from_garbage_and_from_warming_up(driver_mb, grows):
    """The lowest values of the later windows decide."""
    assert [one.what for one in growths(samples(driver_mb)) if one.too_much] == grows
