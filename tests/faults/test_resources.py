"""Too much memory, too large a payload, a disk that is full, and pages whose process dies."""

from __future__ import annotations

import json
import time
from pathlib import Path

import psutil

from qa_queue.models import ErrorKind, RunStatus
from tests.faults.disk import full_disk
from tests.faults.scene import STEPS, Run, Scene
from tests.support.poll import wait_until
from tests.support.processes import command_of
from tests.support.steps import expect, goto
from tests.support.workers import WorkerProcess

_PAYLOAD = 50_000_000


def pages_of(worker: WorkerProcess) -> list[psutil.Process]:
    """The browser's processes for pages."""
    return [process for process in worker.family() if "--type=renderer" in command_of(process)]


def inflate(scene: Scene, run: Run, size: int) -> None:
    """Let the payload of a waiting run be so many bytes longer."""
    key, job = run.job.key, run.job
    data = job.kwargs["data"]
    data["env"] = {**data.get("env", {}), "PADDING": "x" * size}
    scene.redis.hset(key, "data", json.dumps([job.func_name, None, [], {"data": data}]))


def test_a_job_that_eats_memory(scene: Scene, survived) -> None:
    """The child is renewed when it is large and ended when it is far too large; the neighbour completes."""
    scene.submit()
    scene.submit(function="poison.eats")
    since = time.monotonic()
    scene.worker(QUEUE_RECYCLE_MB="700")
    recovery = scene.all_end(since)
    neighbour, bad = scene.runs
    scene.check(RunStatus.COMPLETED, RunStatus.DEAD)
    assert scene.store.get_run(neighbour.id).status is RunStatus.COMPLETED
    assert scene.store.get_run(bad.id).status is RunStatus.DEAD
    scene.leaves_nothing()
    survived("a job that eats memory (limit 1.4 GiB)", recovery, "dead after 3 attempts; its neighbour completed")


def test_the_page_of_a_run_is_killed(scene: Scene, survived) -> None:
    """The process of a page dies: the run failed, for that is the site's fault; the next one completes."""
    held = scene.moment("/middle", hold=True)
    (broken,) = scene.submit()
    worker = scene.worker()
    wait_until(held.reached.is_set, timeout=60, what="the moment")
    since = time.monotonic()
    for process in pages_of(worker):
        process.kill()
    held.go.set()
    (good,) = scene.submit()
    recovery = scene.all_end(since)
    scene.check(RunStatus.COMPLETED, RunStatus.FAILED)
    row = scene.store.get_run(broken.id)
    assert (row.status, row.error_kind) == (RunStatus.FAILED, ErrorKind.PAGE_CRASH)
    assert scene.store.get_run(good.id).status is RunStatus.COMPLETED
    assert scene.attempts(broken) == scene.attempts(good) == 1
    scene.leaves_nothing()
    survived("kill -9 of a page's process in mid-run", recovery, "failed as a page crash; the next run completed")


def test_a_payload_of_fifty_megabytes(scene: Scene, survived) -> None:
    """It is done like any other, and so is its neighbour."""
    large, _ = scene.submit(2)
    inflate(scene, large, _PAYLOAD)
    since = time.monotonic()
    scene.worker()
    recovery = scene.all_end(since)
    scene.check()
    scene.leaves_nothing()
    survived("a payload of 50 MB", recovery, "completed; its neighbour too")


def test_the_disk_is_full_under_the_artifacts(scene: Scene, survived) -> None:
    """A run that fails has no picture and no trace, and says so; its verdict and its rows are as ever."""
    with full_disk(Path(scene.environment["QA_HOME"]) / "artifacts"):
        (bad,) = scene.submit(steps=(*STEPS, goto("/"), expect("h1", text="Elsewhere")))
        (good,) = scene.submit()
        since = time.monotonic()
        worker = scene.worker()
        recovery = scene.all_end(since)
        scene.check(RunStatus.COMPLETED, RunStatus.FAILED)
        row = scene.store.get_run(bad.id)
        assert row.status is RunStatus.FAILED
        assert "was not stored" in str(row.error)
        assert scene.store.get_run(good.id).status is RunStatus.COMPLETED
        assert worker.popen.poll() is None
        scene.leaves_nothing()
    survived("disk full under the artifacts", recovery, "the verdict stands, without pictures; the next completed")
