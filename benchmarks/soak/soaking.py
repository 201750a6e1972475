"""One soak: a worker, runs, and a look at the worker's processes every few seconds."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
from redis import Redis

from benchmarks.engine.contenders import OURS, RQ
from benchmarks.engine.jobs import QUEUE, submit
from benchmarks.engine.kit import ROOT
from benchmarks.engine.service import BenchService
from benchmarks.soak.samples import Sample, take

SLOTS = 4
_LOOK_S = 2.0
_STALLED_S = 90.0
_END_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Soak:
    """A way of recycling, with what was seen."""

    name: str
    seconds: float
    samples: list[Sample]


def soak(place: BenchService, *, name: str, runs: int, recycle: int, heap_mb: int = 0) -> Soak:
    """Run `runs` five-step runs on one worker that renews its child every `recycle` runs; 0 is never.

    `heap_mb` limits the heap of Playwright's driver; 0 leaves it as it is.

    Raises:
        SystemExit: a run went wrong, nothing moved for 90 s, or the worker left a process behind.
    """
    with Redis.from_url(place.redis.url) as redis:
        redis.flushdb()
        submit(place, redis, runs, trace=True)
        started = time.monotonic()
        with _worker(place, recycle, runs, heap_mb) as pid:
            samples = list(_watch(redis, pid, name, runs))
    return Soak(name=name, seconds=round(time.monotonic() - started, 1), samples=samples)


def _dump(redis: Redis, pid: int) -> None:
    """Print what runs, and let the worker's child processes log what they are doing."""
    print("running:", redis.zrange(f"rq:wip:{QUEUE}", 0, -1), "waiting:", redis.llen(f"rq:queue:{QUEUE}"))
    for process in psutil.Process(pid).children():
        process.send_signal(signal.SIGUSR1)
    time.sleep(_LOOK_S)


@contextmanager
def _worker(place: BenchService, recycle: int, runs: int, heap_mb: int) -> Iterator[int]:
    heap = {"NODE_OPTIONS": f"--max-old-space-size={heap_mb}"} if heap_mb else {}
    env = place.environment(
        QUEUE_CONCURRENCY=str(SLOTS),
        QUEUE_RECYCLE_RUNS=str(recycle),
        QUEUE_RECYCLE_MB="0",
        QUEUE_REMOVE_ON_COMPLETE=str(runs),
        **heap,
    )
    command = [str(RQ), "worker", "-q", "-w", OURS, "-S", "json", QUEUE]
    with subprocess.Popen(command, cwd=ROOT, env=env) as popen:
        family: list[psutil.Process] = []
        try:
            yield popen.pid
            family = psutil.Process(popen.pid).children(recursive=True)
        finally:
            popen.terminate()
    _, left = psutil.wait_procs(family, timeout=_END_S)
    if left:
        raise SystemExit(f"the worker left {left} behind")


def _watch(redis: Redis, pid: int, name: str, runs: int) -> Iterator[Sample]:
    done, moved = 0, time.monotonic()
    while done < runs:
        time.sleep(_LOOK_S)
        now = redis.zcard(f"rq:finished:{QUEUE}")
        if failed := redis.zcard(f"rq:failed:{QUEUE}"):
            raise SystemExit(f"{failed} runs went wrong")
        if now > done:
            done, moved = now, time.monotonic()
        elif time.monotonic() - moved > _STALLED_S:
            _dump(redis, pid)
            raise SystemExit(f"no run ended for {_STALLED_S:g} s, after {done} of {runs}")
        sample = take(pid, done)
        yield sample
        sizes = ", ".join(f"{part} {size:.0f}" for part, size in sample.pss_mb.items())
        print(f"{name}: {done:>5} of {runs} runs; MB: {sizes}; {sample.processes} processes", flush=True)
