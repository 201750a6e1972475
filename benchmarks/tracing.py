"""CPU that each content of a Playwright trace adds to a run: `python -m benchmarks.tracing [rounds]`.

Every round performs the shop's five-step login once for each arm, in turn, in one warm browser, so that other load
of the machine meets all arms alike. CPU is user and system time of the whole process tree: browser, driver and this
process. In the service a run uses more, for its bookkeeping, so the ratios are upper bounds.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psutil
from playwright.async_api import Browser, async_playwright

from qa_queue.settings import load_settings
from qa_queue.settings.chromium import find_browser

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 40
_WARM_UP = 3  # rounds that do not count


@dataclass(frozen=True)
class Arm:
    """The content of a trace; `kept` ones are written to a file, the others are discarded as after a pass."""

    name: str
    options: dict[str, bool] | None
    kept: bool = False


ARMS = (
    Arm("no trace", None),
    Arm("calls", {}),
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
    found: dict[str, list[float]] = {arm.name: [] for arm in ARMS}
    path = find_browser(load_settings())
    with tempfile.TemporaryDirectory() as folder:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=path)
            for number in range(_WARM_UP + rounds):
                used = await _round(browser, url, number, Path(folder, "trace.zip"))
                for name in found if number >= _WARM_UP else ():
                    found[name].append(used[name])
            await browser.close()
    return found


async def _round(browser: Browser, url: str, number: int, trace: Path) -> dict[str, float]:
    """Run each arm once and return its CPU seconds."""
    used: dict[str, float] = {}
    shift = number % len(ARMS)  # no arm always follows the same one
    for arm in (*ARMS[shift:], *ARMS[:shift]):
        before = cpu_seconds()
        await login(browser, url, arm, trace)
        used[arm.name] = cpu_seconds() - before
    return used


def report(found: dict[str, list[float]]) -> str:
    """Return a table: mean CPU of a run, and what it adds to a run without a trace."""
    plain = statistics.fmean(found[ARMS[0].name])
    lines = ["| trace | CPU of a run | added |", "|---|---|---|"]
    for name, seconds in found.items():
        mean = statistics.fmean(seconds)
        error = statistics.stdev(seconds) / len(seconds) ** 0.5 if len(seconds) > 1 else 0.0
        lines.append(f"| {name} | {mean * 1000:.0f} ± {error * 1000:.0f} ms | {100 * (mean / plain - 1):+.1f} % |")
    return "\n".join(lines)


def main() -> None:
    """Serve the shop, measure, and print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    command = [sys.executable, "-m", "examples.shop", "--port", "0"]
    shop = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert shop.stdout is not None
        url = next(word for word in shop.stdout.readline().split() if word.startswith("http"))
        sys.stdout.write(report(asyncio.run(measure(url, rounds))) + "\n")
    finally:
        shop.kill()
        shop.wait()


if __name__ == "__main__":
    main()
