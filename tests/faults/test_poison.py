"""Harmful jobs: each is a dead letter after its attempts, or ends with the fault of the site."""

from __future__ import annotations

import time

import pytest

from qa_queue.models import RunStatus
from tests.faults.service import FaultService
from tests.support.steps import goto, on


@pytest.mark.parametrize("poison", ["exits", "segfaults"])
def test_a_job_that_kills_its_process(service: FaultService, survived, poison: str) -> None:
    """It uses all its attempts; its neighbour uses one."""
    service.submit()
    service.submit(function=f"poison.{poison}")
    since = time.monotonic()
    service.worker()
    recovery = service.wait_for_runs(since)
    service.check_runs(RunStatus.COMPLETED, RunStatus.DEAD)
    neighbour, bad = service.runs
    assert (service.store.get_run(neighbour.id).status, service.attempts(neighbour)) == (RunStatus.COMPLETED, 1)
    assert service.store.get_run(bad.id).status is RunStatus.DEAD
    service.stop_workers()
    survived(f"a job that {poison} the process", recovery, "dead after 3 attempts; its neighbour completed on 1")


@pytest.mark.parametrize("poison", ["swallows", "blocks"])
def test_a_job_that_does_not_end(service: FaultService, survived, poison: str) -> None:
    """Its process is killed after the grace time; it is a dead letter after its attempts."""
    (run,) = service.submit(function=f"poison.{poison}")
    service.connection.hset(run.job.key, "timeout", 2)
    since = time.monotonic()
    service.worker(QA_CANCEL_GRACE="1")
    recovery = service.wait_for_runs(since)
    service.check_runs(RunStatus.DEAD)
    service.stop_workers()
    survived(f"a job that {poison} its time-out (2 s)", recovery, "dead after 3 attempts")


def test_a_result_that_cannot_be_serialised(service: FaultService, survived) -> None:
    """It fails without another attempt, which could not succeed."""
    (run,) = service.submit(function="poison.unserialisable")
    since = time.monotonic()
    service.worker()
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
    (bad,) = service.submit(steps=(goto("/bad"), on("click", "button"), on("click", "button")))
    (good,) = service.submit()
    since = time.monotonic()
    service.worker()
    recovery = service.wait_for_runs(since)
    row = service.store.get_run(bad.id)
    service.check_runs(RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.TIMED_OUT)
    assert service.store.get_run(good.id).status is RunStatus.COMPLETED
    assert service.attempts(bad) == service.attempts(good) == 1
    service.stop_workers()
    survived(name, recovery, f"{row.status.value}; its neighbour completed")
