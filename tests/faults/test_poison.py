"""Harmful jobs: each is a dead letter after its attempts, or ends with the fault of the site.

Such a fault lasts until the harmful run is over, with all its attempts; recovery counts from then on.
"""

from __future__ import annotations

import time

import pytest

from qa_queue.models import RunStatus
from tests.faults.service import FaultService
from tests.support.steps import goto, on


@pytest.mark.parametrize("poison", ["exits", "segfaults"])
def test_a_job_that_kills_its_process(service: FaultService, survived, poison: str) -> None:
    """It uses all its attempts; its neighbour uses one."""
    worker = service.idle_worker()
    service.pause_queue(paused=True)
    service.submit()
    service.submit(function=f"poison.{poison}")
    begun = time.monotonic()
    service.pause_queue(paused=False)
    since = service.wait_for_last_attempt(worker, "ERROR: The child process")
    recovery = service.wait_for_runs(since)
    service.check_runs(RunStatus.COMPLETED, RunStatus.DEAD)
    neighbour, bad = service.runs
    assert (service.store.get_run(neighbour.id).status, service.attempts(neighbour)) == (RunStatus.COMPLETED, 1)
    assert service.store.get_run(bad.id).status is RunStatus.DEAD
    service.stop_workers()
    outcome = f"dead after 3 attempts, which took {since - begun:.1f} s; its neighbour completed on 1"
    survived(f"a job that {poison} the process", recovery, outcome)


@pytest.mark.parametrize("poison", ["swallows", "blocks"])
def test_a_job_that_does_not_end(service: FaultService, survived, poison: str) -> None:
    """Its process is killed after the grace time; it is a dead letter after its attempts."""
    worker = service.idle_worker(QA_CANCEL_GRACE="1")
    service.pause_queue(paused=True)
    (run,) = service.submit(function=f"poison.{poison}")
    service.connection.hset(run.job.key, "timeout", 2)
    begun = time.monotonic()
    service.pause_queue(paused=False)
    since = service.wait_for_last_attempt(worker, "ERROR: The child process")
    recovery = service.wait_for_runs(since)
    service.check_runs(RunStatus.DEAD)
    service.stop_workers()
    outcome = f"dead after 3 attempts, which took {since - begun:.1f} s"
    survived(f"a job that {poison} its time-out (2 s)", recovery, outcome)


def test_a_result_that_cannot_be_serialised(service: FaultService, survived) -> None:
    """It fails without another attempt, which could not succeed."""
    service.idle_worker()
    service.pause_queue(paused=True)
    (run,) = service.submit(function="poison.unserialisable")
    since = time.monotonic()
    service.pause_queue(paused=False)
    recovery = service.wait_for_runs(since)
    service.check_runs(RunStatus.FAILED)
    assert "is not JSON" in str(service.store.get_run(run.id).error)
    service.stop_workers()
    survived("a result that is not JSON", recovery, "failed on its first attempt, with the reason")


@pytest.mark.parametrize(
    ("name", "html"),
    [
        ("an endless loop in the page", "<h1>x</h1><button onclick='for(;;){}'>go</button>"),
        ("a dialog that is never answered", "<h1>x</h1><button onclick='alert(1);alert(2);alert(3)'>go</button>"),
    ],
)
def test_a_page_that_harms(service: FaultService, survived, name: str, html: str) -> None:
    """The run ends within its time, with the fault of the page; its neighbour in the same browser completes."""
    service.site.page("/bad", html)
    service.idle_worker()
    begun = time.monotonic()
    (bad,) = service.submit(steps=(goto("/bad"), on("click", "button"), on("click", "button")))
    (good,) = service.submit()
    since = service.wait_for_end(bad)
    recovery = service.wait_for_runs(since)
    row = service.store.get_run(bad.id)
    service.check_runs(RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.TIMED_OUT)
    assert service.store.get_run(good.id).status is RunStatus.COMPLETED
    assert service.attempts(bad) == service.attempts(good) == 1
    service.stop_workers()
    outcome = f"{row.status.value} after {since - begun:.1f} s; its neighbour completed"
    survived(name, recovery, outcome)
