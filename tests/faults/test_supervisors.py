"""kill -9 of what looks after workers: the scheduler, the autoscaler, and `qa-queue up`."""

from __future__ import annotations

import sys
import time

from qa_queue.local.process import free_port
from tests.faults.scene import Scene
from tests.faults.supervised import PROGRAM, ROOT, Supervised
from tests.support.poll import wait_until
from tests.support.workers import QUEUE, gone

DELAY_S, LATE_S = 4, 5
PROCFILE = f"""\
scheduler: python -m qa_queue.worker.scheduler
tests: rq worker -w qa_queue.worker.QAWorker {QUEUE}
"""


def test_the_scheduler_is_killed(scene: Scene, survived) -> None:
    """Every worker moves what is due, so a due job starts at most 5 s late all the same."""
    scene.worker().says("serves")
    with Supervised(
        scene.home / "scheduler.log", sys.executable, "-m", "qa_queue.worker.scheduler", env=scene.environment
    ) as scheduler:
        wait_until(lambda: "scheduler" in scheduler.log.read_text(), timeout=60, what="the scheduler")
        due = time.time() + DELAY_S
        scene.submit(2, delay_ms=DELAY_S * 1000)
        assert scheduler.kill() == []
        since = time.monotonic()
        recovery = scene.all_end(since)
    scene.check()
    for run in scene.runs:
        run.job.refresh()
    late = max(run.job.started_at.timestamp() - due for run in scene.runs)
    assert late < LATE_S
    scene.leaves_nothing()
    survived("kill -9 of the scheduler, two runs due in 4 s", recovery, f"completed; {late:.1f} s late")


def test_the_autoscaler_is_killed(scene: Scene, survived) -> None:
    """Its workers finish what they run and end; the next ones do the rest."""
    held = scene.moment("/middle", hold=True)
    scene.submit(3)
    command = [PROGRAM, "worker", "--autoscale", "1:2", QUEUE]
    with Supervised(scene.home / "autoscaler.log", *command, env=scene.environment) as autoscaler:
        wait_until(held.reached.is_set, timeout=60, what="the moment")
        left = autoscaler.kill()
        since = time.monotonic()
        held.go.set()
        scene.worker()
        recovery = scene.all_end(since)
        wait_until(lambda: gone(left), timeout=60, what="the end of its workers")
    scene.check()
    attempts = sorted(scene.attempts(run) for run in scene.runs)
    scene.leaves_nothing()
    survived("kill -9 of `qa-queue worker --autoscale`", recovery, f"completed; attempts {attempts}")


def test_the_service_is_killed(scene: Scene, survived) -> None:
    """`qa-queue up` takes everything along; what ran is taken over by the next service's worker."""
    held = scene.moment("/middle", hold=True)
    scene.submit(3)
    folder = scene.home / "service"
    folder.mkdir()
    (folder / "Procfile").write_text(PROCFILE)
    ports = {"QA_WEB_PORT": str(free_port()), "QA_DASHBOARD_PORT": str(free_port())}
    environment = scene.environment | ports | {"PYTHONPATH": str(ROOT)}
    with Supervised(scene.home / "up.log", PROGRAM, "up", cwd=folder, env=environment) as service:
        wait_until(held.reached.is_set, timeout=90, what="the moment")
        left = service.kill()
        since = time.monotonic()
        held.go.set()
        wait_until(lambda: gone(left), timeout=20, what="the end of everything that it started")
        scene.worker()
        recovery = scene.all_end(since)
    scene.check()
    attempts = sorted(scene.attempts(run) for run in scene.runs)
    scene.leaves_nothing()
    survived("kill -9 of `qa-queue up`", recovery, f"nothing is left; completed; attempts {attempts}")
