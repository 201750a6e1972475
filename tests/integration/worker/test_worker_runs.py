"""Real runs through real workers, with a browser, Redis and Supabase; processes are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from rq.job import Job
from rq.serializers import JSONSerializer

from qa_queue.models import RunStatus
from qa_queue.producer import JobProducer
from qa_queue.progress import ProgressReader
from qa_queue.settings import load_settings
from qa_queue.store.supabase import SupabaseStore
from tests.support.poll import wait_until
from tests.support.queueing import run_request
from tests.support.site import Site, serve_site
from tests.support.steps import expect, goto
from tests.support.workers import QUEUE, ROOT, RQ, ended, gone

RUNTIME = "processors.entry:Runtime"


@pytest.fixture
def site() -> Iterator[Site]:
    with serve_site() as served:
        served.page("/", "<h1>Welcome</h1>")
        yield served


@pytest.fixture
def parts(redis_url, supabase, browser_path, tmp_path) -> dict[str, str]:
    """The environment of a worker that runs the real thing."""
    return {
        "QA_RUNTIME": RUNTIME,
        "REDIS_URL": redis_url,
        "SUPABASE_URL": supabase.url,
        "SUPABASE_SECRET_KEY": supabase.key,
        "QA_BROWSER_PATH": str(browser_path),
        "QA_HOME": str(tmp_path / "home"),
    }


@pytest.fixture
def store(supabase) -> Iterator[SupabaseStore]:
    real = SupabaseStore(supabase.url, supabase.key)
    yield real
    real.close()


class Submitted:
    """A run, its job and its rows."""

    def __init__(self, redis: Redis, store: SupabaseStore, site: Site, max_attempts: int = 3) -> None:
        settings = load_settings(queue_max_attempts=max_attempts)
        request = run_request(steps=(goto("/"), expect("h1", text="Welcome")), base_url=site.url)
        (run,) = JobProducer(redis, store, settings).submit(request)
        self.id = run.run_id
        self.job = Job.fetch(run.job_id, connection=redis, serializer=JSONSerializer)
        self._store = store

    @property
    def status(self) -> RunStatus:
        row = self._store.get_run(self.id)
        assert row is not None
        return row.status

    @property
    def row(self) -> Any:
        return self._store.get_run(self.id)

    @property
    def steps(self) -> list[tuple[int, int, str]]:
        return [(s.attempt, s.number, s.status.value) for s in self._store.list_steps([self.id])]


def hold(site: Site, path: str = "/") -> threading.Event:
    """Keep the answer of a page back until the event is set."""
    site.held[path] = threading.Event()
    return site.held[path]


def test_a_run_goes_from_the_queue_through_the_browser_into_the_tables(redis_db, store, site, parts, start_worker):
    """By `rq worker` alone, with every step in order."""
    run = Submitted(redis_db, store, site)
    worker = start_worker(**parts)
    assert ended(run.job, 40) == "finished"
    assert run.job.return_value()["status"] == "completed"
    assert run.status is RunStatus.COMPLETED
    assert run.steps == [(1, 1, "passed"), (1, 2, "passed")]
    worker.says(f"Job {run.id} finished: completed")


def test_kill_9_of_the_worker_leaves_no_browser_and_another_worker_does_the_run(
    redis_db, store, site, parts, start_worker
):
    """Child, driver and Chromium are gone; the run is done on the second attempt, its steps not mixed up."""
    answer = hold(site)
    run = Submitted(redis_db, store, site)
    worker = start_worker(**parts)
    wait_until(lambda: run.status is RunStatus.RUNNING, timeout=40)
    family = worker.family()
    names = " ".join(process.name() for process in family)
    assert "chrom" in names
    assert "node" in names
    os.kill(worker.popen.pid, signal.SIGKILL)
    worker.popen.wait(5)
    wait_until(lambda: gone(family), what="the end of the whole family")
    answer.set()
    start_worker(**parts)
    assert ended(run.job, 60) == "finished"
    assert run.status is RunStatus.COMPLETED
    assert [step for step in run.steps if step[0] == 2] == [(2, 1, "passed"), (2, 2, "passed")]


def test_a_child_killed_on_the_last_attempt_leaves_a_dead_run(redis_db, store, site, parts, start_worker):
    """The next child records it: the row and the progress say so."""
    hold(site)
    run = Submitted(redis_db, store, site, max_attempts=1)
    worker = start_worker(**parts)
    wait_until(lambda: run.status is RunStatus.RUNNING, timeout=40)
    family = worker.family()[1:]
    worker.child.kill()
    assert ended(run.job, 40) == "failed"
    wait_until(lambda: run.status is RunStatus.DEAD, timeout=40)
    assert "was killed by SIGKILL" in run.row.error
    progress = ProgressReader(redis_db)
    wait_until(lambda: progress.latest([run.id])[run.id].status is RunStatus.DEAD, what="the last report")
    wait_until(lambda: gone(family), what="the end of the old child's family")


@pytest.mark.parametrize("worker_class", ["rq.Worker", "rq.SimpleWorker"])
def test_rqs_own_workers_do_a_run_too(redis_db, store, site, parts, worker_class):
    """`rq worker -S json`: a browser for each job, the same rows."""
    run = Submitted(redis_db, store, site)
    kept = {k: v for k, v in os.environ.items() if k != "QA_RUNTIME"}
    command = [RQ, "worker", "-w", worker_class, "-S", "json", "--burst", QUEUE]
    done = subprocess.run(
        command, cwd=ROOT, env=kept | parts, check=False, timeout=60, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert ended(run.job) == "finished", done.stderr
    assert run.status is RunStatus.COMPLETED
    assert run.row.attempt == 1


def test_an_unreadable_payload_ends_its_run(redis_db, store, site, parts, start_worker):
    """The row says why, though no processor could read it."""
    run = Submitted(redis_db, store, site)
    redis_db.hset(run.job.key, "data", b"\x80\x05")
    start_worker(**parts)
    assert ended(run.job, 40) == "failed"
    wait_until(lambda: run.status is RunStatus.FAILED, timeout=20)
    assert "cannot be read" in run.row.error


def test_without_supabase_in_the_settings_the_worker_ends_with_the_reason(redis_db, parts, start_worker):
    """And takes no job."""
    worker = start_worker(**{k: v for k, v in parts.items() if not k.startswith("SUPABASE")})
    assert worker.wait(40) == 1
    worker.says("SUPABASE_URL and SUPABASE_SECRET_KEY are not both set")


def test_without_a_browser_no_run_is_taken(redis_db, store, site, parts, start_worker, tmp_path: Path):
    """The worker says what is missing and waits; the run is untouched. Other queues need no browser."""
    run = Submitted(redis_db, store, site)
    worker = start_worker(**(parts | {"QA_BROWSER_PATH": str(tmp_path / "none")}))
    worker.says("No jobs are taken yet", timeout=40)
    assert run.status is RunStatus.QUEUED
    other = start_worker("--burst", queues=("cleanup",), **(parts | {"QA_BROWSER_PATH": str(tmp_path / "none")}))
    assert other.wait(40) == 0
