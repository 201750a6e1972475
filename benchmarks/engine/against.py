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
from benchmarks.engine.rounds import take
from benchmarks.engine.service import BenchService

SLOTS = 4
NO_SLOWER = 0.98


def against(service: BenchService, other: Path, *, rounds: int, runs: int) -> dict[str, Any]:
    """Return the runs per second of both in each round, and the median of the rounds' ratios.

    Each round changes the order, so that a machine that becomes slower or faster favours neither. A round that is
    not counted comes first.
    """
    pair = [version("this checkout", ROOT, slots=SLOTS), version("the other commit", other, slots=SLOTS)]
    for one in pair:
        check_source(service, one)
    found: list[tuple[float, float]] = []
    for number in range(rounds + 1):
        turns = {one.name: take(service, one, runs).per_s for one in (pair if number % 2 else pair[::-1])}
        ours, theirs = (turns[one.name] for one in pair)
        print(
            f"round {number}: {ours:6.2f} runs/s here, {theirs:6.2f} there, ratio {ours / theirs:.3f}", flush=True
        )
        found += [(ours, theirs)] if number else []
    return {
        "runs": rounds * runs,
        "here_per_s": [round(ours, 2) for ours, _ in found],
        "there_per_s": [round(theirs, 2) for _, theirs in found],
        "ratio": round(median_ratio(found), 3),
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
