"""Redis and Supabase away, in idle and in mid-run; a disk that takes nothing."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from qa_queue.models import RunStatus
from tests.faults.disk import full_disk
from tests.faults.scene import Scene
from tests.support.poll import wait_until

_NEVER = threading.Event()


def idle(scene: Scene) -> None:
    """Wait until the worker has done a run, and has nothing to do."""
    scene.submit()
    scene.all_end(time.monotonic())


@pytest.mark.parametrize(
    ("state", "seconds"),
    [
        ("idle", 1),
        ("idle", 10),
        ("idle", 60),
        pytest.param("mid-run", 1, marks=pytest.mark.short),
        ("mid-run", 10),
        ("mid-run", 60),
    ],
)
def test_redis_is_killed_and_comes_back(scene: Scene, survived, state: str, seconds: int) -> None:
    """The worker outlives it; a run that goes on meanwhile loses nothing."""
    worker = scene.worker()
    if state == "idle":
        idle(scene)
        scene.kill_redis()
    else:
        held = scene.moment("/middle", hold=True)
        scene.submit(2)
        wait_until(held.reached.is_set, timeout=60, what="the moment")
        wait_until(lambda: scene.redis.config_set("appendfsync", "always"), timeout=5)
        scene.kill_redis()
        held.go.set()
    _NEVER.wait(seconds)
    scene.restart_redis()
    since = time.monotonic()
    if state == "idle":
        scene.submit(2)
    recovery = scene.all_end(since)
    scene.check()
    attempts = sorted(scene.attempts(run) for run in scene.runs)
    assert worker.popen.poll() is None
    scene.leaves_nothing()
    survived(f"Redis kill -9, back after {seconds} s, {state}", recovery, f"completed; attempts {attempts}")


@pytest.mark.parametrize(
    ("mode", "seconds"),
    [
        pytest.param("gone", 10, marks=pytest.mark.short),
        ("gone", 60),
        ("500", 10),
        ("429", 10),
        ("404", 8),
        ("403", 8),
        ("HTML", 8),
        pytest.param("read-only", 8, marks=pytest.mark.short),
        ("slow", 20),
        ("half", 10),
    ],
)
def test_supabase_fails_in_mid_run(scene: Scene, survived, mode: str, seconds: int) -> None:
    """Runs end meanwhile, their jobs are finished, and their rows arrive when it is back, once and in order."""
    worker = scene.worker()
    held = scene.moment("/middle", hold=True)
    scene.submit(3)
    wait_until(held.reached.is_set, timeout=60, what="the moment")
    scene.line.mode = mode
    held.go.set()
    finished = "" if mode == "slow" else "finished in Redis meanwhile, "
    if finished:
        wait_until(lambda: scene.redis.zcard("rq:finished:test-execution") == 3, timeout=60, what="the jobs' ends")
    _NEVER.wait(seconds)
    scene.line.mode = "good"
    since = time.monotonic()
    recovery = scene.all_end(since)
    scene.check()
    assert [scene.attempts(run) for run in scene.runs] == [1, 1, 1]
    assert worker.popen.poll() is None
    assert scene.line.refused > 0
    scene.leaves_nothing()
    assert list((Path(scene.environment["QA_HOME"]) / "outbox").iterdir()) == []
    survived(f"Supabase {mode} for {seconds} s in mid-run", recovery, f"{finished}rows arrive; attempts [1, 1, 1]")


def test_a_worker_killed_with_a_full_outbox_loses_no_row(scene: Scene, survived) -> None:
    """The next worker stores what it left."""
    worker = scene.worker()
    held = scene.moment("/middle", hold=True)
    scene.submit(2)
    wait_until(held.reached.is_set, timeout=60, what="the moment")
    scene.line.mode = "gone"
    held.go.set()
    wait_until(lambda: scene.redis.zcard("rq:finished:test-execution") == 2, timeout=60, what="the jobs' ends")
    worker.process.kill()
    worker.popen.wait(10)
    scene.line.mode = "good"
    since = time.monotonic()
    scene.worker()
    recovery = scene.all_end(since)
    scene.check()
    scene.leaves_nothing()
    survived("kill -9 of a worker with rows in its outbox", recovery, "the next worker stores them")


def test_a_worker_is_started_while_supabase_is_away(scene: Scene, survived) -> None:
    """It says what it waits for, takes nothing, and begins when Supabase is back."""
    scene.submit(2)
    scene.line.mode = "gone"
    worker = scene.worker()
    worker.says("No jobs are taken yet", timeout=60)
    _NEVER.wait(10)
    assert scene.redis.llen("rq:queue:test-execution") == 2
    scene.line.mode = "good"
    since = time.monotonic()
    recovery = scene.all_end(since)
    scene.check()
    assert [scene.attempts(run) for run in scene.runs] == [1, 1]
    scene.leaves_nothing()
    survived("a worker started while Supabase is away", recovery, "it waits, then completes; attempts [1, 1]")


def test_the_disk_is_full_under_the_outbox(scene: Scene, survived) -> None:
    """The worker says so and takes no more; what it could not keep is done again when Supabase is back."""
    with full_disk(Path(scene.environment["QA_HOME"]) / "outbox"):
        worker = scene.worker()
        held = scene.moment("/middle", hold=True)
        scene.submit(3)
        wait_until(held.reached.is_set, timeout=60, what="the moment")
        scene.line.mode = "gone"
        held.go.set()
        worker.says("No jobs are taken: the outbox", timeout=60)
        scene.line.mode = "good"
        since = time.monotonic()
        recovery = scene.all_end(since)
        scene.check(RunStatus.COMPLETED)
        attempts = sorted(scene.attempts(run) for run in scene.runs)
        scene.leaves_nothing()
    survived("disk full under the outbox while Supabase is away", recovery, f"completed; attempts {attempts}")
