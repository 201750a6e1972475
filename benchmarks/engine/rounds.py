"""Every contender in turn, round after round, so that other load on the machine affects all alike."""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from redis import Redis

from benchmarks.engine.contenders import Contender
from benchmarks.engine.moments import VARIABLE
from benchmarks.engine.service import BenchService
from benchmarks.engine.usage import Sampler, Usage

_LIMIT_S = 180


@dataclass(frozen=True, kw_only=True)
class Turn:
    """A contender in one round: `seconds` from the start of its programs to their end."""

    runs: int
    per_s: float
    seconds: float
    usage: Usage

    @property
    def startup(self) -> float:
        """Seconds before the first run and after the last."""
        return self.seconds - self.runs / self.per_s


def measure(
    service: BenchService, contenders: Sequence[Contender], *, rounds: int, runs: int
) -> list[dict[str, Any]]:
    """A row of the table for each contender: medians over the rounds of `runs` runs each."""
    turns: dict[str, list[Turn]] = defaultdict(list)
    for number in range(rounds):
        for contender in contenders:
            turn = take(service, contender, max(4, round(runs * contender.share)))
            turns[contender.name].append(turn)
            print(f"round {number + 1}: {contender.name:<44} {turn.per_s:6.2f} runs/s", flush=True)
    return [_row(one, turns[one.name], rounds * runs) for one in contenders]


def _row(contender: Contender, turns: list[Turn], total: int) -> dict[str, Any]:
    per_s = statistics.median(turn.per_s for turn in turns)
    startup = statistics.median(turn.startup for turn in turns)
    at_once = contender.slots * contender.processes
    runs = sum(turn.runs for turn in turns)
    return {
        "name": contender.name,
        "at_once": at_once,
        "runs": runs,
        "per_s": round(per_s, 2),
        "spread": [round(min(turn.per_s for turn in turns), 2), round(max(turn.per_s for turn in turns), 2)],
        "startup_s": round(startup, 2),
        "from_nothing_per_s": round(_from_nothing(total, startup, per_s), 2),
        "rounds": [
            {"per_s": turn.per_s, "from_nothing_per_s": _from_nothing(total, turn.startup, turn.per_s)}
            for turn in turns
        ],
        "cpu_ms_per_run": cpu_per_run(turns, runs),
        "mb": _memory(turns),
        "peak_mb": max(turn.usage.peak_mb for turn in turns),
        "mb_per_run": round(statistics.median(turn.usage.median_mb for turn in turns) / at_once, 1),
    }


def _from_nothing(runs: int, startup: float, per_s: float) -> float:
    """Return the runs per second of `runs` runs, with the start-up."""
    return runs / (startup + runs / per_s)


def cpu_per_run(turns: Sequence[Turn], runs: int) -> dict[str, int]:
    """Return the milliseconds of CPU time for each run, by role."""
    roles = sorted({role for turn in turns for role in turn.usage.cpu})
    return {role: round(sum(turn.usage.cpu.get(role, 0) for turn in turns) * 1000 / runs) for role in roles}


def _memory(turns: list[Turn]) -> dict[str, float]:
    roles = sorted({role for turn in turns for role in turn.usage.mb})
    return {role: statistics.median(turn.usage.mb.get(role, 0) for turn in turns) for role in roles}


def take(service: BenchService, contender: Contender, runs: int) -> Turn:
    """Let a contender do this number of runs."""
    moments = service.folder / "moments"
    moments.unlink(missing_ok=True)
    with Redis.from_url(service.redis.url) as redis:
        redis.flushdb()
        if contender.prepare:
            contender.prepare(service, redis, runs)
        before = _of_services(service)
        started = time.perf_counter()
        usage = _run(contender, service, runs, moments)
        seconds = time.perf_counter() - started
        services = {name: round(after - before[name], 2) for name, after in _of_services(service).items()}
        span = contender.span(redis, moments, runs)
    usage = Usage(**asdict(usage) | {"cpu": usage.cpu | services})
    return Turn(runs=runs, per_s=span.per_s, seconds=seconds, usage=usage)


def _run(contender: Contender, service: BenchService, runs: int, moments: Path) -> Usage:
    commands = contender.commands(service, runs)
    bench = {
        VARIABLE: str(moments),
        "BENCH_RUNS": str(runs // 2 if "replay" in contender.name else runs),
        "BENCH_URL": service.shop,
        "BENCH_BROWSER": str(service.browser),
        "BENCH_OUTPUT": str(service.folder / "results"),
    }
    log = service.folder / "said"
    with contextlib.ExitStack() as stack, log.open("wb") as said:
        popens = [
            stack.enter_context(
                subprocess.Popen(
                    command,
                    cwd=contender.root,
                    env=service.environment(**bench | contender.env),
                    stdout=said,
                    stderr=said,
                )
            )
            for command in commands
        ]
        sampler = stack.enter_context(Sampler([popen.pid for popen in popens]))
        codes = [_end(popen) for popen in popens]
    if any(codes):
        raise SystemExit(f"{contender.name} ended with {codes}:\n{log.read_text()[-2000:]}")
    return sampler.usage


def _end(popen: subprocess.Popen[bytes]) -> int:
    try:
        return popen.wait(_LIMIT_S)
    except subprocess.TimeoutExpired:
        for process in [*psutil.Process(popen.pid).children(recursive=True), popen]:
            process.kill()
        return -1


def _of_services(service: BenchService) -> dict[str, float]:
    """CPU seconds so far."""
    totals = {}
    for name, pid in service.services.items():
        root = psutil.Process(pid)
        times = [process.cpu_times() for process in (root, *root.children(recursive=True))]
        totals[name] = sum(one.user + one.system for one in times)
    return totals
