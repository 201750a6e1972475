"""A small service to break: Redis, Supabase behind a line that can fail, a site, workers, and runs."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from redis import Redis
from redis.exceptions import RedisError
from rq.job import Job
from rq.serializers import JSONSerializer

from qa_queue.local.process import LocalServer, free_port
from qa_queue.local.redis import start_redis
from qa_queue.models import RunStatus
from qa_queue.producer import JobProducer
from qa_queue.settings import load_settings
from qa_queue.store.supabase import SupabaseStore
from tests.faults.line import Line
from tests.support.poll import wait_until
from tests.support.queueing import run_request
from tests.support.site import Site
from tests.support.steps import expect, goto
from tests.support.workers import QUEUE, WorkerProcess, gone

STEPS = (
    goto("/"),
    expect("h1", text="Welcome"),
    goto("/middle"),
    expect("h1", text="Middle"),
    goto("/last"),
    expect("h1", text="Last"),
)
_PAGES = {"/": "Welcome", "/middle": "Middle", "/last": "Last"}
_ENDED = {"finished", "failed", "stopped", "canceled"}
_REGISTRIES = ("finished", "failed", "wip", "scheduled", "deferred", "canceled")


@dataclass
class Moment:
    """A page that tells when it is first asked for, and keeps its answer back until `go` where it is to hold."""

    reached: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Run:
    """A run that was acknowledged."""

    id: str
    job: Job


@dataclass(frozen=True)
class Recovery:
    """Seconds from the fault until the next run ended, and until all had."""

    first: float
    all: float


class Scene:
    """Everything that a fault can hit; `stack` takes it away again."""

    def __init__(self, stack: ExitStack, home: Path, site: Site, supabase: LocalServer, browser: Path) -> None:
        self.home = home
        self.site = site
        self.line = stack.enter_context(Line(supabase.url))
        self.store = SupabaseStore(supabase.url, str(supabase.key))
        stack.callback(self.store.close)
        self._stack = stack
        self._port = free_port()
        self.server = self._start_redis()
        self.workers: list[WorkerProcess] = []
        self.runs: list[Run] = []
        self.environment = {
            "QA_RUNTIME": "tests.faults.poison:PoisonRuntime",
            "REDIS_URL": self.server.url,
            "SUPABASE_URL": self.line.url,
            "SUPABASE_SECRET_KEY": str(supabase.key),
            "QA_BROWSER_PATH": str(browser),
            "QA_HOME": str(home / "qa"),
            "QUEUE_CONCURRENCY": "2",
        }
        for path, title in _PAGES.items():
            site.page(path, f"<h1>{title}</h1>")

    @property
    def redis(self) -> Redis:
        return Redis.from_url(self.server.url)

    def moment(self, path: str, *, hold: bool) -> Moment:
        """Have the page at `path` tell when it is asked for."""
        moment = Moment()

        def page(_: dict[str, str]) -> str:
            first = not moment.reached.is_set()
            moment.reached.set()
            if first and hold:
                moment.go.wait(30)
            return f"<h1>{_PAGES[path]}</h1>"

        self._stack.callback(moment.go.set)
        self.site.page(path, page)
        return moment

    def submit(
        self, count: int = 1, *, function: str | None = None, steps: Any = STEPS, **fields: Any
    ) -> list[Run]:
        """Submit runs; `function` replaces what their jobs call."""
        settings = load_settings(queue_max_attempts=3)
        request = run_request(steps=steps, base_url=self.site.url, **fields)
        with Redis.from_url(self.server.url) as redis:
            for _ in range(count):
                (submitted,) = JobProducer(redis, self.store, settings).submit(request)
                job = Job.fetch(submitted.job_id, connection=self.redis, serializer=JSONSerializer)
                if function:
                    redis.hset(job.key, "data", json.dumps([function, None, [], job.kwargs]))
                self.runs.append(Run(submitted.run_id, job))
        return self.runs[-count:]

    def worker(self, *args: str, **env: str) -> WorkerProcess:
        """Start a worker."""
        log = self.home / f"worker-{len(self.workers)}.log"
        worker = WorkerProcess(log, *args, **(self.environment | env))
        self.workers.append(self._stack.enter_context(worker))
        return worker

    def kill_redis(self) -> None:
        """Kill -9."""
        os.kill(self.server.pid, signal.SIGKILL)
        wait_until(lambda: not psutil.pid_exists(self.server.pid) or self.server.stop() is None, timeout=10)

    def restart_redis(self) -> None:
        """On the same port, with the same data."""
        self.server = self._start_redis()

    def all_end(self, since: float, timeout: float = 150) -> Recovery:
        """Wait until every run has ended, in Redis and in its row."""
        first: list[float] = []
        left = list(self.runs)

        def look() -> bool:
            for run in list(left):
                if self._ended(run):
                    left.remove(run)
                    first.append(time.monotonic() - since)
            return not left

        wait_until(look, timeout=timeout, what=f"the end of {[run.id for run in left]}")
        return Recovery(first[0], time.monotonic() - since)

    def check(self, *statuses: RunStatus) -> None:
        """Each run ended once and well kept: one status, one registry, each step of its last attempt once."""
        with Redis.from_url(self.server.url) as redis:
            for run in self.runs:
                row = self.store.get_run(run.id)
                assert row is not None
                assert row.status in (statuses or (RunStatus.COMPLETED,)), (row.status, row.error)
                homes = [name for name in _REGISTRIES if _stands_in(redis, name, run.id)]
                assert len(homes) == 1, homes
                if row.status is RunStatus.COMPLETED:
                    numbers = [s.number for s in self.store.list_steps([run.id]) if s.attempt == row.attempt]
                    assert numbers == list(range(1, row.total_steps + 1)), numbers
            assert redis.llen(f"rq:queue:{QUEUE}") == redis.llen(f"rq:queue:{QUEUE}:intermediate") == 0

    def leaves_nothing(self) -> None:
        """Every worker ends when told, and no process of theirs is left."""
        families = []
        for worker in self.workers:
            if worker.popen.poll() is None:
                families += worker.family()
                worker.signal(signal.SIGTERM)
        for worker in self.workers:
            worker.wait(60)
        wait_until(lambda: gone(families), timeout=20, what="the end of every process")

    def attempts(self, run: Run) -> int:
        """Attempts that were used up."""
        run.job.refresh()
        return 3 - (run.job.retries_left or 0)

    def _start_redis(self) -> LocalServer:
        return self._stack.enter_context(start_redis(self.home / "redis", self._port))

    def _ended(self, run: Run) -> bool:
        try:
            status = Job.fetch(run.id, connection=self.redis, serializer=JSONSerializer).get_status(refresh=False)
        except RedisError:
            return False
        row = self.store.get_run(run.id)
        return status is not None and status.value in _ENDED and row is not None and row.status.final


def _stands_in(redis: Redis, registry: str, job_id: str) -> bool:
    return any(member.decode().startswith(job_id) for member in redis.zrange(f"rq:{registry}:{QUEUE}", 0, -1))


def _is_main_browser(process: psutil.Process) -> bool:
    """Not the script that starts it, nor its crash handler, nor a process that it has started for a page."""
    arguments = process.cmdline()
    started = any(argument.startswith("--type=") or "crashpad" in argument for argument in arguments[:2])
    return "chrom" in process.exe() and not started


def find(worker: WorkerProcess, part: str) -> psutil.Process:
    """A process of a worker: `worker`, `child`, `driver` or `chromium`."""
    finders: dict[str, Callable[[psutil.Process], bool]] = {
        "worker": lambda process: process.pid == worker.popen.pid,
        "child": lambda process: "qa_queue.worker.child" in process.cmdline(),
        "driver": lambda process: "node" in process.name(),
        "chromium": _is_main_browser,
    }

    def is_it(process: psutil.Process) -> bool:
        try:
            return finders[part](process)
        except psutil.Error:  # it has just ended
            return False

    return wait_until(lambda: next(filter(is_it, worker.family()), None), what=part)
