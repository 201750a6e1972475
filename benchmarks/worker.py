"""Throughput and memory of the worker: no-op jobs beside `rq.Worker`, five-step runs beside a bare loop.

python benchmarks/worker.py [--runs 120] [--jobs 300]

The store is the one in memory, so that no database shares the cores. Writes benchmarks/out/worker.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self
from uuid import uuid4

from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from processors.browser.host import BrowserHost
from processors.browsing import SessionOptions
from processors.runtime import Runtime
from qa_queue.browser_path import find_browser
from qa_queue.cases.loader import case_document
from qa_queue.cases.model import ACTIONS, Case, Step
from qa_queue.local.redis import start_redis
from qa_queue.models import JobContext, TestJobData, utc_now
from qa_queue.settings import Settings, load_settings
from qa_queue.store.base import RunStore
from qa_queue.store.memory import MemoryStore
from qa_queue.store.records import CaseRecord, RunRecord, case_id, digest
from qa_queue.worker.memory import tree_memory
from tests.support.site import serve_site

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "benchmarks" / "out" / "worker.json"
RQ = Path(sys.executable).with_name("rq")
QUEUE = "test-execution"
LOGIN = "<form action=/home><label>User<input name=user></label><label>Password<input type=password></label>"
STEPS = (
    ("goto", {"url": "/login"}),
    ("fill", {"target": {"label": "User"}, "value": "ann"}),
    ("fill", {"target": {"label": "Password"}, "value": "secret"}),
    ("click", {"target": {"role": "button", "name": "Sign in"}}),
    ("expect", {"target": {"role": "heading", "name": "Welcome"}, "visible": True}),
)


class NoopRuntime:
    """Does what `benchmarks.noop` does, for our worker."""

    def __init__(self, settings: Settings, queues: Sequence[str]) -> None:
        del settings, queues

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        return None

    async def perform(self, function_name: str, data: dict[str, Any], context: JobContext) -> dict[str, Any]:
        del function_name, context
        return data

    def obstacle(self) -> str | None:
        return None


class MemoryRuntime(Runtime):
    """The real runtime on the store in memory."""

    def open_store(self, stack: AsyncExitStack) -> RunStore:
        del stack
        self._rows = MemoryStore()
        return self._rows

    async def perform(self, function_name: str, data: dict[str, Any], context: JobContext) -> dict[str, Any]:
        document = data["case"]
        case = CaseRecord(
            id=case_id("login"), key="login", name="Login", definition=document, content_hash=digest(document)
        )
        run = RunRecord(id=data["test_run_id"], test_case_id=case.id, queued_at=utc_now())
        self._rows.save([case, run])
        return await super().perform(function_name, data, context)


def case(url: str) -> Case:
    """The five-step login case."""
    steps = tuple(Step(action=name, args=ACTIONS[name].model_validate(args)) for name, args in STEPS)
    return Case(name="Login", base_url=url, steps=steps)


def enqueue(redis: Redis, function: str, count: int, make: Any) -> None:
    """Put jobs on the queue, as plain RQ does, so that both workers find the same."""
    queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
    with redis.pipeline() as pipe:
        for _ in range(count):
            job_id, data = make()
            queue.enqueue(function, kwargs={"data": data}, job_id=job_id, pipeline=pipe, job_timeout=120)
        pipe.execute()


def drain(url: str, worker: str, runtime: str, slots: int, home: Path) -> dict[str, float]:
    """Jobs per second from the first start to the last end, the start of the worker left out, and peak PSS."""
    env = os.environ | {
        "REDIS_URL": url,
        "QUEUE_CONCURRENCY": str(slots),
        "QA_RUNTIME": runtime,
        "QA_HOME": str(home),
        "LOG_LEVEL": "ERROR",
        "PYTHONPATH": str(ROOT),
    }
    command = [str(RQ), "worker", "-q", "-w", worker, "-S", "json", "--burst", QUEUE]
    peak = 0
    with subprocess.Popen(command, cwd=ROOT, env=env) as popen:
        while popen.poll() is None:
            peak = max(peak, tree_memory(popen.pid) or 0)
            time.sleep(0.25)
    if popen.returncode:
        raise SystemExit(f"{worker} ended with {popen.returncode}")
    with Redis.from_url(url) as redis:
        hashes = [redis.hgetall(key) for key in redis.scan_iter("rq:job:*")]
        bad = [one for one in hashes if one[b"status"] != b"finished"]
        if bad:
            raise SystemExit(f"{len(bad)} of {len(hashes)} jobs did not finish")
        times = sorted(_moment(one[name]) for one in hashes for name in (b"started_at", b"ended_at"))
        redis.flushdb()
    return {"per_s": round(len(hashes) / (times[-1] - times[0]), 2), "peak_mb": round(peak / 1e6)}


def _moment(text: bytes) -> float:
    return time.mktime(time.strptime(text[:19].decode(), "%Y-%m-%dT%H:%M:%S")) + float(text[19:-1] or 0)


async def bare(url: str, runs: int, slots: int) -> float:
    """Runs per second of the same steps on the same browser host, with nothing around them."""
    host = BrowserHost(find_browser(load_settings()))
    await host.start()
    left = iter(range(runs))
    steps = case(url).steps

    async def loop() -> None:
        for _ in left:
            async with host.session(SessionOptions(base_url=url)) as session:
                for step in steps:
                    outcome = await session.perform(step, timeout_ms=5000)
                    assert outcome.error is None, outcome.error

    started = time.perf_counter()
    await asyncio.gather(*(loop() for _ in range(slots)))
    took = time.perf_counter() - started
    await host.close()
    return round(runs / took, 2)


def bench(url: str, home: Path, runs: int, jobs: int) -> dict[str, Any]:
    """Everything, in one run."""
    result: dict[str, Any] = {"no-op": {}, "five steps": {}}
    with Redis.from_url(url) as redis, serve_site() as site:
        site.page("/login", LOGIN + "<button>Sign in</button></form>")
        site.page("/home", "<h1>Welcome</h1>")
        for name, worker, slots in (("rq.Worker", "rq.Worker", 1), ("qa", "qa_queue.worker.QAWorker", 8)):
            enqueue(redis, "benchmarks.noop.noop", jobs, lambda: (str(uuid4()), {}))
            result["no-op"][name] = drain(url, worker, "benchmarks.worker:NoopRuntime", slots, home)
            print("no-op", name, result["no-op"][name])
        document = case_document(case(site.url))
        for slots in (1, 2, 4, 8):

            def payload() -> tuple[str, dict[str, Any]]:
                run_id = str(uuid4())
                data = TestJobData(test_case_id=case_id("login"), test_run_id=run_id, case=document)
                return run_id, data.model_dump(mode="json")

            enqueue(redis, "processors.entry.execute_run", runs, payload)
            ours = drain(url, "qa_queue.worker.QAWorker", "benchmarks.worker:MemoryRuntime", slots, home)
            loop = asyncio.run(bare(site.url, runs, slots))
            row = ours | {"bare_per_s": loop, "ratio": round(ours["per_s"] / loop, 2)}
            row["mb_per_run"] = round(ours["peak_mb"] / slots)
            result["five steps"][slots] = row
            print("five steps,", slots, "at once:", row)
    result["no-op"]["ratio"] = round(result["no-op"]["qa"]["per_s"] / result["no-op"]["rq.Worker"]["per_s"], 2)
    return result


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=120)
    parser.add_argument("--jobs", type=int, default=300)
    asked = parser.parse_args()
    with TemporaryDirectory() as folder, start_redis(Path(folder) / "redis") as server:
        result = bench(server.url, Path(folder) / "qa", asked.runs, asked.jobs)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"written to {OUT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
