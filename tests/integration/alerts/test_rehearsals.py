"""The real thing is broken, and the message arrives: by mail on a real server, and at a webhook that is signed."""

from __future__ import annotations

import signal

from redis import Redis

from qa_queue.health.beat import BEAT_KEY
from tests.integration.alerts.conftest import Scene
from tests.support.dying import bury
from tests.support.poll import wait_until
from tests.support.queueing import add, take_all
from tests.support.workers import WorkerProcess


def test_a_queue_that_piles_up_is_told_and_told_to_be_short_again(scene: Scene) -> None:
    """By mail and webhook, both ways; the numbers are in the sentence."""
    redis = Redis.from_url(scene.redis.url)
    scene.scheduler()
    for number in range(3):
        add(redis, f"run-{number}")
    assert "3 jobs wait on test-execution" in scene.both("firing", "queue_depth")
    take_all(redis)
    scene.both("resolved", "queue_depth")
    assert scene.hook.forged == 0


def test_a_dead_letter_is_told(scene: Scene) -> None:
    """With where to look; the secret that signs is in nothing that was logged."""
    scene.scheduler()
    bury(Redis.from_url(scene.redis.url), "run-1")
    assert "qa-queue dlq list" in scene.both("firing", "dead_letter")
    assert scene.variables["QA_SECRET_HOOK"] not in scene.log.read_text()


def test_a_killed_worker_is_told_and_over_when_another_serves_its_queue(scene: Scene) -> None:
    """kill -9; its successor is another process."""
    scene.scheduler()
    redis = Redis.from_url(scene.redis.url)
    with WorkerProcess(scene.folder / "w1.log", REDIS_URL=scene.redis.url) as worker:
        wait_until(lambda: redis.exists("qa:alerts:workers") and b'known":{}' not in redis.get("qa:alerts:workers"))
        worker.signal(signal.SIGKILL)
        worker.wait()
        assert "A worker was lost" in scene.both("firing", "worker_lost")
    with WorkerProcess(scene.folder / "w2.log", REDIS_URL=scene.redis.url):
        scene.both("resolved", "worker_lost")


def test_a_worker_that_ends_as_told_is_no_alert(scene: Scene) -> None:
    """It signs off; what is told is the queue that piles up behind it."""
    redis = Redis.from_url(scene.redis.url)
    scene.scheduler()
    with WorkerProcess(scene.folder / "w1.log", REDIS_URL=scene.redis.url) as worker:
        wait_until(lambda: redis.exists("qa:alerts:workers") and b'known":{}' not in redis.get("qa:alerts:workers"))
        worker.signal(signal.SIGTERM)
        worker.wait()
        wait_until(lambda: b'known":{}' in redis.get("qa:alerts:workers"), what="a roster without the worker")
        for number in range(3):
            add(redis, f"run-{number}")
        scene.both("firing", "queue_depth")
    assert scene.hook.alerts("firing", "worker_lost") == []


def test_a_redis_that_stops_is_told_while_it_is_away_and_when_it_is_back(scene: Scene) -> None:
    """The cooldown is kept in memory meanwhile: one message, however long it lasts."""
    redis = Redis.from_url(scene.redis.url)
    scene.scheduler()
    wait_until(lambda: redis.exists("qa:alerts:watcher"), what="a watch")
    redis.shutdown(nosave=True)
    assert "cannot be used" in scene.both("firing", "redis_away")
    scene.start_redis()
    scene.both("resolved", "redis_away")
    assert len(scene.hook.alerts("firing", "redis_away")) == 1


def test_a_dead_scheduler_is_told_by_one_deputy_and_told_to_be_back(scene: Scene) -> None:
    """Two workers' parents and the pages look on; one of them tells it, once."""
    redis = Redis.from_url(scene.redis.url)
    scheduler = scene.scheduler()
    scene.process("-c", "from qa_queue.cli import main; main()", "web", QA_WEB_PORT=str(scene.web_port))
    with (
        WorkerProcess(scene.folder / "w1.log", REDIS_URL=scene.redis.url, **scene.alerting) as first,
        WorkerProcess(scene.folder / "w2.log", REDIS_URL=scene.redis.url, **scene.alerting),
    ):
        first.says("serves test-execution")
        wait_until(lambda: redis.exists(BEAT_KEY) and redis.exists("qa:alerts:watcher"), what="a watch")
        scheduler.kill()
        scheduler.wait()
        assert "has been silent since" in scene.both("firing", "scheduler_stopped")
        scene.scheduler()
        scene.both("resolved", "scheduler_stopped")
    assert len(scene.hook.alerts("firing", "scheduler_stopped")) == 1
    assert len(scene.hook.alerts("resolved", "scheduler_stopped")) == 1
