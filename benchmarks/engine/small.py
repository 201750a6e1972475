"""Jobs that do nothing: our worker beside `rq.Worker`, and with few and many jobs that wait."""

from __future__ import annotations

import statistics
import subprocess
from typing import Any

import psutil
from redis import Redis

from benchmarks.engine.contenders import OURS, RQ
from benchmarks.engine.jobs import NOOP, QUEUE, finished, put
from benchmarks.engine.kit import ROOT
from benchmarks.engine.service import BenchService
from benchmarks.engine.usage import Sampler

RUNTIME = "benchmarks.engine.runtimes:NoopRuntime"
WAITING = (1, 1_000, 100_000)
_SLOTS = 8
_LIMIT_S = 120


def no_op(service: BenchService, *, rounds: int, jobs: int) -> dict[str, Any]:
    """Jobs per second of both, in turns, and the ratio of the medians."""
    rates: dict[str, list[float]] = {"rq.Worker": [], "qa-queue": []}
    for number in range(rounds):
        for name, kind in (("rq.Worker", "rq.Worker"), ("qa-queue", OURS)):
            rates[name].append(_drain(service, kind, jobs, behind=0)["per_s"])
            print(f"round {number + 1}: no-op jobs, {name:<12} {rates[name][-1]:7.1f} jobs/s", flush=True)
    middle = {name: round(statistics.median(found), 1) for name, found in rates.items()}
    return {"per_s": middle, "ratio": round(middle["qa-queue"] / middle["rq.Worker"], 2)}


def backlog(service: BenchService, *, jobs: int) -> list[dict[str, Any]]:
    """Measure the same jobs with 1, 1,000 and 100,000 others waiting behind them."""
    rows = []
    for waiting in WAITING:
        row = {"waiting": waiting} | _drain(service, OURS, jobs, behind=waiting)
        rows.append(row)
        print(f"{waiting:>7} jobs wait: {row}", flush=True)
    return rows


def _drain(service: BenchService, kind: str, jobs: int, *, behind: int) -> dict[str, Any]:
    """Do `jobs` of them with one worker, and leave `behind` waiting."""
    with Redis.from_url(service.redis.url) as redis:
        redis.flushdb()
        empty = redis.info("memory")["used_memory"]
        put(redis, NOOP, [{}] * (jobs + behind), plain=kind == "rq.Worker")
        stored = redis.info("memory")["used_memory"] - empty
        server = psutil.Process(service.redis.pid)
        before = sum(server.cpu_times()[:2])
        command = [RQ, "worker", "-q", "-w", kind, "-S", "json", "--burst", "--max-jobs", str(jobs), QUEUE]
        env = service.environment(QA_RUNTIME=RUNTIME, QUEUE_CONCURRENCY=str(_SLOTS))
        with subprocess.Popen(list(map(str, command)), cwd=ROOT, env=env) as popen, Sampler([popen.pid]) as sampler:
            popen.wait(_LIMIT_S)
        if popen.returncode:
            raise SystemExit(f"{kind} ended with {popen.returncode}")
        return {
            "per_s": round(finished(redis, jobs).per_s, 1),
            "worker_mb": sampler.usage.peak_mb,
            "redis_cpu_ms_per_job": round((sum(server.cpu_times()[:2]) - before) * 1000 / jobs, 2),
            "redis_kb_per_waiting_job": round(stored / (jobs + behind) / 1e3, 2),
        }
