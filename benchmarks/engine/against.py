"""This checkout's worker against that of another commit, in turns on the same services."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.engine.contenders import Contender, version
from benchmarks.engine.kit import ROOT
from benchmarks.engine.rounds import Turn, cpu_per_run, take
from benchmarks.engine.service import BenchService

SLOTS = 4
NO_SLOWER = 0.98


def against(service: BenchService, other: Path, *, rounds: int, runs: int) -> dict[str, Any]:
    """Return the runs per second of both in each round, the median of the rounds' ratios, and the CPU time by role.

    Each round changes the order, so that a machine that becomes slower or faster favours neither. A round that is
    not counted comes first.
    """
    pair = [version("this checkout", ROOT, slots=SLOTS), version("the other commit", other, slots=SLOTS)]
    for one in pair:
        check_source(service, one)
    found: list[tuple[Turn, Turn]] = []
    for number in range(rounds + 1):
        turns = {one.name: take(service, one, runs) for one in (pair if number % 2 else pair[::-1])}
        ours, theirs = (turns[one.name] for one in pair)
        ratio = ours.per_s / theirs.per_s
        print(
            f"round {number}: {ours.per_s:6.2f} runs/s here, {theirs.per_s:6.2f} there, ratio {ratio:.3f}",
            flush=True,
        )
        found += [(ours, theirs)] if number else []
    here, there = zip(*found, strict=True)
    return {
        "runs": rounds * runs,
        "here_per_s": [round(turn.per_s, 2) for turn in here],
        "there_per_s": [round(turn.per_s, 2) for turn in there],
        "here_cpu_ms_per_run": cpu_per_run(here, rounds * runs),
        "there_cpu_ms_per_run": cpu_per_run(there, rounds * runs),
        "ratio": round(median_ratio([(ours.per_s, theirs.per_s) for ours, theirs in found]), 3),
    }


def check_source(service: BenchService, contender: Contender) -> None:
    """Make sure that programs started for a contender have the code of its checkout.

    Raises:
        SystemExit: they have another one's.
    """
    command = [sys.executable, "-c", "import processors, qa_queue; print(qa_queue.__file__, processors.__file__)"]
    environment = service.environment(**contender.env)
    done = subprocess.run(command, cwd=contender.root, env=environment, check=True, capture_output=True, text=True)
    if strange := [file for file in done.stdout.split() if not Path(file).is_relative_to(contender.root)]:
        raise SystemExit(f"{contender.name}: {strange[0]} is not part of {contender.root}")


def median_ratio(rounds: list[tuple[float, float]]) -> float:
    """Return the median of the ratios of the rounds."""
    return statistics.median(ours / theirs for ours, theirs in rounds)


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """Check a commit out beside this checkout, for as long as the block runs.

    Raises:
        SystemExit: there is no such commit.
    """
    with TemporaryDirectory(prefix="qa-bench-") as folder:
        root = Path(folder, "checkout")
        done = subprocess.run(
            ["git", "worktree", "add", "--quiet", "--detach", root, commit],
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise SystemExit(f"--against {commit}: {done.stderr.strip()}")
        try:
            yield root
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", root], cwd=ROOT, check=False)
