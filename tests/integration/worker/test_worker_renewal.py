"""Requeuing runs, renewing the child process, and the blame for its crash."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from rq.job import Job

from tests.support.poll import wait_until
from tests.support.workers import QUEUE, WorkerProcess, did, ended, enqueue, gone


def runs(redis: Redis, job: Job) -> bytes | None:
    return wait_until(lambda: redis.get(f"running:{job.id}"), timeout=30, what=f"the start of {job.id}")


def retries_left(job: Job) -> int | None:
    job.refresh()
    return job.retries_left


def waits_untouched(redis: Redis, job: Job, retries: int | None) -> None:
    """The job is queued as if it had never been taken."""
    assert job.get_status(refresh=True).value == "queued"
    assert redis.lrange(f"rq:queue:{QUEUE}", 0, -1) == [job.id.encode()]
    assert redis.zcard(f"rq:wip:{QUEUE}") == 0
    assert retries_left(job) == retries
    assert redis.lrange("released", 0, -1) in ([job.id.encode()], [])


def test_after_the_grace_time_a_run_goes_back_to_its_queue(redis_db, start_worker):
    """SIGTERM: no attempt is used, the row is updated, no process is left, and another worker runs it."""
    job = enqueue(redis_db, "gate", attempts=2)
    worker = start_worker(QUEUE_SHUTDOWN_GRACE="1")
    runs(redis_db, job)
    family = worker.family()
    worker.signal(signal.SIGTERM)
    assert worker.wait(30) == 0
    assert gone(family)
    waits_untouched(redis_db, job, retries=1)
    assert redis_db.lrange("released", 0, -1) == [job.id.encode()]
    redis_db.set("open", 1)
    start_worker()
    assert ended(job, 30) == "finished"


def test_a_second_interrupt_stops_now_and_gives_the_run_back(redis_db, start_worker):
    """Even one that does not end when told."""
    job = enqueue(redis_db, "stubborn", attempts=2)
    worker = start_worker()
    wait_until(lambda: did(redis_db, job), timeout=30)
    family = worker.family()
    worker.signal(signal.SIGINT)
    worker.says("a second signal stops it now")
    wait_until(lambda: worker.signal(signal.SIGINT) or worker.popen.poll() is not None, timeout=30)
    assert gone(family)
    waits_untouched(redis_db, job, retries=1)


def test_the_child_is_renewed_while_the_old_one_finishes(redis_db, start_worker):
    """After two runs a new process takes jobs, the run in the old one goes on, and then the old one ends."""
    held = enqueue(redis_db, "gate")
    worker = start_worker(QUEUE_CONCURRENCY="2", QUEUE_RECYCLE_RUNS="2")
    old = int(runs(redis_db, held))
    assert ended(enqueue(redis_db, "echo"), 30) == "finished"
    worker.says("is renewed: it has had 2 runs")

    def another() -> bool:
        job = enqueue(redis_db, "echo")
        return ended(job, 30) == "finished" and job.return_value()["pid"] != old

    wait_until(another, timeout=30, what="a job in the new process")
    assert held.get_status(refresh=True).value == "started"
    redis_db.set("open", 1)
    assert ended(held) == "finished"
    assert held.return_value()["pid"] == old
    assert did(redis_db, held) == [1]
    wait_until(
        lambda: old not in {process.pid for process in worker.family()}, timeout=20, what="the old one's end"
    )


def test_a_poison_job_costs_its_neighbours_no_attempt(redis_db, start_worker):
    """The runs in its process are requeued and run alone; only the poison job uses attempts."""
    neighbours = [enqueue(redis_db, "gate") for _ in range(2)]
    worker = start_worker(QUEUE_CONCURRENCY="3")
    for job in neighbours:
        runs(redis_db, job)
    poison = enqueue(redis_db, "killer", {"good": 9}, attempts=2)
    worker.says("was requeued without using an attempt")
    redis_db.set("open", 1)
    assert [ended(job, 40) for job in neighbours] == ["finished", "finished"]
    assert ended(poison, 40) == "failed"
    assert len(did(redis_db, poison)) == 3  # once in company, then its two attempts alone


def test_a_run_that_must_be_killed_costs_its_neighbour_nothing(redis_db, start_worker):
    """The culprit is known, so the other run is not a suspect."""
    neighbour = enqueue(redis_db, "gate")
    start_worker(QUEUE_CONCURRENCY="2", QA_CANCEL_GRACE="0.5")
    runs(redis_db, neighbour)
    stubborn = enqueue(redis_db, "stubborn", job_timeout=1)
    assert ended(stubborn, 30) == "failed"
    redis_db.set("open", 1)
    assert ended(neighbour, 30) == "finished"
    assert not redis_db.hexists(neighbour.key, "qa_suspect")


def test_a_worker_that_was_taken_over_ends_nothing(redis_db, start_worker):
    """Frozen until another worker has the job, the first one's result is dropped, whatever it is."""
    job = enqueue(redis_db, "gate", {"key": "first"}, attempts=2)
    first: WorkerProcess = start_worker("--name", "first")
    runs(redis_db, job)
    os.kill(first.popen.pid, signal.SIGSTOP)
    start_worker("--name", "second")
    wait_until(lambda: did(redis_db, job) == [1, 2], timeout=60, what="the second attempt")
    os.kill(first.popen.pid, signal.SIGCONT)
    first.says("was taken over by another worker", timeout=30)
    assert job.get_status(refresh=True).value == "started"
    redis_db.set("first", 1)
    assert ended(job, 30) == "finished"
    assert job.return_value()["attempt"] == 2
    assert [result.type.name for result in job.results()] == ["SUCCESSFUL"]


def test_no_job_is_taken_while_the_runtime_has_an_obstacle(redis_db, start_worker):
    """The worker says why, and goes on when it is gone."""
    worker = start_worker()
    assert ended(enqueue(redis_db, "echo"), 30) == "finished"
    redis_db.set("obstacle", "the outbox is full")
    worker.says("No jobs are taken: the outbox is full")
    job = enqueue(redis_db, "echo")
    intermediate = f"rq:queue:{QUEUE}:intermediate"
    wait_until(lambda: not redis_db.llen(intermediate) and redis_db.llen(f"rq:queue:{QUEUE}"), what="its return")
    assert did(redis_db, job) == []
    redis_db.delete("obstacle")
    assert ended(job, 30) == "finished"


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for temporary files with a short path."""
    with tempfile.TemporaryDirectory(prefix="qa-t-") as folder:
        yield Path(folder)


def files_of(worker: WorkerProcess) -> Path:
    """Leave a file where the child has its temporary files, and return their folder."""
    folder = Path(worker.child_environment["TMPDIR"])
    (folder / "recordings").mkdir()
    (folder / "recordings" / "film.webm").write_bytes(b"film")
    return folder


def test_temporary_files_of_killed_processes_are_removed(start_worker, temporary):
    """Those of a child when it has ended, and those of a killed worker when another starts."""
    worker = start_worker(fresh=True, TMPDIR=str(temporary))
    first, old = files_of(worker), worker.child
    old.kill()
    worker.says("The child process was killed by SIGKILL")
    wait_until(lambda: not first.exists(), what="the end of the child's files")
    wait_until(lambda: worker.process.children() not in ([], [old]), what="another child")
    second = files_of(worker)
    worker.kill()
    assert second.exists()
    another = start_worker(fresh=True, TMPDIR=str(temporary))
    third = files_of(another)
    assert list(temporary.iterdir()) == [third]
    another.signal(signal.SIGTERM)
    assert another.wait(30) == 0
    assert list(temporary.iterdir()) == []
