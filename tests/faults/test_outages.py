"""Redis and Supabase unavailable while a worker is idle or in mid-run; a full disk under the outbox."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from qa_queue.models import RunStatus
from qa_queue.monitoring.heartbeats import OUTBOX_FIELD
from tests.faults.disk import full_disk
from tests.faults.service import FaultService
from tests.support.poll import wait_until

_NEVER = threading.Event()


def idle(service: FaultService) -> None:
    """Wait until the worker has completed a run and is idle."""
    service.submit()
    service.wait_for_runs(time.monotonic())


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
def test_redis_is_killed_and_comes_back(service: FaultService, survived, state: str, seconds: int) -> None:
    """The worker survives; a run that continues meanwhile loses nothing."""
    worker = service.worker()
    if state == "idle":
        idle(service)
        service.kill_redis()
    else:
        held = service.checkpoint("/middle", hold=True)
        service.submit(2)
        held.wait()
        wait_until(lambda: service.connection.config_set("appendfsync", "always"), timeout=5)
        service.kill_redis()
        held.go.set()
    _NEVER.wait(seconds)
    service.start_redis()
    since = time.monotonic()
    if state == "idle":
        service.submit(2)
    recovery = service.wait_for_runs(since)
    service.check_runs()
    attempts = sorted(service.attempts(run) for run in service.runs)
    assert worker.running
    service.stop_workers()
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
def test_supabase_fails_in_mid_run(service: FaultService, survived, mode: str, seconds: int) -> None:
    """Runs end meanwhile, their jobs finish, and their rows arrive once and in order when it is back."""
    worker = service.worker()
    held = service.checkpoint("/middle", hold=True)
    service.submit(3)
    held.wait()
    service.supabase_proxy.mode = mode
    held.go.set()
    finished = "" if mode == "slow" else "finished in Redis meanwhile, "
    if finished:
        wait_until(
            lambda: service.connection.zcard("rq:finished:test-execution") == 3, timeout=60, what="the jobs' ends"
        )
        wait_until(lambda: _outbox_bytes(service), what="the depth of the outbox in the worker's heartbeat")
    _NEVER.wait(seconds)
    service.supabase_proxy.mode = "good"
    since = time.monotonic()
    recovery = service.wait_for_runs(since)
    service.check_runs()
    assert [service.attempts(run) for run in service.runs] == [1, 1, 1]
    assert worker.running
    assert service.supabase_proxy.refused > 0
    service.stop_workers()
    assert list((Path(service.settings["QA_HOME"]) / "outbox").iterdir()) == []
    survived(f"Supabase {mode} for {seconds} s in mid-run", recovery, f"{finished}rows arrive; attempts [1, 1, 1]")


def _outbox_bytes(service: FaultService) -> int:
    """Return what the workers report: the reconciler and the alerts read it."""
    with service.connection as redis:
        return sum(int(redis.hget(key, OUTBOX_FIELD) or 0) for key in redis.smembers("rq:workers"))


def test_a_worker_killed_with_rows_in_its_outbox_loses_none(service: FaultService, survived) -> None:
    """The next worker stores them."""
    worker = service.worker()
    held = service.checkpoint("/middle", hold=True)
    service.submit(2)
    held.wait()
    service.supabase_proxy.mode = "gone"
    held.go.set()
    wait_until(
        lambda: service.connection.zcard("rq:finished:test-execution") == 2, timeout=60, what="the jobs' ends"
    )
    worker.process.kill()
    worker.wait(10)
    service.supabase_proxy.mode = "good"
    since = time.monotonic()
    service.worker()
    recovery = service.wait_for_runs(since)
    service.check_runs()
    service.stop_workers()
    survived("kill -9 of a worker with rows in its outbox", recovery, "the next worker stores them")


def test_a_worker_is_started_while_supabase_is_unavailable(service: FaultService, survived) -> None:
    """It logs what it waits for, takes no job, and starts when Supabase is back."""
    service.submit(2)
    service.supabase_proxy.mode = "gone"
    worker = service.worker()
    worker.says("No jobs are taken yet", timeout=60)
    _NEVER.wait(10)
    assert service.connection.llen("rq:queue:test-execution") == 2
    service.supabase_proxy.mode = "good"
    since = time.monotonic()
    recovery = service.wait_for_runs(since)
    service.check_runs()
    assert [service.attempts(run) for run in service.runs] == [1, 1]
    service.stop_workers()
    survived(
        "a worker started while Supabase is unavailable", recovery, "it waits, then completes; attempts [1, 1]"
    )


def test_the_disk_is_full_under_the_outbox(service: FaultService, survived) -> None:
    """The worker takes no more jobs and says why; runs that it could not store are repeated afterwards."""
    with full_disk(Path(service.settings["QA_HOME"]) / "outbox"):
        worker = service.worker()
        held = service.checkpoint("/middle", hold=True)
        service.submit(3)
        held.wait()
        service.supabase_proxy.mode = "gone"
        held.go.set()
        worker.says("No jobs are taken: the outbox", timeout=60)
        service.supabase_proxy.mode = "good"
        since = time.monotonic()
        recovery = service.wait_for_runs(since)
        service.check_runs(RunStatus.COMPLETED)
        attempts = sorted(service.attempts(run) for run in service.runs)
        service.stop_workers()
    survived(
        "disk full under the outbox while Supabase is unavailable", recovery, f"completed; attempts {attempts}"
    )
