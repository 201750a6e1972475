"""Snapshots of a service whose queues are on several servers, one of which is unavailable."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from qa_queue.errors import RedisUnavailableError
from qa_queue.models import utc_now
from qa_queue.monitoring.alerts.rules import RuleKind
from qa_queue.monitoring.snapshot import KnownWorker, KnownWorkers
from qa_queue.monitoring.snapshot_reader import read_snapshot
from qa_queue.redis import MainRedis
from tests.support.alerting import found, rule


def refused() -> Redis:
    """A Redis at an address where nothing listens."""
    return Redis(host="127.0.0.1", port=1, retry=Retry(NoBackoff(), 0))


def never_opened() -> Redis:
    raise RedisUnavailableError("Redis at own:1/0 cannot be used: set REDIS_URL_CLEANUP")


@pytest.mark.parametrize("own", [refused, never_opened])
def test_an_unavailable_redis_of_one_queue_hides_no_other(own, redis_db: Redis, tmp_path: Path) -> None:
    """The alert is about that queue, with its setting; its workers are not lost, those of others are."""
    pool = redis_db.connection_pool
    main = MainRedis(find=lambda queue: own() if queue == "cleanup" else None, connection_pool=pool)
    known = {name: KnownWorker(host="h", queues=(name,), since=1) for name in ("cleanup", "test-execution")}
    workers = KnownWorkers(at=utc_now().timestamp(), known=known)
    snapshot, after = read_snapshot(main, tmp_path, [900], workers)
    assert [queue.name for queue in snapshot.queues] == ["test-execution", "adaptation-learning"]
    assert [one.name for one in after.lost] == ["test-execution"]
    assert snapshot.redis is None
    (condition,) = found(rule(RuleKind.REDIS_AWAY), on=snapshot).met
    assert condition.subject == "cleanup"
    assert "REDIS_URL_CLEANUP" in condition.summary


def test_an_unavailable_main_redis_is_an_error(tmp_path: Path) -> None:
    """Nothing is known of any queue then."""
    with pytest.raises(RedisError):
        read_snapshot(refused(), tmp_path, [900], KnownWorkers())
