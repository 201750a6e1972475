"""kill -9 of each process of a worker, at each moment of a run."""

from __future__ import annotations

import signal
import time
from uuid import uuid4

import pytest
from rq import Worker

from tests.faults.scene import STEPS, Scene, find
from tests.support.poll import wait_until
from tests.support.steps import on
from tests.support.workers import QUEUE

MOMENTS = {"start": "/", "mid-run": "/middle", "finish": "/last"}
PARTS = ("worker", "child", "driver", "chromium")


def _marks(part: str, moment: str) -> tuple[pytest.MarkDecorator, ...]:
    return (pytest.mark.short,) if moment == "mid-run" and part != "driver" else ()


@pytest.mark.parametrize(
    ("part", "moment"),
    [pytest.param(part, moment, marks=_marks(part, moment)) for part in PARTS for moment in MOMENTS],
)
def test_kill_9(scene: Scene, survived, part: str, moment: str) -> None:
    """Three runs, two at once; every one completes, once."""
    held = scene.moment(MOMENTS[moment], hold=moment != "finish")
    scene.submit(3)
    worker = scene.worker()
    wait_until(held.reached.is_set, timeout=60, what="the moment")
    victim = find(worker, part)
    family = worker.family() if part == "worker" else []
    since = time.monotonic()
    victim.kill()
    held.go.set()
    if part == "worker":
        worker.popen.wait(10)
        wait_until(
            lambda: not [p for p in family if p.is_running() and p.status() != "zombie"], what="its family's end"
        )
        scene.worker()
    recovery = scene.all_end(since)
    scene.check()
    attempts = sorted(scene.attempts(run) for run in scene.runs)
    scene.leaves_nothing()
    survived(f"kill -9 of the {part} at the {moment}", recovery, f"completed; attempts {attempts}")


def test_killed_between_pop_and_start(scene: Scene, survived) -> None:
    """A job that lies in RQ's intermediate list waits again, without the loss of an attempt."""
    (run,) = scene.submit()
    assert scene.redis.lmove(f"rq:queue:{QUEUE}", f"rq:queue:{QUEUE}:intermediate")
    since = time.monotonic()
    scene.worker()
    recovery = scene.all_end(since)
    scene.check()
    assert scene.attempts(run) == 1
    scene.leaves_nothing()
    survived("kill -9 of the worker between pop and start", recovery, "completed; attempts [1]")


def test_a_storm_of_sigterm(scene: Scene, survived) -> None:
    """For four seconds: the runs go back unharmed, and another worker does them."""
    held = scene.moment("/middle", hold=True)
    scene.submit(3)
    worker = scene.worker(QUEUE_SHUTDOWN_GRACE="30")
    wait_until(held.reached.is_set, timeout=60, what="the moment")
    since = time.monotonic()
    wait_until(lambda: worker.signal(signal.SIGTERM) or worker.popen.poll() is not None, timeout=30)
    held.go.set()
    scene.worker()
    recovery = scene.all_end(since)
    scene.check()
    assert [scene.attempts(run) for run in scene.runs] == [1, 1, 1]
    scene.leaves_nothing()
    survived("SIGTERM fifty times a second", recovery, "completed; attempts [1, 1, 1]")


def test_two_workers_with_one_name(scene: Scene, survived) -> None:
    """RQ refuses the second, and the first goes on."""
    first = scene.worker("--name", "twin")
    wait_until(lambda: Worker.count(connection=scene.redis) == 1, timeout=30)
    second = scene.worker("--name", "twin")
    since = time.monotonic()
    assert second.wait(60) != 0
    scene.submit(2)
    recovery = scene.all_end(since)
    scene.check()
    assert first.popen.poll() is None
    scene.leaves_nothing()
    survived("two workers with one name", recovery, "the second is refused; completed by the first")


def test_a_worker_that_is_frozen_and_taken_over(scene: Scene, survived) -> None:
    """It wakes up after another has done its runs, and changes nothing."""
    held = scene.moment("/middle", hold=True)
    scene.submit(2)
    first = scene.worker()
    wait_until(held.reached.is_set, timeout=60, what="the moment")
    frozen = [find(first, "worker"), find(first, "child")]
    for process in frozen:
        process.suspend()
    since = time.monotonic()
    scene.worker()
    recovery = scene.all_end(since)
    rows = [scene.store.get_run(run.id) for run in scene.runs]
    held.go.set()
    for process in frozen:
        process.resume()
    first.says("was taken over by another worker", timeout=30)
    scene.check()
    scene.leaves_nothing()
    assert [scene.store.get_run(run.id) for run in scene.runs] == rows
    survived("a worker frozen until it is taken over, then woken", recovery, "completed by the second, once")


def test_malformed_jobs_harm_nobody(scene: Scene, survived) -> None:
    """Hashes that are no jobs, ids without a hash, payloads of 0 bytes and of others: the next run is done."""
    empty, other = scene.submit(2)
    redis = scene.redis
    redis.hset(empty.job.key, "data", b"")
    redis.hset(other.job.key, "data", b"\x80\x05pickled")
    redis.rpush(f"rq:queue:{QUEUE}", str(uuid4()))
    odd, taken, due = (str(uuid4()) for _ in range(3))
    for job_id in (odd, taken, due):
        redis.hset(f"rq:job:{job_id}", mapping={"status": "no status", "created_at": "never"})
    redis.rpush(f"rq:queue:{QUEUE}", odd)
    redis.rpush(f"rq:queue:{QUEUE}:intermediate", taken, str(uuid4()))
    redis.zadd(f"rq:scheduled:{QUEUE}", {due: 1, str(uuid4()): 1, "no such thing": 2})
    redis.zadd(f"rq:wip:{QUEUE}", {"no such thing": 1, f"{uuid4()}:{uuid4().hex}": 1})
    broken, scene.runs = scene.runs, []
    scene.submit(1)
    since = time.monotonic()
    scene.worker()
    recovery = scene.all_end(since)
    wait_until(lambda: not redis.llen(f"rq:queue:{QUEUE}:intermediate"), timeout=60, what="nothing taken and left")
    wait_until(lambda: not redis.llen(f"rq:queue:{QUEUE}"), timeout=30, what="an empty queue")
    scene.check()
    for run in broken:
        wait_until(lambda run=run: scene.store.get_run(run.id).status.final, timeout=30)
    scene.leaves_nothing()
    survived(
        "malformed hashes, payloads, and entries of queue, intermediate list, registry and schedule",
        recovery,
        "they fail once; the next run completes",
    )


def test_a_payload_of_a_megabyte(scene: Scene, survived) -> None:
    """It is done like any other."""
    scene.site.page("/last", "<h1>Last</h1><textarea></textarea>")
    scene.submit(steps=(*STEPS, on("fill", "textarea", value="x" * 1_000_000)))
    since = time.monotonic()
    scene.worker()
    recovery = scene.all_end(since)
    scene.check()
    scene.leaves_nothing()
    survived("a payload of 1 MB", recovery, "completed")
