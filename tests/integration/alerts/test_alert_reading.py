"""What is seen of a service whose queues are on several servers, one of them away."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from qa_queue.errors import RedisUnavailableError
from qa_queue.models import utc_now
from qa_queue.monitoring.alerts.conditions import find
from qa_queue.monitoring.alerts.probe import Answer
from qa_queue.monitoring.alerts.roster import Known, Roster
from qa_queue.monitoring.alerts.rules import RuleKind
from qa_queue.monitoring.alerts.snapshot_reader import read_snapshot
from qa_queue.redis import MainRedis
from tests.support.alerting import rule

WELL = Answer(known=False)


def refused() -> Redis:
    """A Redis where nothing listens."""
    return Redis(host="127.0.0.1", port=1, retry=Retry(NoBackoff(), 0))


def never_opened() -> Redis:
    raise RedisUnavailableError("Redis at own:1/0 cannot be used: set REDIS_URL_CLEANUP")


@pytest.mark.parametrize("own", [refused, never_opened])
def test_the_away_redis_of_one_queue_blinds_no_other(own, redis_db: Redis, tmp_path: Path) -> None:
    """It is told of that queue, with its setting; its workers are not lost, those of others are."""
    pool = redis_db.connection_pool
    main = MainRedis(find=lambda queue: own() if queue == "cleanup" else None, connection_pool=pool)
    known = {name: Known(host="h", queues=(name,), since=1) for name in ("cleanup", "test-execution")}
    roster = Roster(at=utc_now().timestamp(), known=known)
    snapshot, called = read_snapshot(main, tmp_path, [900], roster, WELL)
    assert [view.name for view in snapshot.queues] == ["test-execution", "adaptation-learning"]
    assert [one.name for one in called.lost] == ["test-execution"]
    assert snapshot.redis is None
    (away,) = find([rule(RuleKind.REDIS_AWAY)], snapshot).broken
    assert away.subject == "cleanup"
    assert "REDIS_URL_CLEANUP" in away.summary


def test_the_main_redis_being_away_is_told_by_the_error(tmp_path: Path) -> None:
    """Then nothing is known of any queue."""
    with pytest.raises(RedisError):
        read_snapshot(refused(), tmp_path, [900], Roster(), WELL)
