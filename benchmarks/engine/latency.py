"""Latency of a run on a worker with a free slot: until it starts, and until its first step is done."""

from __future__ import annotations

import statistics
import subprocess
import time
from datetime import datetime
from typing import Any

from redis import Redis

from benchmarks.engine.contenders import MEMORY, OURS, RQ
from benchmarks.engine.jobs import EXECUTE, QUEUE, login_payloads, put
from benchmarks.engine.kit import ROOT
from benchmarks.engine.service import BenchService
from qa_queue.progress.events import decode, stream_key

_LOOK_S = 0.02
_LIMIT_S = 60.0


def latency(service: BenchService, *, runs: int) -> dict[str, Any]:
    """Milliseconds from just before the enqueueing; one run at a time on a worker that has four slots."""
    env = service.environment(QA_RUNTIME=MEMORY, QUEUE_CONCURRENCY="4")
    command = [RQ, "worker", "-q", "-w", OURS, "-S", "json", QUEUE]
    with Redis.from_url(service.redis.url) as redis:
        redis.flushdb()
        with subprocess.Popen(list(map(str, command)), cwd=ROOT, env=env) as popen:
            try:
                _one(service, redis)  # the worker and its browser come up
                times = [_one(service, redis) for _ in range(runs)]
            finally:
                popen.terminate()
    started, stepped = zip(*times, strict=True)
    return {"runs": runs, "started": _quantiles(started), "first_step": _quantiles(stepped)}


def _quantiles(values: tuple[float, ...]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=20)
    return {"p50": round(statistics.median(values), 1), "p95": round(cuts[18], 1)}


def _one(service: BenchService, redis: Redis) -> tuple[float, float]:
    (payload,) = login_payloads(service, 1)
    run_id = payload["test_run_id"]
    asked = time.time()
    put(redis, EXECUTE, [payload])
    _wait_for_end(redis, run_id)
    text = redis.hget(f"rq:job:{run_id}", "started_at").decode()
    started = datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    entries = redis.xrange(stream_key(run_id))
    stepped = next(int(key.split(b"-")[0]) / 1000 for key, fields in entries if decode(fields).current_step == 1)
    return (started - asked) * 1000, (stepped - asked) * 1000


def _wait_for_end(redis: Redis, run_id: str) -> None:
    deadline = time.monotonic() + _LIMIT_S
    while (status := redis.hget(f"rq:job:{run_id}", "status")) != b"finished":
        if status == b"failed" or time.monotonic() > deadline:
            raise SystemExit(f"run {run_id} is {status!r}")
        time.sleep(_LOOK_S)
