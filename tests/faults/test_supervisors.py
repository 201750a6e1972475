"""kill -9 of the processes that supervise workers: scheduler, autoscaler, and `qa-queue up`."""

from __future__ import annotations

import time

from tests.faults.service import PROGRAM, FaultService
from tests.support.poll import wait_until
from tests.support.processes import ServiceProcess
from tests.support.workers import QUEUE, gone

DELAY_S, LATE_S = 4, 5


def test_the_scheduler_is_killed(service: FaultService, survived) -> None:
    """Every worker enqueues due jobs, so a job starts at most 5 s late."""
    service.worker().says("serves")
    scheduler = service.scheduler()
    scheduler.says("scheduler")
    due = time.time() + DELAY_S
    service.submit(2, delay_ms=DELAY_S * 1000)
    assert scheduler.kill() == []
    since = time.monotonic()
    recovery = service.wait_for_runs(since)
    service.check_runs()
    for run in service.runs:
        run.job.refresh()
    late = max(run.job.started_at.timestamp() - due for run in service.runs)
    assert late < LATE_S
    service.stop_workers()
    survived("kill -9 of the scheduler, two runs due in 4 s", recovery, f"completed; {late:.1f} s late")


def test_the_autoscaler_is_killed(service: FaultService, survived) -> None:
    """Its workers finish what they run and exit; another worker runs the rest."""
    held = service.checkpoint("/middle", hold=True)
    service.submit(3)
    command = [PROGRAM, "worker", "--autoscale", "1:2", QUEUE]
    with ServiceProcess(service.folder / "autoscaler.log", *command, env=service.settings) as autoscaler:
        held.wait()
        left = autoscaler.kill()
        since = time.monotonic()
        held.go.set()
        service.worker()
        recovery = service.wait_for_runs(since)
        wait_until(lambda: gone(left), timeout=60, what="the end of its workers")
    service.check_runs()
    attempts = sorted(service.attempts(run) for run in service.runs)
    service.stop_workers()
    survived("kill -9 of `qa-queue worker --autoscale`", recovery, f"completed; attempts {attempts}")


def test_the_service_is_killed(service: FaultService, survived) -> None:
    """Everything that `qa-queue up` started ends with it; the next worker takes over what ran."""
    held = service.checkpoint("/middle", hold=True)
    service.submit(3)
    with service.up() as up:
        held.wait(90)
        left = up.kill()
        since = time.monotonic()
        held.go.set()
        wait_until(lambda: gone(left), timeout=20, what="the end of everything that it started")
        service.worker()
        recovery = service.wait_for_runs(since)
    service.check_runs()
    attempts = sorted(service.attempts(run) for run in service.runs)
    service.stop_workers()
    survived("kill -9 of `qa-queue up`", recovery, f"nothing is left; completed; attempts {attempts}")
