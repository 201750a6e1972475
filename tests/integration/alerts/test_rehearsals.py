"""The real thing is broken, and the message arrives: by mail on a real server, and at a webhook that is signed."""

from __future__ import annotations

import signal
import socket

import pytest
from redis import Redis

from qa_queue.local.process import free_port
from qa_queue.local.supabase import start_supabase
from qa_queue.monitoring.alerts import AlertState, watch_of
from qa_queue.monitoring.scheduler_heartbeat import BEAT_KEY
from qa_queue.settings import load_settings
from tests.integration.alerts.conftest import QUICK, ROOT, Scene
from tests.support.dying import bury
from tests.support.poll import wait_until
from tests.support.queueing import add, take_all
from tests.support.workers import WorkerProcess, ended, enqueue


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


def test_a_supabase_that_stops_is_told_and_told_to_be_back(scene: Scene) -> None:
    """A real one, stopped and started again on its port."""
    port = free_port()
    folder, cache = scene.folder / "supabase", ROOT / ".qa" / "cache"
    with start_supabase(folder, port, cache=cache) as supabase:
        scene.scheduler(SUPABASE_URL=supabase.url, SUPABASE_SECRET_KEY=supabase.key or "")
        redis = Redis.from_url(scene.redis.url)
        wait_until(lambda: redis.exists("qa:alerts:watcher"), what="a watch")
    assert "Supabase cannot be used" in scene.both("firing", "supabase_away")
    with start_supabase(folder, port, cache=cache):
        scene.both("resolved", "supabase_away")
    assert len(scene.hook.alerts("firing", "supabase_away")) == 1


def test_redis_and_the_scheduler_may_die_at_once(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pages on the same machine know by the lock of a file that nobody else is left to speak."""
    redis = Redis.from_url(scene.redis.url)
    scheduler = scene.scheduler()
    wait_until(lambda: redis.exists(BEAT_KEY) and redis.exists("qa:alerts:watcher"), what="a watch")
    for name, value in scene.variables.items():
        monkeypatch.setenv(name, value)
    deputy = watch_of(load_settings(), "web", deputy=True)
    deputy.look()
    scheduler.kill()
    scheduler.wait()
    redis.shutdown(nosave=True)

    def told() -> bool:
        deputy.look()
        return bool(scene.hook.alerts("firing", "redis_away"))

    wait_until(told, 60, "a message of the deputy")
    deputy.close(5)


def test_runs_that_fail_too_often_are_told_with_their_share(scene: Scene) -> None:
    """By what real workers have counted of the last minutes."""
    scene.configure(QUICK.replace("  no_worker: false", "  failure_rate: {above: 0.5, least_runs: 3, for: 0s}"))
    redis = Redis.from_url(scene.redis.url)
    scene.scheduler()
    with WorkerProcess(scene.folder / "w1.log", REDIS_URL=scene.redis.url):
        for name in ("refuses", "refuses", "echo"):
            ended(enqueue(redis, name))
        assert "67% of the runs of test-execution failed" in scene.both("firing", "failure_rate")


def test_a_channel_that_hangs_or_fails_harms_neither_another_nor_the_watch(scene: Scene) -> None:
    """Mail goes on, jobs go on; the broken ones are named, and their messages arrive once they are mended."""
    hanging = socket.create_server(("127.0.0.1", 0))
    scene.configure(f"{QUICK}  hangs: {{url: 'mailto://127.0.0.1:{hanging.getsockname()[1]}?to=a@b.example'}}\n")
    scene.hook.answer = lambda: 500
    redis = Redis.from_url(scene.redis.url)
    scene.scheduler()
    for number in range(3):
        add(redis, f"run-{number}")
    scene.box.find("queue_depth", timeout=60)
    tries = wait_until(lambda: len(scene.hook.requests) >= 2 and scene.hook.requests, what="a second try")
    assert tries[0]["X-QA-Queue-Delivery"] == tries[1]["X-QA-Queue-Delivery"]
    take_all(redis)
    scene.box.find("RESOLVED", timeout=60)
    state = AlertState(redis)
    wait_until(lambda: state.channel_errors().keys() >= {"hook", "hangs"}, 120, "both channels named")
    assert "answered 500" in state.channel_errors()["hook"]
    scene.hook.answer = lambda: 200
    for number in range(3):
        add(redis, f"again-{number}")
    with hanging:
        scene.hook.wait("resolved", "queue_depth")
