"""Excessive memory, a huge payload, a full disk under the artifacts, and a page whose process dies."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import psutil

from qa_queue.errors import StoreError
from qa_queue.local.stack import Stack
from qa_queue.models import ErrorKind, RunStatus
from qa_queue.settings import load_settings
from qa_queue.store.records import CaseRecord, case_id
from qa_queue.store.supabase import SupabaseStore
from tests.faults.disk import full_disk
from tests.faults.service import STEPS, FaultService, Recovery, SubmittedRun
from tests.support.poll import wait_until
from tests.support.processes import command_of
from tests.support.steps import expect, goto
from tests.support.workers import WorkerProcess

_PAYLOAD = 50_000_000


def pages_of(worker: WorkerProcess) -> list[psutil.Process]:
    """Return the browser's processes of pages."""
    return [process for process in worker.family() if "--type=renderer" in command_of(process)]


def inflate(service: FaultService, run: SubmittedRun, size: int) -> None:
    """Add `size` bytes to the payload of a waiting run."""
    key, job = run.job.key, run.job
    data = job.kwargs["data"]
    data["env"] = {**data.get("env", {}), "PADDING": "x" * size}
    service.connection.hset(key, "data", json.dumps([job.func_name, None, [], {"data": data}]))


def test_a_job_that_eats_memory(service: FaultService, survived) -> None:
    """The child is renewed at its limit and killed at twice the limit; the neighbour completes."""
    worker = service.idle_worker(QUEUE_RECYCLE_MB="700")
    service.pause_queue(paused=True)
    service.submit()
    service.submit(function="poison.eats")
    begun = time.monotonic()
    service.pause_queue(paused=False)
    since = service.wait_for_last_attempt(worker, "MiB; it is killed")
    recovery = service.wait_for_runs(since)
    neighbour, bad = service.runs
    service.check_runs(RunStatus.COMPLETED, RunStatus.DEAD)
    assert service.store.get_run(neighbour.id).status is RunStatus.COMPLETED
    assert service.store.get_run(bad.id).status is RunStatus.DEAD
    service.stop_workers()
    outcome = f"dead after 3 attempts, which took {since - begun:.1f} s; its neighbour completed"
    survived("a job that eats memory (limit 1.4 GiB)", recovery, outcome)


def test_the_page_of_a_run_is_killed(service: FaultService, survived) -> None:
    """The run fails, because the site is at fault; the next one completes."""
    held = service.checkpoint("/middle", hold=True)
    (broken,) = service.submit()
    worker = service.worker()
    held.wait()
    since = time.monotonic()
    for process in pages_of(worker):
        process.kill()
    held.go.set()
    (good,) = service.submit()
    recovery = service.wait_for_runs(since)
    service.check_runs(RunStatus.COMPLETED, RunStatus.FAILED)
    row = service.store.get_run(broken.id)
    assert (row.status, row.error_kind) == (RunStatus.FAILED, ErrorKind.PAGE_CRASH)
    assert service.store.get_run(good.id).status is RunStatus.COMPLETED
    assert service.attempts(broken) == service.attempts(good) == 1
    service.stop_workers()
    survived("kill -9 of a page's process in mid-run", recovery, "failed as a page crash; the next run completed")


def test_a_payload_of_fifty_megabytes(service: FaultService, survived) -> None:
    """It completes like any other, and so does its neighbour."""
    service.idle_worker()
    service.pause_queue(paused=True)
    large, _ = service.submit(2)
    inflate(service, large, _PAYLOAD)
    since = time.monotonic()
    service.pause_queue(paused=False)
    recovery = service.wait_for_runs(since)
    service.check_runs()
    service.stop_workers()
    survived("a payload of 50 MB", recovery, "completed; its neighbour too")


def test_the_disk_is_full_under_the_embedded_supabase(service: FaultService, survived) -> None:
    """`qa-queue up` restarts it until there is space again; everything that was acknowledged is there."""
    home = service.folder / "embedded"
    with full_disk(home, kib=120 * 1024):
        settings = load_settings(qa_home=home, redis_url=service.redis.url)
        with Stack(settings) as stack:
            stack.servers[0].wait_until_ready()
            store = SupabaseStore.from_settings(stack.settings)
            acknowledged = [_save_cases(store, number) for number in range(3)]
            _fill(home / "filler")
            kept: list[str] = []
            for _ in range(6):  # the first ones are answered with an error, the later ones not at all
                wait_until(lambda: _fails(store, kept), timeout=240, what="a full disk")
            (home / "filler").unlink()
            since = time.monotonic()
            wait_until(lambda: stack.check() or not _fails(store, kept), timeout=240, what="a database that works")
            recovery = Recovery((ended := time.monotonic() - since), ended)
            found = {case.id for case in store.list_cases()}
            assert {*acknowledged, *kept} <= found
            store.close()
    survived("disk full under the embedded Supabase", recovery, "restarted when there is space; no row is lost")


def _save_cases(store: SupabaseStore, number: int) -> str:
    """Save a case of some 500 kB and return its id."""
    name = f"case {number} {uuid4()}"
    text = os.urandom(250_000).hex()
    record = CaseRecord(id=case_id(name), key=name, name=name, source=text, definition={}, content_hash=name)
    return store.save_cases([record])[0].id


def _fails(store: SupabaseStore, kept: list[str]) -> bool:
    """Save a case; return True if that fails."""
    try:
        kept.append(_save_cases(store, len(kept)))
    except StoreError:
        return True
    return False


def _fill(path: Path) -> None:
    with suppress(OSError), path.open("wb") as file:
        while True:
            file.write(b"x" * 65536)
            file.flush()


def test_the_disk_is_full_under_the_artifacts(service: FaultService, survived) -> None:
    """A failed run has no screenshot and no trace, and its error says so; verdict and rows are complete."""
    with full_disk(Path(service.settings["QA_HOME"]) / "artifacts"):
        worker = service.idle_worker()
        (bad,) = service.submit(steps=(*STEPS, goto("/"), expect("h1", text="Elsewhere")))
        (good,) = service.submit()
        since = time.monotonic()
        recovery = service.wait_for_runs(since)
        service.check_runs(RunStatus.COMPLETED, RunStatus.FAILED)
        row = service.store.get_run(bad.id)
        assert row.status is RunStatus.FAILED
        assert "was not stored" in str(row.error)
        assert service.store.get_run(good.id).status is RunStatus.COMPLETED
        assert worker.running
        service.stop_workers()
    survived(
        "disk full under the artifacts", recovery, "the verdict stands, without a screenshot; the next completed"
    )
