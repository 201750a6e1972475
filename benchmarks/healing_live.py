"""Rates at which cases find their elements, or wrong ones, in changed versions of the shop.

    python benchmarks/healing_live.py [--arms chain,healing,led] [--versions ids,moved] [--cases login.yaml]

Every case runs once on the original, where each step's element and its recorded locators are noted; then, from what
the store knows after that run, on every version, in each arm. The key of the element that a step acted on is
compared with the original's. Results go to benchmarks/out/healing_live.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks.live.arms import ARMS, CHAIN, HEALING, PATIENT, Arm, as_written
from benchmarks.live.outcomes import Outcome, Seen, outcomes
from benchmarks.live.report import Result, document, mistakes, table
from benchmarks.live.runs import Memory, Ran, run_case, shop_cases
from benchmarks.live.watch import Watch, acts, watching
from benchmarks.shop_versions import ORIGINAL, VERSIONS, Version, serve_version
from processors.browser.pool import WarmBrowserPool
from qa_queue.cases.model import Case
from qa_queue.models import StepStatus
from qa_queue.settings import load_settings
from qa_queue.settings.chromium import find_browser

OUT = Path(__file__).parent / "out" / "healing_live.json"
AT_ONCE = 4


@dataclass(frozen=True)
class LiveBenchmark:
    """One warm browser, the addresses of the versions, and how many runs may go on at once."""

    browser: WarmBrowserPool
    home: Path
    urls: Mapping[str, str]
    gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def run(self, case: Case, version: Version, watch: Watch, store: Memory) -> Ran:
        """One run, when it is its turn."""
        async with self.gate:
            return await run_case(
                case, self.urls[version.name], watch, browser=self.browser, home=self.home, store=store
            )


async def compare(
    bench: LiveBenchmark, cases: Mapping[str, Case], versions: Sequence[Version], arms: Sequence[Arm]
) -> dict[str, list[Result]]:
    """Run everything; the results by arm, in the order of cases and versions."""
    runs = await asyncio.gather(*(original(bench, case) for case in cases.values()))
    originals = dict(zip(cases, runs, strict=True))
    for name, ran in originals.items():
        require_passed(name, cases[name], ran)
    jobs = [(arm, version, name) for arm in arms for version in versions for name in cases]
    found = await asyncio.gather(
        *(changed(bench, arm, version, name, cases[name], originals[name]) for arm, version, name in jobs)
    )
    results: dict[str, list[Result]] = {arm.name: [] for arm in arms}
    for (arm, _, _), steps in zip(jobs, found, strict=True):
        results[arm.name] += steps
    return results


async def original(bench: LiveBenchmark, case: Case) -> Ran:
    """The run on the shop as it is, with time enough."""
    return await bench.run(as_written(case, {}, times=PATIENT), ORIGINAL, Watch(record=True), Memory())


def require_passed(name: str, case: Case, ran: Ran) -> None:
    """End the benchmark unless every acting step passed on the original, and its element was seen."""
    for number, step in enumerate(case.steps, 1):
        row = ran.steps[number - 1]
        if acts(step) and (row.status is not StepStatus.PASSED or number not in ran.watch.acted):
            sys.exit(
                f"{name}: step {number} does not pass on the original: {row.error or 'its element was not seen'}"
            )


async def changed(
    bench: LiveBenchmark, arm: Arm, version: Version, name: str, case: Case, before: Ran
) -> list[Result]:
    """The acting steps of a run on a changed version."""
    wanted = before.watch.acted
    watch = Watch(wanted=wanted, lead=arm.lead)
    ran = await bench.run(arm.prepare(case, before.watch.chains), version, watch, Memory(before.store.told))
    numbers = [number for number, step in enumerate(case.steps, 1) if acts(step)]
    seen = [
        Seen(
            number=number,
            wanted=wanted[number],
            status=ran.steps[number - 1].status,
            acted=watch.acted.get(number),
            there=watch.there.get(number, False),
        )
        for number in numbers
    ]
    return [_result(ran, version, name, step, outcome) for step, outcome in zip(seen, outcomes(seen), strict=True)]


def _result(ran: Ran, version: Version, name: str, seen: Seen, outcome: Outcome) -> Result:
    row, adaptation = ran.steps[seen.number - 1], ran.adaptations.get(seen.number)
    return Result(
        version=version.name,
        case=name,
        step=seen.number,
        action=row.name,
        outcome=outcome,
        there=seen.there,
        wanted=seen.wanted,
        acted=seen.acted,
        reason=adaptation.reason if adaptation else None,
        locator=adaptation.new_target if adaptation else None,
        error=row.error,
    )


async def measure(
    cases: Mapping[str, Case], versions: Sequence[Version], arms: Sequence[Arm]
) -> dict[str, list[Result]]:
    """Serve the versions, start a browser, compare."""
    with ExitStack() as sites, tempfile.TemporaryDirectory() as home, watching():
        urls = {version.name: sites.enter_context(serve_version(version)) for version in (ORIGINAL, *versions)}
        browser = WarmBrowserPool(partial(find_browser, load_settings()))
        try:
            return await compare(LiveBenchmark(browser, Path(home), urls), cases, versions, arms)
        finally:
            await browser.close()


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    asked = _asked(arguments)
    arms = [ARMS[name] for name in asked.arms.split(",")]
    versions = [v for v in VERSIONS if not asked.versions or v.name in asked.versions.split(",")]
    cases = {name: case for name, case in shop_cases().items() if not asked.cases or name in asked.cases.split(",")}
    began = time.monotonic()
    results = asyncio.run(measure(cases, versions, arms))
    for arm in arms:
        for line in (*table(arm.name, arm.description, results[arm.name]), *mistakes(results[arm.name])):
            print(line)
    seconds = round(time.monotonic() - began, 1)
    print(f"\n{len(cases)} cases, {len(versions)} versions, {seconds} s; every step: {OUT}")
    OUT.parent.mkdir(exist_ok=True)
    documents = [document(arm.name, arm.description, results[arm.name]) for arm in arms]
    OUT.write_text(
        json.dumps({"seconds": seconds, "arms": documents}, indent=1, ensure_ascii=False), encoding="utf-8"
    )


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--arms", default=f"{CHAIN.name},{HEALING.name}", help=f"of {', '.join(ARMS)}")
    parser.add_argument("--versions", default="", help="names, comma-separated; all where none is given")
    parser.add_argument("--cases", default="", help="names of files, comma-separated; all where none is given")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
