"""`python -m tests.chaos`: carry out chaos runs, `--jobs` of them at the same time, and report what they found."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import pickle
import shutil
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from qa_queue.local.process import LocalServer
from qa_queue.local.supabase import start_supabase
from qa_queue.settings import load_settings
from qa_queue.settings.chromium import find_browser
from qa_queue.worker.die_with_parent import die_with_parent
from tests.chaos import program
from tests.chaos.plan import CLOCKS_S, draw
from tests.chaos.program import ChaosResult
from tests.support.forked import start_servers

ROOT = Path(__file__).resolve().parents[2]
_SLOW_S = 15.0  # recoveries whose logs are kept too
_AT_ONCE = 4  # on two cores: faults and deadlines keep their meaning


@dataclass(frozen=True)
class _Program:
    """What the seeds share: Supabase and browser; `keep` gets the logs of bad and slow seeds."""

    folder: Path
    supabase: LocalServer
    browser: Path | None
    short: bool
    keep: Path | None

    def carry_out(self, seed: int) -> tuple[str, ChaosResult | None]:
        """Carry a seed out and return its report; None for a result if the program itself failed."""
        own = self.folder / str(seed)
        own.mkdir()
        try:
            result = program.carry_out(draw(seed, short=self.short), own, self.supabase, self.browser)
            report = str(result)
        except Exception:  # noqa: BLE001 - the other seeds go on
            result, report = None, f"seed {seed}: NO RESULT\n{traceback.format_exc()}"
        if self.keep and (result is None or result.violations or result.idle_s > _SLOW_S):
            shutil.copytree(own, self.keep / str(seed), dirs_exist_ok=True)
        shutil.rmtree(own)
        return report, result


def main() -> int:
    """Run the seeds of the command line; return 1 if any of them found a violation or has no result."""
    parser = argparse.ArgumentParser(description="Chaos runs: seeded workers, runs and overlapping faults.")
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--only", type=int, nargs="+", help="these seeds, in place of --seeds and --first")
    parser.add_argument("--short", action="store_true", help="15 s instead of 60 s, without Chromium")
    parser.add_argument("--jobs", type=int, default=_AT_ONCE, help="seeds at the same time")
    parser.add_argument("--keep", type=Path, help="folder for the logs of seeds with violations or a slow recovery")
    arguments = parser.parse_args()
    seeds = arguments.only or range(arguments.first, arguments.first + arguments.seeds)
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        parts = Path(folder)
        start_servers(CLOCKS_S)
        with start_supabase(parts / "supabase", cache=ROOT / ".qa" / "cache") as supabase:
            browser = find_browser(load_settings())
            shared = _Program(parts, supabase, browser, arguments.short, arguments.keep)
            results = [_printed(*one) for one in _carried_out(shared, seeds, arguments.jobs)]
    print(_summary(results))  # noqa: T201 - a program
    return int(any(result is None or result.violations for result in results))


def _carried_out(shared: _Program, seeds: Sequence[int], jobs: int) -> Iterator[tuple[str, ChaosResult | None]]:
    """Yield the results as they come."""
    threads = ThreadPoolExecutor(jobs)
    try:
        for future in as_completed([threads.submit(_in_process, shared, seed) for seed in seeds]):
            yield future.result()
    finally:
        threads.shutdown(cancel_futures=True)


def _in_process(shared: _Program, seed: int) -> tuple[str, ChaosResult | None]:
    """Carry a seed out in a process of its own, forked by a thread that outlives it."""
    answer = shared.folder / f"{seed}.result"
    process = multiprocessing.get_context("fork").Process(target=_answer, args=(shared, seed, answer, os.getpid()))
    process.start()
    process.join()
    if not answer.exists():
        return f"seed {seed}: NO RESULT\nits process ended with {process.exitcode}", None
    found: tuple[str, ChaosResult | None] = pickle.loads(answer.read_bytes())
    answer.unlink()
    return found


def _answer(shared: _Program, seed: int, answer: Path, program_pid: int) -> None:
    die_with_parent(program_pid)
    answer.write_bytes(pickle.dumps(shared.carry_out(seed)))


def _printed(report: str, result: ChaosResult | None) -> ChaosResult | None:
    print(report, flush=True)  # noqa: T201 - a program
    return result


def _summary(results: list[ChaosResult | None]) -> str:
    done = [result for result in results if result is not None]
    bad = sum(bool(result.violations) for result in done)
    text = f"{len(results)} seeds, {len(results) - len(done)} without a result, {bad} with violations"
    if not done:
        return text
    workers, runs, faults = (
        sum(len(result.plan.workers) for result in done),
        sum(result.acknowledged for result in done),
        sum(len(result.plan.faults) for result in done),
    )
    times = [percentiles([result.recovery_s for result in done]), percentiles([result.idle_s for result in done])]
    slow = sorted(result.slowdown for result in done)
    return (
        f"{text}; {workers} workers, {runs} runs, {faults} faults; recovery {times[0]}, "
        f"beyond the work that was left {times[1]}; slowdown {slow[len(slow) // 2]:.1f}, {slow[-1]:.1f} at most"
    )


def percentiles(seconds: list[float]) -> str:
    """Return p50, p95 and the maximum as text."""
    found = sorted(seconds)
    middle, most = found[len(found) // 2], found[min(len(found) - 1, len(found) * 95 // 100)]
    return f"p50 {middle:.1f} s, p95 {most:.1f} s, max {found[-1]:.1f} s"


if __name__ == "__main__":
    sys.exit(main())
