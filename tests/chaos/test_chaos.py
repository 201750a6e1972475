"""Three short chaos runs, side by side; `make chaos` carries out as many long ones as it is asked for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from qa_queue.store.supabase import SupabaseStore
from tests.chaos.plan import LONG_S, SHORT_S, ChaosPlan, draw, overlapping
from tests.chaos.program import ChaosResult, StuckWatch, carry_out
from tests.support.forked import start_servers

SEEDS = (6, 8, 15)


def test_no_promise_is_broken(tmp_path: Path, supabase) -> None:
    """Every acknowledged run ends once, in order, with complete rows, whatever fails meanwhile."""

    def attempt(seed: int) -> ChaosResult:
        folder = tmp_path / str(seed)
        folder.mkdir()
        return carry_out(draw(seed, short=True), folder, supabase)

    store = SupabaseStore(supabase.url, supabase.key or "")
    for left in store.schedules.list_all():  # of other tests: the schedulers of the chaos runs would start them
        store.schedules.remove(left.id)
    store.close()
    start_servers([0, *(worker.clock_s for seed in SEEDS for worker in draw(seed, short=True).workers)])
    with ThreadPoolExecutor(len(SEEDS)) as pool:
        results = list(pool.map(attempt, SEEDS))
    assert not [result for result in results if result.violations], "\n".join(map(str, results))
    assert sum(result.acknowledged for result in results)  # on a slow machine an outage may refuse all of one seed


@pytest.mark.parametrize("short", [True, False])
def test_a_seed_is_one_plan(short: bool) -> None:
    """Drawn again it is the same; another seed is another plan."""
    assert draw(7, short=short) == draw(7, short=short)
    assert draw(7, short=short) != draw(8, short=short)


@pytest.mark.parametrize("short", [True, False])
def test_plans_are_within_their_limits(short: bool) -> None:
    """Of two hundred seeds: faults overlap, but not on the same part."""
    plans = [draw(seed, short=short) for seed in range(200)]
    for plan in plans:
        assert 1 <= len(plan.workers) <= (2 if short else 4)
        assert 10 <= len(plan.runs) <= (20 if short else 40)
        assert 1 <= len(plan.faults) <= (3 if short else 6)
        assert all(0 <= one.at < (SHORT_S if short else LONG_S) for one in (*plan.runs, *plan.faults))
        assert not [
            (one, other) for at, one in enumerate(plan.faults) for other in plan.faults[:at] if one.clashes(other)
        ]
    assert len({fault.kind for plan in plans for fault in plan.faults}) >= 22
    assert sum(overlapping(plan.faults) for plan in plans) > 50
    assert any(_uses_browser(plan) for plan in plans) is not short


def test_runs_that_are_late_are_not_stuck() -> None:
    """On a busy machine each may take long; only when none has ended for the whole patience are they stuck."""
    watch = StuckWatch(patience_s=180, now=0)
    late = [(20, 100), (19, 250), (19, 420), (18, 429), (18, 608)]
    assert not [left for left, now in late if watch.stuck(left, now)]
    assert watch.stuck(18, 609)


def _uses_browser(plan: ChaosPlan) -> bool:
    return plan.browser
