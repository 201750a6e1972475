"""Everything that runs the five steps, as programs to start; each is a row of the table."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from redis import Redis

from benchmarks.engine.jobs import EXECUTE, PER_JOB, finished, login_payloads, put, submit
from benchmarks.engine.kit import ROOT, Kit
from benchmarks.engine.moments import VARIABLE, Span, read_span
from benchmarks.engine.service import BenchService

RQ = Path(sys.executable).with_name("rq")
OTHERS = Path(__file__).parent / "others"
OURS, MEMORY = "qa_queue.worker.QAWorker", "benchmarks.engine.runtimes:MemoryRuntime"
Command = list[str | Path]
Prepare = Callable[[BenchService, Redis, int], None]


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One row of the table. `commands` are started together for all runs; each runs `slots` at once.

    `prepare` enqueues the runs first, for a contender with a queue. A slow contender does a `share` of the runs.
    `root` is the checkout whose code it runs.
    """

    name: str
    commands: Callable[[BenchService, int], list[Command]]
    env: dict[str, str]
    slots: int = 1
    processes: int = 1
    share: float = 1.0
    prepare: Prepare | None = None
    root: Path = ROOT

    def span(self, redis: Redis, moments: Path, runs: int) -> Span:
        """Return the span of the runs, from the jobs or from the moments that the programs wrote."""
        span = finished(redis, runs) if self.prepare else read_span(moments)
        if span.runs != runs:
            raise SystemExit(f"{self.name}: {span.runs} of {runs} runs went well")
        return span


def others(kit: Kit) -> list[Contender]:
    """Return the contenders that are in use today."""
    return [
        loop("sync", processes=1),
        loop("sync", processes=2),
        *(loop("async", slots=slots) for slots in (1, 2, 4, 8)),
        Contender(name="pytest-playwright -n 2", commands=_pytest(kit), env={}, processes=2),
        Contender(name="Playwright Test --workers=2", commands=_playwright_test(kit), env={}, processes=2),
        Contender(name="@puppeteer/replay, 2 processes", commands=_replay(kit), env={}, processes=2),
        *(per_job(workers) for workers in (1, 2)),
    ]


def ours() -> list[Contender]:
    """Return our worker, with the store in memory and with Supabase Lite."""
    return [
        *(worker("in memory", slots=slots, runtime=MEMORY, prepare=_put_login) for slots in (1, 2, 4, 8)),
        worker("in memory", slots=4, workers=2, runtime=MEMORY, prepare=_put_login),
        *(worker("Supabase Lite", slots=slots, runtime="", prepare=submit) for slots in (4, 8)),
        worker("in memory, with traces", slots=4, runtime=MEMORY, prepare=_put_traced),
    ]


def loop(kind: str, *, processes: int = 1, slots: int = 1) -> Contender:
    """Bare Playwright."""

    def commands(service: BenchService, runs: int) -> list[Command]:
        module = "benchmarks.engine.others.loops"
        each = [runs // processes + (number < runs % processes) for number in range(processes)]
        return [
            [sys.executable, "-m", module, kind, service.shop, service.browser, str(n), str(slots)] for n in each
        ]

    size = f"{processes} process{'es' if processes > 1 else ''}" if kind == "sync" else f"{slots} at once"
    name = f"bare {kind} loop, {size}"
    return Contender(name=name, commands=commands, env={}, slots=slots, processes=processes)


def per_job(workers: int) -> Contender:
    """RQ's own worker, with a browser launched in each work horse."""

    def prepare(service: BenchService, redis: Redis, runs: int) -> None:
        put(redis, PER_JOB, [{"url": service.shop, "browser": str(service.browser)}] * runs, plain=True)

    return Contender(
        name=f"rq.Worker, a browser a job, {workers} worker{'s' if workers > 1 else ''}",
        commands=_workers("rq.Worker", workers),
        env={VARIABLE: "/dev/null"},
        processes=workers,
        share=0.25,
        prepare=prepare,
    )


def worker(store: str, *, slots: int, runtime: str, prepare: Prepare, workers: int = 1) -> Contender:
    """Our own worker."""
    size = f"{workers} workers, {slots} at once each" if workers > 1 else f"{slots} at once"
    return Contender(
        name=f"qa-queue, {store}, {size}",
        commands=_workers(OURS, workers),
        env={"QUEUE_CONCURRENCY": str(slots)} | ({"QA_RUNTIME": runtime} if runtime else {}),
        slots=slots,
        processes=workers,
        prepare=prepare,
    )


def version(name: str, root: Path, *, slots: int) -> Contender:
    """Return our worker as the checkout at `root` has it, with the store in memory."""
    one = worker("in memory", slots=slots, runtime=MEMORY, prepare=_put_login)
    return replace(one, name=name, root=root, env=one.env | {"PYTHONPATH": str(root)})


def _put_login(service: BenchService, redis: Redis, runs: int) -> None:
    put(redis, EXECUTE, login_payloads(service, runs))


def _put_traced(service: BenchService, redis: Redis, runs: int) -> None:
    put(redis, EXECUTE, login_payloads(service, runs, trace=True))


def _workers(kind: str, count: int) -> Callable[[BenchService, int], list[Command]]:
    command: Command = [RQ, "worker", "-q", "-w", kind, "-S", "json", "--burst", "test-execution"]
    return lambda *_: [command] * count


def _pytest(kit: Kit) -> Callable[[BenchService, int], list[Command]]:
    options = ["-q", "-n", "2", "-p", "no:cacheprovider", "--rootdir", OTHERS, "-c", "/dev/null"]

    def commands(service: BenchService, runs: int) -> list[Command]:
        del runs
        where = ["--base-url", service.shop, "--output", service.folder / "pytest"]
        return [[kit.python, "-m", "pytest", *options, *where, OTHERS / "test_login.py"]]

    return commands


def _playwright_test(kit: Kit) -> Callable[[BenchService, int], list[Command]]:
    return lambda *_: [[*kit.playwright_test, "-c", kit.folder / "playwright.config.js"]]


def _replay(kit: Kit) -> Callable[[BenchService, int], list[Command]]:
    return lambda *_: [[kit.node, kit.folder / "replay.mjs"]] * 2
