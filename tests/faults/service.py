"""A service to break: Redis, Supabase behind a proxy that can fail, a site, workers, and runs."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
from redis import Redis
from redis.exceptions import RedisError
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer

from qa_queue.local.process import LocalServer, free_port
from qa_queue.models import RunStatus
from qa_queue.producer import JobProducer
from qa_queue.settings import load_settings
from qa_queue.store.supabase import SupabaseStore
from tests.support.live_service import LiveService
from tests.support.poll import wait_until
from tests.support.processes import ROOT, SCRIPTS, ServiceProcess
from tests.support.proxies import HttpProxy
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
PROGRAM = SCRIPTS / "qa-queue"
_PROCFILE = f"""\
scheduler: python -m qa_queue.worker.scheduler
tests: rq worker -w qa_queue.worker.QAWorker {QUEUE}
"""
_PAGES = {"/": "Welcome", "/middle": "Middle", "/last": "Last"}
_ENDED = {"finished", "failed", "stopped", "canceled"}
_REGISTRIES = ("finished", "failed", "wip", "scheduled", "deferred", "canceled")
_ATTEMPTS = 3


@dataclass
class Checkpoint:
    """A page that sets `reached` at its first request, and may hold its answer until `go` is set."""

    reached: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)

    def wait(self, timeout: float = 60) -> None:
        """Wait until a run has reached the page."""
        wait_until(self.reached.is_set, timeout=timeout, what="a run at the checkpoint")


@dataclass(frozen=True)
class SubmittedRun:
    """A run that was acknowledged."""

    id: str
    job: Job


@dataclass(frozen=True)
class Recovery:
    """Seconds from the fault until the next run ended, and until all had."""

    first: float
    all: float


class FaultService(LiveService):
    """Everything that a fault can hit."""

    fresh = True

    def __init__(self, stack: ExitStack, folder: Path, site: Site, supabase: LocalServer, browser: Path) -> None:
        self.site = site
        self.supabase_proxy = stack.enter_context(HttpProxy(supabase.url))
        self.store = SupabaseStore(supabase.url, str(supabase.key))
        stack.callback(self.store.close)
        self.runs: list[SubmittedRun] = []
        self._instance = f"faults-{uuid4()}"  # the tests' database has runs of others
        super().__init__(
            folder,
            stack,
            QA_INSTANCE=self._instance,
            QA_RUNTIME="tests.faults.poison:PoisonRuntime",
            SUPABASE_URL=self.supabase_proxy.url,
            SUPABASE_SECRET_KEY=str(supabase.key),
            QA_BROWSER_PATH=str(browser),
            QUEUE_CONCURRENCY="2",
        )
        for path, title in _PAGES.items():
            site.page(path, f"<h1>{title}</h1>")

    def checkpoint(self, path: str, *, hold: bool) -> Checkpoint:
        """Make the page at `path` a checkpoint, which holds its first answer if it is to `hold`."""
        checkpoint = Checkpoint()

        def page(_: dict[str, str]) -> str:
            first = not checkpoint.reached.is_set()
            checkpoint.reached.set()
            if first and hold:
                checkpoint.go.wait(30)
            return f"<h1>{_PAGES[path]}</h1>"

        self.stack.callback(checkpoint.go.set)
        self.site.page(path, page)
        return checkpoint

    def submit(
        self, count: int = 1, *, function: str | None = None, steps: Any = STEPS, **fields: Any
    ) -> list[SubmittedRun]:
        """Submit runs of three attempts; `function` replaces the function of their jobs."""
        settings = load_settings(queue_max_attempts=_ATTEMPTS, qa_instance=self._instance)
        request = run_request(steps=steps, base_url=self.site.url, **fields)
        with self.connection as redis:
            for _ in range(count):
                (submitted,) = JobProducer(redis, self.store, settings).submit(request)
                job = Job.fetch(submitted.job_id, connection=self.connection, serializer=JSONSerializer)
                if function:
                    redis.hset(job.key, "data", json.dumps([function, None, [], job.kwargs]))
                self.runs.append(SubmittedRun(submitted.run_id, job))
        return self.runs[-count:]

    def wait_for_runs(self, since: float, timeout: float = 150) -> Recovery:
        """Wait until every run has ended, in Redis and in its row; `since` is the end of the fault."""
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

    def wait_for_last_attempt(self, worker: WorkerProcess, words: str, timeout: float = 150) -> float:
        """Wait until the last attempt of a harmful run has ended its process; return when that was (monotonic, s).

        `words` are in the log of the worker for each process that ends so. One that ends with other runs in it uses
        no attempt.
        """

        def look() -> bool:
            text = worker.text
            return text.count(words) >= _ATTEMPTS + ("without using an attempt" in text)

        wait_until(look, timeout, what="the end of the last attempt")
        return time.monotonic()

    def wait_for_end(self, run: SubmittedRun, timeout: float = 150) -> float:
        """Wait until a run has ended; return when that was (monotonic, s)."""
        wait_until(lambda: self._ended(run), timeout, f"the end of run {run.id}")
        return time.monotonic()

    def check_runs(self, *statuses: RunStatus) -> None:
        """Check that each run ended once: one status, one registry, each step of its last attempt once."""
        assert self.runs
        with self.connection as redis:
            for run in self.runs:
                row = self.store.get_run(run.id)
                assert row is not None
                assert row.status in (statuses or (RunStatus.COMPLETED,)), (row.status, row.error)
                registries = [name for name in _REGISTRIES if _is_in(redis, name, run.id)]
                assert len(registries) == 1, registries
                if row.status is RunStatus.COMPLETED:
                    numbers = [s.number for s in self.store.list_steps([run.id]) if s.attempt == row.attempt]
                    assert numbers == list(range(1, row.total_steps + 1)), numbers
            assert redis.llen(f"rq:queue:{QUEUE}") == redis.llen(f"rq:queue:{QUEUE}:intermediate") == 0

    @contextmanager
    def up(self) -> Iterator[ServiceProcess]:
        """Run `qa-queue up` with a scheduler and a worker, on free ports; end it after the block."""
        folder = self.folder / "up"
        folder.mkdir()
        (folder / "Procfile").write_text(_PROCFILE)
        ports = {"QA_WEB_PORT": str(free_port()), "QA_DASHBOARD_PORT": str(free_port())}
        environment = self.settings | ports | {"PYTHONPATH": str(ROOT)}
        with ServiceProcess(self.folder / "up.log", PROGRAM, "up", cwd=folder, env=environment) as up:
            yield up

    def idle_worker(self, **settings: str) -> WorkerProcess:
        """Start a worker and wait until it waits for a job."""
        worker = self.worker(**settings)
        wait_until(self._takes, timeout=90, what="a worker that waits for a job")
        return worker

    def _takes(self) -> bool:
        """Return whether a worker is blocked until a job comes."""
        with self.connection as redis:
            return any("blpop" in client["cmd"].lower() for client in redis.client_list())

    def pause_queue(self, *, paused: bool) -> None:
        """Let no worker take a job while the queue is `paused`."""
        with self.connection as redis:
            (redis.sadd if paused else redis.srem)("qa:paused", QUEUE)

    def stop_workers(self) -> None:
        """Stop every worker by SIGTERM, and check that none of their processes is left."""
        families = []
        for worker in self.workers:
            if worker.popen.poll() is None:
                families += worker.family()
                worker.signal(signal.SIGTERM)
        for worker in self.workers:
            worker.wait(60)
        wait_until(lambda: gone(families), timeout=20, what="the end of every process")

    def attempts(self, run: SubmittedRun) -> int:
        """Return the number of attempts that a run has used."""
        run.job.refresh()
        return _ATTEMPTS - (run.job.retries_left or 0)

    def _ended(self, run: SubmittedRun) -> bool:
        try:
            status = Job.fetch(run.id, connection=self.connection, serializer=JSONSerializer).get_status(
                refresh=False
            )
        except (RedisError, NoSuchJobError):  # unavailable, or its data were lost
            return False
        row = self.store.get_run(run.id)
        return status is not None and status.value in _ENDED and row is not None and row.status.final


def _is_in(redis: Redis, registry: str, job_id: str) -> bool:
    return any(member.decode().startswith(job_id) for member in redis.zrange(f"rq:{registry}:{QUEUE}", 0, -1))


def _is_main_browser(process: psutil.Process) -> bool:
    """Return False for the script that starts the browser, its crash handler, and the processes of pages."""
    arguments = process.cmdline()
    started = any(argument.startswith("--type=") or "crashpad" in argument for argument in arguments[:2])
    return "chrom" in process.exe() and not started


def find(worker: ServiceProcess, part: str, timeout: float = 30) -> psutil.Process:
    """Return a process of a worker: `worker`, `child`, `driver` or `chromium`."""
    finders: dict[str, Callable[[psutil.Process], bool]] = {
        "worker": lambda process: process.pid == worker.popen.pid,
        "child": lambda process: process.ppid() == worker.popen.pid,
        "driver": lambda process: "node" in process.name(),
        "chromium": _is_main_browser,
    }

    def is_it(process: psutil.Process) -> bool:
        try:
            return finders[part](process)
        except psutil.Error:  # it has just ended
            return False

    return wait_until(lambda: next(filter(is_it, worker.family()), None), timeout, what=part)
