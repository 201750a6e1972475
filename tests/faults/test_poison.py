"""Jobs that harm: each is a dead letter after at most its attempts, or ends with what the site did."""

from __future__ import annotations

import time

import pytest

from qa_queue.models import RunStatus
from tests.faults.scene import Scene
from tests.support.steps import goto, on


@pytest.mark.parametrize("poison", ["exits", "segfaults"])
def test_a_job_that_kills_its_process(scene: Scene, survived, poison: str) -> None:
    """It uses up its attempts; its neighbour uses one."""
    scene.submit()
    scene.submit(function=f"poison.{poison}")
    since = time.monotonic()
    scene.worker()
    recovery = scene.all_end(since)
    scene.check(RunStatus.COMPLETED, RunStatus.DEAD)
    neighbour, bad = scene.runs
    assert (scene.store.get_run(neighbour.id).status, scene.attempts(neighbour)) == (RunStatus.COMPLETED, 1)
    assert scene.store.get_run(bad.id).status is RunStatus.DEAD
    scene.leaves_nothing()
    survived(f"a job that {poison} the process", recovery, "dead after 3 attempts; its neighbour completed on 1")


@pytest.mark.parametrize("poison", ["swallows", "blocks"])
def test_a_job_that_does_not_end(scene: Scene, survived, poison: str) -> None:
    """Its process is ended after the grace; it is a dead letter after its attempts."""
    (run,) = scene.submit(function=f"poison.{poison}")
    scene.redis.hset(run.job.key, "timeout", 2)
    since = time.monotonic()
    scene.worker(QA_CANCEL_GRACE="1")
    recovery = scene.all_end(since)
    scene.check(RunStatus.DEAD)
    scene.leaves_nothing()
    survived(f"a job that {poison} its time-out (2 s)", recovery, "dead after 3 attempts")


def test_a_result_that_cannot_be_serialised(scene: Scene, survived) -> None:
    """It failed, and would again."""
    (run,) = scene.submit(function="poison.unserialisable")
    since = time.monotonic()
    scene.worker()
    recovery = scene.all_end(since)
    scene.check(RunStatus.FAILED)
    assert "is no JSON" in str(scene.store.get_run(run.id).error)
    scene.leaves_nothing()
    survived("a result that is no JSON", recovery, "failed on its first attempt, with the reason")


@pytest.mark.parametrize(
    ("name", "html"),
    [
        ("an endless loop in the page", "<h1>x</h1><button onclick='for(;;){}'>go</button>"),
        ("a dialog that is never answered", "<h1>x</h1><button onclick='alert(1);alert(2);alert(3)'>go</button>"),
    ],
)
def test_a_page_that_harms(scene: Scene, survived, name: str, html: str) -> None:
    """The run ends with what the page did, within its time; its neighbour in the same browser completes."""
    scene.site.page("/bad", html)
    (bad,) = scene.submit(steps=(goto("/bad"), on("click", "button"), on("click", "button")))
    (good,) = scene.submit()
    since = time.monotonic()
    scene.worker()
    recovery = scene.all_end(since)
    row = scene.store.get_run(bad.id)
    scene.check(RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.TIMED_OUT)
    assert scene.store.get_run(good.id).status is RunStatus.COMPLETED
    assert scene.attempts(bad) == scene.attempts(good) == 1
    scene.leaves_nothing()
    survived(name, recovery, f"{row.status.value}; its neighbour completed")
