"""The checker finds bugs that are planted in the code of a real service, by the rules that they break."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from qa_queue.models import Priority
from tests.chaos.plan import ChaosPlan, PlannedFault, PlannedRun, PlannedWorker
from tests.chaos.program import carry_out

DEADLINE_S = 45  # a run that the bug has lost never ends


def run(number: int, at: float = 0.0, hold_ms: int = 2500) -> PlannedRun:
    return PlannedRun(f"run-{number}", at, Priority.NORMAL, None, (hold_ms, hold_ms), passes=True, cancel_at=None)


RUNS = tuple(run(number) for number in range(8))
PLAN = ChaosPlan(seed=0, seconds=30, browser=False, workers=(PlannedWorker(1, 0),), runs=RUNS, faults=())
FLUSH = PlannedFault(at=15, part="redis", kind="flush", seconds=0.1)
OUTAGE = PlannedFault(at=15, part="supabase", kind="gone", seconds=6)
KILL = PlannedFault(at=15, part="worker", kind="kill child", seconds=0.1)
PLANTED = {
    "last_in_first_out": (PLAN, "first come, first served"),
    "unordered_restore": (replace(PLAN, faults=(FLUSH,)), "first come, first served"),
    "no_reconciler": (replace(PLAN, faults=(FLUSH,)), "acknowledged runs end"),
    "lost_outbox_entry": (replace(PLAN, faults=(OUTAGE,)), "rows are complete"),
    "missing_step": (PLAN, "rows are complete"),
    "forgotten_attempt": (replace(PLAN, faults=(KILL,)), "tokens are held once"),
}


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_found(tmp_path: Path, supabase, bug: str) -> None:
    """By the rule that it breaks."""
    plan, rule = PLANTED[bug]
    result = carry_out(plan, tmp_path, supabase, planted=bug, deadline_s=DEADLINE_S)
    assert result.acknowledged
    assert rule in {violation.rule for violation in result.violations}, str(result)


def test_the_same_plans_without_a_bug(tmp_path: Path, supabase) -> None:
    """They break nothing."""
    result = carry_out(replace(PLAN, faults=(OUTAGE, KILL, FLUSH)), tmp_path, supabase)
    assert result.acknowledged
    assert not result.violations, str(result)
