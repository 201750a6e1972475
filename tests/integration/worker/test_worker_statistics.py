"""Statistics that a worker writes with its heartbeat, each counted once."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from qa_queue.monitoring.heartbeats import DISK_FIELD, OUTBOX_FIELD
from qa_queue.redis.counters import BROWSER_RESTARTS, COUNTS_KEY, PROCESS_DEATHS, refused_field
from qa_queue.worker.child_health import HeartbeatStatistics
from qa_queue.worker.ipc import ChildStatistics


def count(redis: Redis, field: str) -> int:
    return int(redis.hget(COUNTS_KEY, field) or 0)


def test_restarts_are_counted_once_over_children_and_heartbeats(redis_db: Redis, tmp_path: Path) -> None:
    """A child counts from its start; its successor starts at zero."""
    statistics = HeartbeatStatistics(tmp_path / "not" / "there")
    statistics.update(1, ChildStatistics(browser_restarts=2, outbox_bytes=5))
    statistics.write(redis_db, "rq:worker:w")
    statistics.write(redis_db, "rq:worker:w")
    statistics.update(1, ChildStatistics(browser_restarts=3, egress_refused={"own": 2}))
    statistics.child_ended(1, expected=False)
    statistics.update(2, ChildStatistics(browser_restarts=1, egress_refused={"own": 1}))
    statistics.child_ended(2, expected=True)
    statistics.write(redis_db, "rq:worker:w")
    assert (count(redis_db, BROWSER_RESTARTS), count(redis_db, PROCESS_DEATHS)) == (4, 1)
    assert count(redis_db, refused_field("own")) == 3
    assert int(redis_db.hget("rq:worker:w", DISK_FIELD) or 0) > 0
    assert redis_db.hget("rq:worker:w", OUTBOX_FIELD) == b"0"


def test_counts_that_redis_did_not_take_are_written_the_next_time(redis_db: Redis, tmp_path: Path) -> None:
    """An outage loses no restart."""
    statistics = HeartbeatStatistics(tmp_path)
    statistics.update(1, ChildStatistics(browser_restarts=2))
    with Redis(port=1) as away, pytest.raises(RedisConnectionError):
        statistics.write(away, "rq:worker:w")
    statistics.write(redis_db, "rq:worker:w")
    assert count(redis_db, BROWSER_RESTARTS) == 2
