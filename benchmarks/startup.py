"""The start of commands beside those of Playwright and pytest; writes benchmarks/out/startup.json.

CPU is that of the process and its children. The commands take turns, so that whatever else the machine does falls
on all alike; the figures are medians, and the ratios compare CPU within one run. `run --wait` is measured until its
job is on the queue.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from redis import Redis

from benchmarks.engine.kit import ROOT, install_node
from qa_queue.local.process import LocalServer
from qa_queue.local.redis import start_redis
from qa_queue.local.supabase import start_supabase

OUT = Path(__file__).parent / "out" / "startup.json"
BIN = Path(sys.executable).parent
CASE = ROOT / "examples" / "shop" / "cases" / "checkout.yaml"
QUEUE = "rq:queue:test-execution"
GOALS = {"qa-queue --version": 0.5, "qa-queue check FILE": 0.5, "qa-queue runs": 0.5}  # s of CPU
FIRST_JOB_GOAL_S = 0.8


@dataclass(frozen=True)
class Command:
    """A command and the folder in which it is started."""

    words: tuple[str | Path, ...]
    folder: Path


@dataclass(frozen=True)
class Cost:
    """Seconds of CPU and of wall time."""

    cpu: float
    wall: float


def main() -> None:
    """Measure, print, write."""
    rounds = _rounds()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        redis = stack.enter_context(start_redis(folder / "redis"))
        supabase = stack.enter_context(start_supabase(folder / "supabase", cache=ROOT / ".qa" / "cache"))
        environment = _environment(redis, supabase, folder)
        commands = _commands(folder)
        costs: dict[str, list[Cost]] = {name: [] for name in commands}
        first_jobs = []
        for _ in range(rounds + 1):
            for name, command in commands.items():
                costs[name].append(_cost(command, environment))
            first_jobs.append(_first_job(folder, environment, redis.url))
    figures = {name: _median(found[1:]) for name, found in costs.items()}  # the first one fills the caches
    _report(figures, statistics.median(first_jobs[1:]))


def _rounds() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    return int(parser.parse_args().rounds)


def _environment(redis: LocalServer, supabase: LocalServer, folder: Path) -> dict[str, str]:
    settings = {
        "REDIS_URL": redis.url,
        "SUPABASE_URL": supabase.url,
        "SUPABASE_SECRET_KEY": supabase.key or "",
        "QA_HOME": str(folder / "home"),
    }
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return inherited | settings  # an installed program has its bytecode


def _commands(folder: Path) -> dict[str, Command]:
    kit = install_node()
    npx = shutil.which("npx") or kit.node.with_name("npx")
    program = BIN / "qa-queue"
    return {
        "qa-queue --version": Command((program, "--version"), folder),
        "qa-queue check FILE": Command((program, "check", CASE), folder),
        "qa-queue runs": Command((program, "runs"), folder),
        "pytest --version": Command((BIN / "pytest", "--version"), folder),
        "npx playwright --version": Command((npx, "playwright", "--version"), kit.folder),
    }


def _cost(command: Command, environment: dict[str, str]) -> Cost:
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command.words, cwd=command.folder, env=environment, check=True, capture_output=True)
    wall, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall)


def _first_job(folder: Path, environment: dict[str, str], redis_url: str) -> float:
    """Return the seconds from the start of `qa-queue run --wait` until its job is on the queue; end it."""
    words = [BIN / "qa-queue", "run", CASE, "--wait", "--base-url", "http://127.0.0.1:9"]
    with Redis.from_url(redis_url) as connection:
        connection.delete(QUEUE)  # a job of the round before
        begun = time.monotonic()
        process = subprocess.Popen(
            words, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while not connection.llen(QUEUE):
            if process.poll() is not None:
                raise SystemExit("qa-queue run ended before it had sent a job")
            time.sleep(0.002)
        needed = time.monotonic() - begun
        process.send_signal(signal.SIGINT)  # it cancels its run
        process.wait(60)
    return needed


def _median(costs: list[Cost]) -> Cost:
    return Cost(statistics.median(one.cpu for one in costs), statistics.median(one.wall for one in costs))


def _report(figures: dict[str, Cost], first_job_s: float) -> None:
    others = {name: figures[name].cpu for name in ("pytest --version", "npx playwright --version")}
    print(f"{'':<26}{'CPU s':>8}{'wall s':>8}" + "".join(f"{'/ ' + name.split()[-2]:>12}" for name in others))
    for name, cost in figures.items():
        ratios = "".join(f"{cost.cpu / other:>12.2f}" for other in others.values())
        print(f"{name:<26}{cost.cpu:>8.2f}{cost.wall:>8.2f}{ratios}")
    print(f"{'first job of run --wait':<26}{'':>8}{first_job_s:>8.2f}")
    document = {name: {"cpu_s": cost.cpu, "wall_s": cost.wall} for name, cost in figures.items()}
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(document | {"first job of run --wait": {"wall_s": first_job_s}}, indent=2) + "\n")
    missed = [name for name, goal in GOALS.items() if figures[name].cpu > goal]
    missed += ["first job of run --wait"] if first_job_s > FIRST_JOB_GOAL_S else []
    if missed:
        print(f"over their goals ({GOALS['qa-queue runs']} s of CPU, {FIRST_JOB_GOAL_S} s): {', '.join(missed)}")


if __name__ == "__main__":
    main()
