"""Suites beside their alternatives, in one run: `python -m benchmarks.suites [--rounds N] [--sizes 1,10,100]`.

1. Time to verdict of 1, 10 and 100 tests of the shop's five-step login, from the start of the command to its end:
   `qa-queue run --wait` with the service up and everything recorded, `pytest -n 2` with pytest-playwright, and
   Playwright Test with two workers. Goal: 0.6, 0.8 and 0.95 of the faster one's time.
2. Makespan of 94 files of skewed durations on K workers: simulated, and on a real worker once their durations are
   known. Goal: at most 1.05 times the best possible, max(total / K, longest).

The contenders are installed into `benchmarks/.cache`. Rounds are interleaved; the table has medians with their
ratio, and the lowest and highest ratio of a round; each round is printed to stderr. A round of 100 tests takes
1.5 minutes on two quiet cores, so there are at most two of them.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.engine.kit import Kit, install
from benchmarks.engine.service import ROOT, BenchService, started_service
from qa_queue.errors.validation import count_of
from qa_queue.store.supabase import SupabaseStore
from qa_queue.suites.ordering import CaseHistory, in_order, makespan

PROGRAM = Path(sys.executable).with_name("qa-queue")
RQ = Path(sys.executable).with_name("rq")
GOALS = {1: 0.6, 10: 0.8, 100: 0.95}
FILES, SEED = 94, 1
TESTS = 200  # of all rounds of one size together, which bounds the rounds of a large one
LONGEST_S = 600  # of one command; longer is a failure
LOGIN = """import pytest
from playwright.sync_api import Page, expect


@pytest.mark.parametrize("run", range({runs}))
def test_login(page: Page, run: int) -> None:
    page.goto("/login")
    page.get_by_label("User name").fill("ann")
    page.get_by_label("Password").fill("coffee-please")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Welcome back, Ann")).to_be_visible()
"""
CONFTEST = """import os
import pytest


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    return {**browser_type_launch_args, "executable_path": os.environ["BENCH_BROWSER"]}
"""
SLEEP = "import time\n\n\ndef test_sleeps():\n    time.sleep({seconds:.3f})\n"


@dataclass(frozen=True)
class Bench:
    """The service and the contenders of all measurements."""

    service: BenchService
    kit: Kit

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of every contender."""
        return self.service.environment(
            BENCH_URL=self.service.shop,
            BENCH_BROWSER=str(self.service.browser),
            BENCH_MOMENTS=os.devnull,
            BENCH_OUTPUT=str(self.service.folder / "playwright-test"),
            QA_SUITE_VARIABLES="BENCH_BROWSER",
        )

    def run(self, command: Sequence[str | Path], folder: Path, **more: str) -> float:
        """Return the seconds that a command takes, whose tests have to pass."""
        began = time.perf_counter()
        done = subprocess.run(
            command,
            cwd=folder,
            env=self.environment | more,
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST_S,
        )
        if done.returncode:
            raise SystemExit(
                f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
            )
        return time.perf_counter() - began

    def qa_queue(self, folder: Path) -> float:
        """Return the seconds of our command."""
        base = ("--base-url", self.service.shop, "--python", self.kit.python)
        return self.run([PROGRAM, "run", ".", "--wait", *base], folder)

    def pytest(self, folder: Path) -> float:
        """Return the seconds of pytest with two processes."""
        options = ("-q", "-n", "2", "-p", "no:cacheprovider", "--base-url", self.service.shop)
        return self.run([self.kit.python, "-m", "pytest", *options], folder)

    def playwright_test(self, folder: Path, runs: int) -> float:
        """Return the seconds of Playwright Test with two workers."""
        config = self.kit.folder / "playwright.config.js"
        return self.run([*self.kit.playwright_test, "-c", config], folder, BENCH_RUNS=str(runs))


@contextmanager
def worker(bench: Bench, slots: int) -> Iterator[None]:
    """A worker of the service, warm after its first run."""
    command = [RQ, "worker", "-q", "-w", "qa_queue.worker.QAWorker", "test-execution"]
    environment = bench.environment | {"QUEUE_CONCURRENCY": str(slots)}
    with subprocess.Popen(command, cwd=bench.service.folder, env=environment) as process:
        try:
            yield
        finally:
            process.terminate()


def login_suite(folder: Path, runs: int) -> Path:
    """Write a suite of this many logins."""
    folder.mkdir(parents=True)
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_login.py").write_text(LOGIN.format(runs=runs))
    return folder


def time_to_verdict(bench: Bench, sizes: Sequence[int], rounds: int) -> Iterator[str]:
    """Yield the lines of the table of the first part."""
    yield "| tests | qa-queue | pytest -n 2 | Playwright Test | ratio | of rounds | goal |"
    yield "|---|---|---|---|---|---|---|"
    with worker(bench, slots=4):
        for size in sizes:
            folder = login_suite(bench.service.folder / f"login-{size}", size)
            bench.qa_queue(folder)  # the host of this suite is up from now on
            found: dict[str, list[float]] = {"qa-queue": [], "pytest": [], "playwright": []}
            for _ in range(max(1, min(rounds, TESTS // size))):
                found["qa-queue"].append(bench.qa_queue(folder))
                found["pytest"].append(bench.pytest(folder))
                found["playwright"].append(bench.playwright_test(folder, size))
                last = ", ".join(f"{name} {seconds[-1]:.2f} s" for name, seconds in found.items())
                print(f"{count_of(size, 'test')}: {last}", file=sys.stderr, flush=True)
            ours, *others = (statistics.median(seconds) for seconds in found.values())
            ratios = sorted(mine / min(theirs) for mine, *theirs in zip(*found.values(), strict=True))
            cells = " | ".join(f"{seconds:.2f} s" for seconds in (ours, *others))
            spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
            yield f"| {size} | {cells} | {ours / min(others):.2f} | {spread} | {GOALS.get(size, '')} |"


def skewed(total_s: float) -> list[float]:
    """Return plausible durations of 94 files in seconds: most are short, a few are long (Pareto)."""
    rng = random.Random(SEED)
    raw = [min(120.0, rng.paretovariate(1.1)) for _ in range(FILES)]
    return [duration * total_s / sum(raw) for duration in raw]


def best(durations: Sequence[float], workers: int) -> float:
    """Return the shortest possible makespan."""
    return max(sum(durations) / workers, *durations)


def simulated(durations: Sequence[float]) -> Iterator[str]:
    """Yield a line for each number of workers."""
    history: Mapping[str, CaseHistory] = {
        str(number): CaseHistory(durations_ms=(round(seconds * 1000),)) for number, seconds in enumerate(durations)
    }
    ordered = [durations[int(key)] for key in in_order(list(history), str, history)]
    for workers in (2, 4, 8, 16):
        ratio = makespan(ordered, workers) / best(durations, workers)
        yield f"| simulated, {workers} workers | {ratio:.3f} | 1.05 |"


def real(bench: Bench, durations: Sequence[float], workers: int) -> str:
    """Return the line of a real worker; the first pass teaches it the durations."""
    folder = bench.service.folder / "skewed"
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\n")
    for number, seconds in enumerate(random.Random(SEED).sample(list(durations), len(durations))):
        (folder / f"test_file_{number:02d}.py").write_text(SLEEP.format(seconds=seconds))
    command = [PROGRAM, "run", ".", "--wait", "--json", "--python", bench.kit.python]
    with worker(bench, slots=workers):
        for _ in range(2):
            done = subprocess.run(
                command, cwd=folder, env=bench.environment, capture_output=True, text=True, check=True
            )
    took = span_of(bench.service, [run["run_id"] for run in json.loads(done.stdout)["runs"]])
    return f"| one worker, {workers} at once | {took / best(durations, workers):.3f} | 1.05 |"


def span_of(service: BenchService, run_ids: Sequence[str]) -> float:
    """Return the seconds from the start of the first of these runs to the end of the last."""
    assert service.supabase is not None
    store = SupabaseStore(service.supabase.url, service.supabase.key or "")
    try:
        runs = [run for run in map(store.get_run, run_ids) if run and run.started_at and run.finished_at]
    finally:
        store.close()
    first = min(run.started_at for run in runs if run.started_at)
    return (max(run.finished_at for run in runs if run.finished_at) - first).total_seconds()


def main() -> None:
    """Measure both parts and print their tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", default="1,10,100")
    parser.add_argument("--total", type=float, default=160.0, help="Seconds of the 94 files together.")
    parser.add_argument("--workers", type=int, default=4)
    given = parser.parse_args()
    kit = install()
    with started_service(supabase=True) as stage:
        bench = Bench(stage, kit)
        for line in time_to_verdict(bench, [int(size) for size in given.sizes.split(",") if size], given.rounds):
            print(line, flush=True)
        print("\n| makespan of 94 skewed files | of the best possible | goal |\n|---|---|---|")
        durations = skewed(given.total)
        for line in simulated(durations):
            print(line)
        print(real(bench, durations, given.workers), flush=True)


if __name__ == "__main__":
    os.chdir(ROOT)
    main()
