"""CPU that each content of a Playwright trace adds to a run: `python -m benchmarks.tracing [rounds]`.

Every round performs the shop's five-step login once for each arm, in turn, in one warm browser, so that other load
of the machine meets all arms alike. CPU is user and system time of the whole process tree: browser, driver and this
process. In the service a run uses more, for its bookkeeping, so the ratios are upper bounds.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from playwright.async_api import Browser, async_playwright

from benchmarks.engine.service import started_shop
from qa_queue.settings import load_settings
from qa_queue.settings.chromium import find_browser

ROUNDS = 40
_WARM_UP = 3  # rounds that do not count
_LEAST = 4  # rounds for an error


@dataclass(frozen=True)
class Arm:
    """The content of a trace; `kept` ones are written to a file, the others are discarded as after a pass."""

    name: str
    options: dict[str, bool] | None
    kept: bool = False
    goal: str = ""


ARMS = (
    Arm("no trace", None),
    Arm("calls", {}, goal="at most 5 %: the default of a first try"),
    Arm("aria", {"aria_snapshots": True}),
    Arm("screens", {"screen_snapshots": True}),
    Arm("aria, screens", {"aria_snapshots": True, "screen_snapshots": True}),
    Arm("snapshots", {"snapshots": True}),
    Arm("snapshots, film", {"snapshots": True, "screenshots": True}),
    Arm("calls, kept", {}, kept=True),
    Arm("aria, kept", {"aria_snapshots": True}, kept=True),
    Arm("snapshots, kept", {"snapshots": True}, kept=True),
)


def cpu_seconds() -> float:
    """Return the CPU time of this process and all its descendants, those that have ended included."""
    root = psutil.Process()
    total = 0.0
    for process in (root, *root.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


async def login(browser: Browser, url: str, arm: Arm, target: Path) -> None:
    """Perform one run."""
    context = await browser.new_context(base_url=url)
    if arm.options is not None:
        await context.tracing.start(**arm.options)
    page = await context.new_page()
    await page.goto("/login")
    await page.get_by_label("User name").fill("ann")
    await page.get_by_label("Password").fill("coffee-please")
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("heading", name="Welcome back, Ann").wait_for()
    if arm.options is not None:
        await context.tracing.stop(path=target if arm.kept else None)
    await context.close()


async def measure(url: str, rounds: int) -> dict[str, list[float]]:
    """Return the CPU seconds of each arm's runs."""
    path = find_browser(load_settings())
    with tempfile.TemporaryDirectory() as folder:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=path)
            trace = Path(folder, "trace.zip")
            used = [await _round(browser, url, number, trace) for number in range(_WARM_UP + rounds)]
            await browser.close()
    return {arm.name: [one[arm.name] for one in used[_WARM_UP:]] for arm in ARMS}


async def _round(browser: Browser, url: str, number: int, trace: Path) -> dict[str, float]:
    """Run each arm once and return its CPU seconds."""
    used: dict[str, float] = {}
    order = random.Random(number).sample(ARMS, len(ARMS))
    for arm in order:
        before = cpu_seconds()
        await login(browser, url, arm, trace)
        used[arm.name] = cpu_seconds() - before
    return used


def report(found: dict[str, list[float]]) -> str:
    """Return a table: CPU of a run, and what it adds to the run without a trace of the same round.

    Medians, because a round that meets other load of the machine says little; the error is that of the median.
    """
    plain = found[ARMS[0].name]
    lines = ["| trace | CPU of a run | added | goal |", "|---|---|---|---|"]
    for arm in ARMS:
        seconds = found[arm.name]
        added = [100 * (one - other) / other for one, other in zip(seconds, plain, strict=True)]
        cells = (arm.name, f"{statistics.median(seconds) * 1000:.0f} ms", _with_error(added), arm.goal)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _with_error(values: Sequence[float]) -> str:
    """Return the median of percentages with its standard error, estimated from the middle half of the values."""
    if len(values) < _LEAST:
        return f"{statistics.median(values):+.1f} %"
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:+.1f} ± {0.93 * (high - low) / len(values) ** 0.5:.1f} %"


def main() -> None:
    """Serve the shop, measure, and print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with started_shop() as (url, _):
        sys.stdout.write(report(asyncio.run(measure(url, rounds))) + "\n")


if __name__ == "__main__":
    main()
