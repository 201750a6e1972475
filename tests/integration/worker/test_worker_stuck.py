"""A job that makes no progress shows in a snapshot, and its process says what it is doing."""

from __future__ import annotations

import signal
from pathlib import Path

from redis import Redis

from qa_queue.models import QueueName
from qa_queue.monitoring.snapshot import KnownWorkers
from qa_queue.monitoring.snapshot_reader import read_snapshot
from qa_queue.progress import ProgressWriter
from tests.support.poll import wait_until
from tests.support.queueing import report
from tests.support.workers import ended, enqueue


def silence(redis: Redis, home: Path) -> dict[str, float]:
    """Return the seconds without progress of each running job."""
    snapshot, _ = read_snapshot(redis, home, [], KnownWorkers())
    (queue,) = (one for one in snapshot.queues if one.name == QueueName.TEST_EXECUTION)
    return dict(queue.silent_s)


def test_a_running_job_without_progress(redis_db: Redis, start_worker, tmp_path: Path) -> None:
    """Its silence counts from its start; a report ends it."""
    job = enqueue(redis_db, "gate")
    worker = start_worker()
    wait_until(lambda: redis_db.exists(f"running:{job.id}"), what="a running job")
    before = redis_db.hget(job.key, "started_at")
    redis_db.hset(job.key, "started_at", "2026-01-01T00:00:00.000000Z")
    assert silence(redis_db, tmp_path)[job.id] > 3600
    redis_db.hset(job.key, "started_at", before)
    ProgressWriter(redis_db).write(job.id, report(job.id))
    assert silence(redis_db, tmp_path)[job.id] < 3600
    worker.child.send_signal(signal.SIGUSR1)
    worker.says("Stack of the task")
    worker.says("in gate")
    worker.says("Current thread")
    redis_db.set("open", 1)
    assert ended(job) == "finished"
    assert silence(redis_db, tmp_path) == {}
