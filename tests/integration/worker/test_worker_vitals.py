"""What a worker reports of itself with its heartbeat, and counts once."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from qa_queue.monitoring.heartbeats import DISK_FIELD, OUTBOX_FIELD
from qa_queue.redis.counters import BROWSER_RESTARTS, COUNTS_KEY, PROCESS_DEATHS
from qa_queue.worker.heartbeat import HeartbeatStatistics
from qa_queue.worker.ipc import Vitals


def count(redis: Redis, field: str) -> int:
    return int(redis.hget(COUNTS_KEY, field) or 0)


def test_restarts_are_counted_once_over_children_and_heartbeats(redis_db: Redis, tmp_path: Path) -> None:
    """A child says how many there were since it started; its successor begins at none."""
    signs = HeartbeatStatistics(tmp_path / "not" / "there")
    signs.take(1, Vitals(browser_restarts=2, outbox_bytes=5))
    signs.write(redis_db, "rq:worker:w")
    signs.write(redis_db, "rq:worker:w")
    signs.take(1, Vitals(browser_restarts=3))
    signs.ended(1, as_told=False)
    signs.take(2, Vitals(browser_restarts=1))
    signs.ended(2, as_told=True)
    signs.write(redis_db, "rq:worker:w")
    assert (count(redis_db, BROWSER_RESTARTS), count(redis_db, PROCESS_DEATHS)) == (4, 1)
    assert int(redis_db.hget("rq:worker:w", DISK_FIELD) or 0) > 0
    assert redis_db.hget("rq:worker:w", OUTBOX_FIELD) == b"0"


def test_what_redis_did_not_take_is_counted_the_next_time(redis_db: Redis, tmp_path: Path) -> None:
    """An outage loses no restart."""
    signs = HeartbeatStatistics(tmp_path)
    signs.take(1, Vitals(browser_restarts=2))
    with Redis(port=1) as away, pytest.raises(RedisConnectionError):
        signs.write(away, "rq:worker:w")
    signs.write(redis_db, "rq:worker:w")
    assert count(redis_db, BROWSER_RESTARTS) == 2
