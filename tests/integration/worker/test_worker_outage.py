"""Workers survive an outage of Redis; each test has its own Redis on one port."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from redis import Redis

from qa_queue.local.process import free_port
from qa_queue.local.redis import start_redis
from tests.support.poll import wait_until
from tests.support.workers import WorkerProcess, did, ended, enqueue


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Start, or restart after an end by `shutdown`, a Redis on the same port and data; returns its URL."""
    port = free_port()
    with ExitStack() as stack:
        yield lambda: stack.enter_context(start_redis(tmp_path / "redis", port)).url


def test_a_worker_outlives_redis_in_mid_run(own_redis, tmp_path):
    """The run's result is kept until Redis is back; then the worker goes on."""
    url = own_redis()
    redis = Redis.from_url(url)
    running = enqueue(redis, "outlast", {"file": str(tmp_path / "go")})
    with WorkerProcess(tmp_path / "worker.log", REDIS_URL=url) as worker:
        wait_until(lambda: redis.exists(f"running:{running.id}"), timeout=20)
        redis.shutdown(save=True)
        worker.says("Redis cannot be reached")
        (tmp_path / "go").touch()
        worker.says("is kept until Redis is back", timeout=30)
        redis = Redis.from_url(own_redis())
        assert ended(running, 40) == "finished"
        assert did(redis, running) == [1]
        assert ended(enqueue(redis, "echo"), 40) == "finished"
        assert worker.popen.poll() is None
