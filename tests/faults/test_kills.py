"""kill -9 of each process of a worker, at each moment of a run."""

from __future__ import annotations

import signal
import threading
import time
from uuid import uuid4

import pytest
from rq import Worker

from tests.faults.service import STEPS, FaultService, find
from tests.support.poll import wait_until
from tests.support.steps import on
from tests.support.workers import QUEUE, gone

_NEVER = threading.Event()
MOMENTS = {"start": "/", "mid-run": "/middle", "finish": "/last"}
PARTS = ("worker", "child", "driver", "chromium")


def _marks(part: str, moment: str) -> tuple[pytest.MarkDecorator, ...]:
    return (pytest.mark.short,) if moment == "mid-run" and part != "driver" else ()


@pytest.mark.parametrize(
    ("part", "moment"),
    [pytest.param(part, moment, marks=_marks(part, moment)) for part in PARTS for moment in MOMENTS],
)
def test_kill_9(service: FaultService, survived, part: str, moment: str) -> None:
    """Three runs, two at once; each completes once."""
    held = service.checkpoint(MOMENTS[moment], hold=moment != "finish")
    service.submit(3)
    worker = service.worker()
    held.wait()
    victim = find(worker, part)
    family = worker.family() if part == "worker" else []
    since = time.monotonic()
    victim.kill()
    held.go.set()
    if part == "worker":
        worker.wait(10)
        wait_until(lambda: gone(family), what="the end of its descendants")
        service.worker()
    recovery = service.wait_for_runs(since)
    service.check_runs()
    attempts = sorted(service.attempts(run) for run in service.runs)
    service.stop_workers()
    survived(f"kill -9 of the {part} at the {moment}", recovery, f"completed; attempts {attempts}")


def test_a_worker_is_killed_between_pop_and_start(service: FaultService, survived) -> None:
    """A job that is left in RQ's intermediate list is requeued without using an attempt."""
    (run,) = service.submit()
    assert service.connection.lmove(f"rq:queue:{QUEUE}", f"rq:queue:{QUEUE}:intermediate")
    since = time.monotonic()
    service.worker()
    recovery = service.wait_for_runs(since)
    service.check_runs()
    assert service.attempts(run) == 1
    service.stop_workers()
    survived("kill -9 of the worker between pop and start", recovery, "completed; attempts [1]")


def test_a_storm_of_sigterm(service: FaultService, survived) -> None:
    """The worker stops; its runs are requeued without using an attempt, and another worker completes them."""
    held = service.checkpoint("/middle", hold=True)
    service.submit(3)
    worker = service.worker(QUEUE_SHUTDOWN_GRACE="30")
    held.wait()
    since = time.monotonic()
    wait_until(lambda: worker.signal(signal.SIGTERM) or worker.popen.poll() is not None, timeout=30)
    held.go.set()
    service.worker()
    recovery = service.wait_for_runs(since)
    service.check_runs()
    assert [service.attempts(run) for run in service.runs] == [1, 1, 1]
    service.stop_workers()
    survived("SIGTERM fifty times a second", recovery, "completed; attempts [1, 1, 1]")


def test_two_workers_with_one_name(service: FaultService, survived) -> None:
    """RQ refuses the second, and the first continues."""
    first = service.worker("--name", "twin")
    wait_until(lambda: Worker.count(connection=service.connection) == 1, timeout=30)
    second = service.worker("--name", "twin")
    since = time.monotonic()
    assert second.wait(60) != 0
    service.submit(2)
    recovery = service.wait_for_runs(since)
    service.check_runs()
    assert first.running
    service.stop_workers()
    survived("two workers with one name", recovery, "the second is refused; completed by the first")


def test_a_worker_that_is_frozen_and_taken_over(service: FaultService, survived) -> None:
    """It is resumed after another worker has completed its runs, and changes nothing."""
    held = service.checkpoint("/middle", hold=True)
    service.submit(2)
    first = service.worker()
    held.wait()
    frozen = [find(first, "worker"), find(first, "child")]
    for process in frozen:
        process.suspend()
    since = time.monotonic()
    service.worker()
    recovery = service.wait_for_runs(since)
    rows = [service.store.get_run(run.id) for run in service.runs]
    held.go.set()
    for process in frozen:
        process.resume()
    first.says("was taken over by another worker", timeout=30)
    service.check_runs()
    service.stop_workers()
    assert [service.store.get_run(run.id) for run in service.runs] == rows
    survived("a worker frozen until it is taken over, then woken", recovery, "completed by the second, once")


def test_malformed_jobs_harm_no_other(service: FaultService, survived) -> None:
    """Hashes that are not jobs, ids without a hash, empty and unreadable payloads: the next run completes."""
    empty, other = service.submit(2)
    redis = service.connection
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
    broken, service.runs = service.runs, []
    service.submit(1)
    since = time.monotonic()
    service.worker()
    recovery = service.wait_for_runs(since)
    wait_until(
        lambda: not redis.llen(f"rq:queue:{QUEUE}:intermediate"), timeout=60, what="an empty intermediate list"
    )
    wait_until(lambda: not redis.llen(f"rq:queue:{QUEUE}"), timeout=30, what="an empty queue")
    service.check_runs()
    for run in broken:
        wait_until(lambda run=run: service.store.get_run(run.id).status.final, timeout=30)
    service.stop_workers()
    survived(
        "malformed hashes, payloads, and entries of queue, intermediate list, registry and schedule",
        recovery,
        "they fail once; the next run completes",
    )


def test_a_payload_of_a_megabyte(service: FaultService, survived) -> None:
    """It completes like any other."""
    service.site.page("/last", "<h1>Last</h1><textarea></textarea>")
    service.submit(steps=(*STEPS, on("fill", "textarea", value="x" * 1_000_000)))
    since = time.monotonic()
    service.worker()
    recovery = service.wait_for_runs(since)
    service.check_runs()
    service.stop_workers()
    survived("a payload of 1 MB", recovery, "completed")


def test_the_child_is_frozen(service: FaultService, survived) -> None:
    """For 8 s in mid-run, longer than its steps may take: no fault of the site, both runs are tried again."""
    held = service.checkpoint("/middle", hold=True)
    runs = service.submit(2)
    worker = service.worker()
    held.wait()
    child = find(worker, "child")
    child.suspend()
    _NEVER.wait(8)
    since = time.monotonic()
    child.resume()
    held.go.set()
    recovery = service.wait_for_runs(since)
    service.check_runs()
    attempts = sorted(service.attempts(run) for run in runs)
    assert attempts[-1] == 2
    service.stop_workers()
    survived("the child frozen for 8 s in mid-run", recovery, f"completed; attempts {attempts}")
