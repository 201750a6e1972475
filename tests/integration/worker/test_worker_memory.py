"""Memory limits of a worker's child."""

from __future__ import annotations

from redis import Redis

from tests.integration.worker.conftest import StartWorker
from tests.support.workers import ended, enqueue


def test_the_driver_gets_a_small_heap_unless_somebody_says_otherwise(start_worker: StartWorker) -> None:
    """Node uses the last of two options."""
    plain, own = start_worker(fresh=True), start_worker(fresh=True, NODE_OPTIONS="--max-semi-space-size=64")
    assert plain.child_environment["NODE_OPTIONS"] == "--max-semi-space-size=2"
    assert own.child_environment["NODE_OPTIONS"] == "--max-semi-space-size=2 --max-semi-space-size=64"


def test_a_child_that_is_far_too_large_is_ended(start_worker: StartWorker, redis_db: Redis) -> None:
    """Its job, alone in there, fails: renewal alone would wait for it forever."""
    job = enqueue(redis_db, "gate")
    worker = start_worker(fresh=True, QUEUE_RECYCLE_MB="10")  # a fork would share its memory with others
    assert ended(job) == "failed"
    assert "MiB; it is killed" in worker.text
