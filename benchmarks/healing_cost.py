"""The cost of healing: to take a fingerprint, to decide, and on runs that need no healing.

    python benchmarks/healing_cost.py [--times 40]

The page has 1500 elements. Runs with healing on and off take turns, so that both meet the same load.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.live.runs import Memory, run_case
from benchmarks.live.watch import Watch, numbered
from processors.browser.fingerprinting import PageView, candidates_of, fingerprint_of
from processors.browser.healer import search
from processors.browser.pool import WarmBrowserPool
from processors.browser.protocol import ElementHints, SessionOptions
from qa_queue.cases.actions import Click, Expect, Fill, Goto
from qa_queue.cases.checks import ToHaveText
from qa_queue.cases.model import Case, Step, Target
from qa_queue.settings import load_settings
from qa_queue.settings.chromium import find_browser
from tests.support.site import Site, serve_site

VIEW = PageView(test_id_attribute="data-testid", need=("visible", "enabled", "hit"), tag="button")
ITEMS = 249  # of six elements each


def page(items: int = ITEMS) -> str:
    """A shop's list: about 1500 elements."""
    row = (
        "<li class=row><a href='/item/{n}'>Item {n} of the season</a><span class=price>{n},50</span>"
        "<label>Pieces <input name=count{n} value=1></label>"
        "<button type=button id=buy{n}>Buy item {n}</button></li>"
    )
    rows = "".join(row.format(n=n) for n in range(items))
    return f"<title>Shop</title><h1>All</h1><ul>{rows}</ul><p id=done>done</p>"


async def times_of(work: Callable[[], Awaitable[object]], times: int) -> list[float]:
    """Return how long each of these calls takes, in ms; the first is not counted."""
    await work()
    found = []
    for _ in range(times):
        clock = time.perf_counter()
        await work()
        found.append((time.perf_counter() - clock) * 1000)
    return sorted(found)


async def on_one_page(browser: WarmBrowserPool, site: Site, times: int) -> dict[str, list[float]]:
    """Taking a fingerprint, and looking and deciding, the button's id and class having changed."""
    site.page("/list", page())
    async with browser.session(SessionOptions(base_url=site.url)) as session:
        tab = session._page
        await tab.goto("/list")
        button = tab.locator("#buy120")
        old = await fingerprint_of(button, VIEW, in_frame=False, timeout_ms=5000)
        others = tuple(c.fingerprint for c in (await candidates_of(tab.main_frame, VIEW))[40:400:40])
        await tab.evaluate("() => document.querySelectorAll('button').forEach((b, n) => b.id = 'x-' + n)")
        some = tab.locator("#x-7")
        taken = await times_of(lambda: fingerprint_of(some, VIEW, in_frame=False, timeout_ms=5000), times)
        decided = await times_of(lambda: search(tab, VIEW, ElementHints(old=old, others=others), ()), times)
        return {"take a fingerprint": taken, "look, decide and name": decided}


def case(heal: Any) -> Case:
    """A goto, and 15 steps on elements."""

    steps = [Step(args=Goto(url="/small"))]
    done = Expect(check=ToHaveText(target=Target(css="#done"), text="done"))
    for n in range(5):
        buy = Click(target=Target(css=f"#buy{n}"))
        count = Fill(target=Target(css=f"[name=count{n}]"), value="2")
        steps += [Step(args=buy), Step(args=count), Step(args=done)]
    return numbered(Case(name="Cost", steps=tuple(steps), heal=heal))


async def paired(browser: WarmBrowserPool, site: Site, home: Path, times: int) -> dict[str, list[float]]:
    """The time of the steps of whole runs, in ms, healing on and off in turns; fingerprints are known already."""
    site.page("/small", page(40))
    stores = {heal: Memory() for heal in ("auto", "off")}
    found: dict[str, list[float]] = {heal: [] for heal in stores}
    for turn in range(times + 1):
        for heal, store in sorted(stores.items(), reverse=bool(turn % 2)):
            ran = await run_case(case(heal), site.url, Watch(), browser=browser, home=home, store=store)
            if turn:  # the first one takes fingerprints
                found[heal].append(float(sum(step.duration_ms for step in ran.steps)))
    return found


def summary_of(name: str, times: Sequence[float]) -> str:
    """One line of figures."""
    ordered = sorted(times)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    return f"  {name:24}{statistics.median(ordered):9.1f}{p95:9.1f}"


async def measure(times: int) -> None:
    """Measure and print."""
    browser = WarmBrowserPool(partial(find_browser, load_settings()))
    try:
        with serve_site() as site, tempfile.TemporaryDirectory() as home:
            figures = await on_one_page(browser, site, times)
            runs = await paired(browser, site, Path(home), times)
    finally:
        await browser.close()
    print(f"  {'ms':24}{'p50':>9}{'p95':>9}")
    for name, found in figures.items():
        print(summary_of(name, found))
    for heal, found in runs.items():
        print(summary_of(f"a run, heal: {heal}", found))
    ratios = [on / off for on, off in zip(runs["auto"], runs["off"], strict=True)]
    print(f"  healing on / off, median of {len(ratios)} pairs: {statistics.median(ratios):.3f}")


def main() -> None:
    """Ask the command line how often."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--times", type=int, default=40)
    asyncio.run(measure(parser.parse_args().times))


if __name__ == "__main__":
    main()
