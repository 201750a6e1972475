"""A worker on the session's Redis."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from redis import Redis

from tests.support.workers import WorkerProcess

StartWorker = Callable[..., WorkerProcess]


@pytest.fixture
def start_worker(redis_db: Redis, redis_url: str, tmp_path: Path) -> Iterator[StartWorker]:
    """Start `rq worker ARGS`; other keywords than those of `WorkerProcess` are its environment."""
    with ExitStack() as stack:

        def start(
            *args: str, queues: tuple[str, ...] = ("test-execution",), fresh: bool = False, **env: str
        ) -> WorkerProcess:
            log = tmp_path / f"worker-{len(list(tmp_path.iterdir()))}.log"
            settings = {"REDIS_URL": redis_url, **env}
            return stack.enter_context(WorkerProcess(log, *args, queues=queues, fresh=fresh, **settings))

        yield start
