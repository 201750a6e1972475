"""Goals beside the measured values. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_RUNNERS = ("pytest-playwright", "Playwright Test")


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A bound on a value: a maximum with `most`, else a minimum."""

    name: str
    value: float
    goal: float
    unit: str = "x"
    most: bool = False

    @property
    def reached(self) -> bool:
        """True if the value is within the bound."""
        return self.value <= self.goal if self.most else self.value >= self.goal


def goals(result: dict[str, Any]) -> list[Goal]:
    """Every goal, with its value in this result."""
    rows = {row["name"]: row for row in result["five steps"]}
    memory = _ours(rows, "in memory")
    runners = [row for name, row in rows.items() if name.startswith(_RUNNERS)]
    found = [*_against_runners(memory, _ours(rows, "Supabase Lite"), runners), *_against_bare(rows)]
    per_job = [row for name, row in rows.items() if name.startswith("rq.Worker")]
    found.append(Goal(name="in memory / rq.Worker, a browser a job", value=_ratio(memory, per_job), goal=4))
    found += [
        Goal(
            name=f"memory of a run, {slots} at once",
            value=_of(rows, slots)["mb_per_run"],
            goal=most,
            unit="MB",
            most=True,
        )
        for slots, most in ((4, 100), (8, 70))
    ]
    started, stepped = result["latency"]["started"], result["latency"]["first_step"]
    return [
        *found,
        Goal(name="enqueued to started, p50", value=started["p50"], goal=15, unit="ms", most=True),
        Goal(name="enqueued to first step done, p50", value=stepped["p50"], goal=250, unit="ms", most=True),
        Goal(name="enqueued to first step done, p95", value=stepped["p95"], goal=500, unit="ms", most=True),
        Goal(name="no-op jobs / rq.Worker", value=result["no-op"]["ratio"], goal=3),
    ]


def _ours(rows: dict[str, Any], store: str) -> dict[str, Any]:
    """The best of our rows with this store in one worker process."""
    kind = f"qa-queue, {store}, "
    found = [
        row for name, row in rows.items() if name.startswith(kind) and "with" not in name and "workers" not in name
    ]
    best: dict[str, Any] = max(found, key=lambda row: row["per_s"])
    return best


def _of(rows: dict[str, Any], slots: int) -> dict[str, Any]:
    row: dict[str, Any] = rows[f"qa-queue, in memory, {slots} at once"]
    return row


def _against_runners(memory: dict[str, Any], lite: dict[str, Any], runners: list[dict[str, Any]]) -> list[Goal]:
    """As each is used (a worker is up when a run comes, a runner starts for each call), and like beside like."""
    steady, whole = "per_s", "from_nothing_per_s"
    found = []
    for what, our_key, their_key in (
        ("each as it is used", steady, whole),
        ("both with their start-up", whole, whole),
        ("both without it", steady, steady),
    ):
        for name, row, goal in (("in memory", memory, 1.3), ("Supabase Lite", lite, 1.0)):
            value = _ratio(row, runners, our_key, their_key)
            found.append(Goal(name=f"{name} / better of the runners, {what}", value=value, goal=goal))
    return found


def _against_bare(rows: dict[str, Any]) -> list[Goal]:
    return [
        Goal(
            name=f"in memory / bare async loop, {slots} at once",
            value=_ratio(_of(rows, slots), [rows[f"bare async loop, {slots} at once"]]),
            goal=0.9,
        )
        for slots in (1, 2, 4, 8)
    ]


def _ratio(
    row: dict[str, Any], others: Sequence[dict[str, Any]], our_key: str = "per_s", their_key: str = "per_s"
) -> float:
    """To the best of the others in the same round, the median of the rounds: a host's speed may change between."""
    turns = zip(row["rounds"], *(other["rounds"] for other in others), strict=True)
    found = [ours[our_key] / max(their[their_key] for their in theirs) for ours, *theirs in turns]
    return round(statistics.median(found), 2)
