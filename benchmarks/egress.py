"""Cost of the egress proxy: a case of the shop with and without it, in turns, on one machine.

    python benchmarks/egress.py [--rounds 40]

Each round performs the steps of `examples/shop/cases/login.yaml` once in a browser with the proxy and once in one
without, in alternating order, from opening the context to closing it. The shop has a process of its own, as a
tested site has: in that of the proxy it would take turns with it. The result is the ratio of the medians, with a
95 % interval by resampling of rounds, as one line of JSON. The goal is a ratio of at most 1.03.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import time
from collections.abc import Sequence
from functools import partial

from benchmarks.engine.service import started_shop
from benchmarks.live.runs import shop_cases
from processors.browser.egress.policy import EgressPolicy
from processors.browser.pool import WarmBrowserPool
from processors.execution.plan import RunPlan, plan_run
from qa_queue.models import TestJobData
from qa_queue.settings import load_settings
from qa_queue.settings.chromium import find_browser

CASE = "login.yaml"
WARM_UP = 5
RESAMPLES = 2_000
Round = tuple[float, float]  # seconds with the proxy, and without


async def main(rounds: int) -> None:
    """Measure and print the ratio."""
    find = partial(find_browser, load_settings())
    pools = WarmBrowserPool(find, egress=EgressPolicy()), WarmBrowserPool(find)
    with started_shop() as (url, _):
        plan = plan_run(shop_cases()[CASE], TestJobData(test_case_id="c", test_run_id="r", base_url=url), {})
        try:
            found = [await _round(pools, plan, number) for number in range(-WARM_UP, rounds)][WARM_UP:]
        finally:
            for pool in pools:
                await pool.close()
    print(json.dumps(summary(found)))


def summary(rounds: Sequence[Round]) -> dict[str, float]:
    """Return the medians in ms, their ratio, and the bounds of its 95 % interval."""
    chance = random.Random(1)
    resampled = sorted(_ratio(chance.choices(rounds, k=len(rounds))) for _ in range(RESAMPLES))
    return {
        "with_ms": round(statistics.median(one for one, _ in rounds) * 1000, 1),
        "without_ms": round(statistics.median(other for _, other in rounds) * 1000, 1),
        "ratio": round(_ratio(rounds), 4),
        "low": round(resampled[RESAMPLES // 40], 4),
        "high": round(resampled[-RESAMPLES // 40], 4),
    }


def _ratio(rounds: Sequence[Round]) -> float:
    return statistics.median(one for one, _ in rounds) / statistics.median(other for _, other in rounds)


async def _round(pools: tuple[WarmBrowserPool, WarmBrowserPool], plan: RunPlan, number: int) -> Round:
    times = {pool: await _seconds(pool, plan) for pool in (pools if number % 2 else reversed(pools))}
    return times[pools[0]], times[pools[1]]


async def _seconds(pool: WarmBrowserPool, plan: RunPlan) -> float:
    began = time.perf_counter()
    async with pool.session(plan.session_options(1)) as session:
        for planned in plan.steps:
            outcome = await session.perform(planned.resolved, timeout_ms=planned.timeout_ms)
            assert outcome.error is None, outcome.error
    return time.perf_counter() - began


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    asyncio.run(main(parser.parse_args().rounds))
