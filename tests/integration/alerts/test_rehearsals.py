"""Real parts of a service fail, and messages arrive: by mail on a real server, and at a signed webhook."""

from __future__ import annotations

import signal
import socket

import httpx
from redis import Redis

from qa_queue.local.process import free_port
from qa_queue.local.supabase import start_supabase
from qa_queue.monitoring.alerts import AlertState
from qa_queue.monitoring.alerts.state import WORKERS_KEY
from tests.integration.alerts.conftest import QUICK, AlertService
from tests.support.dead_letters import bury
from tests.support.poll import wait_until
from tests.support.processes import ROOT
from tests.support.queueing import add, take_all
from tests.support.serving import client
from tests.support.workers import WorkerProcess, ended, enqueue


def worker_known(redis: Redis) -> bool:
    """Return whether the last evaluation saw a running worker."""
    return b'"known":{"' in (redis.get(WORKERS_KEY) or b"")


def test_a_growing_queue_is_notified_and_resolved(service: AlertService) -> None:
    """By mail and webhook, with the numbers."""
    redis = Redis.from_url(service.redis.url)
    service.scheduler()
    for number in range(3):
        add(redis, f"run-{number}")
    assert "3 jobs wait on test-execution" in service.both("firing", "queue_depth")
    take_all(redis)
    service.both("resolved", "queue_depth")
    assert service.hook.forged == 0


def test_a_dead_letter_is_notified(service: AlertService) -> None:
    """With the command that lists it; the signing secret is not in the log."""
    service.scheduler()
    bury(Redis.from_url(service.redis.url), "run-1")
    assert "qa-queue dlq list" in service.both("firing", "dead_letter")
    assert service.settings["QA_SECRET_HOOK"] not in service.log.read_text()


def test_a_killed_worker_is_notified_and_resolved_by_its_successor(service: AlertService) -> None:
    """kill -9; the successor is another process."""
    service.scheduler()
    redis = Redis.from_url(service.redis.url)
    with WorkerProcess(service.folder / "w1.log", REDIS_URL=service.redis.url) as worker:
        wait_until(lambda: worker_known(redis), what="a known worker")
        worker.signal(signal.SIGKILL)
        worker.wait()
        assert "A worker was lost" in service.both("firing", "worker_lost")
    with WorkerProcess(service.folder / "w2.log", REDIS_URL=service.redis.url):
        service.both("resolved", "worker_lost")


def test_a_worker_that_ends_in_order_is_not_an_alert(service: AlertService) -> None:
    """It signs off; only the growing queue is notified."""
    redis = Redis.from_url(service.redis.url)
    service.scheduler()
    with WorkerProcess(service.folder / "w1.log", REDIS_URL=service.redis.url) as worker:
        wait_until(lambda: worker_known(redis), what="a known worker")
        worker.signal(signal.SIGTERM)
        worker.wait()
        wait_until(lambda: not worker_known(redis), what="no known worker")
        for number in range(3):
            add(redis, f"run-{number}")
        service.both("firing", "queue_depth")
    assert service.hook.alerts("firing", "worker_lost") == []


def test_a_redis_that_stops_is_notified_while_it_is_unavailable_and_resolved_afterwards(
    service: AlertService,
) -> None:
    """The cooldown is kept in memory meanwhile: one message, however long it lasts."""
    redis = Redis.from_url(service.redis.url)
    service.scheduler()
    wait_until(lambda: AlertState(redis).active(), what="an evaluation")
    redis.shutdown(nosave=True)
    assert "cannot be used" in service.both("firing", "redis_away")
    service.start_redis()
    service.both("resolved", "redis_away")
    assert len(service.hook.alerts("firing", "redis_away")) == 1


def test_a_dead_scheduler_shows_in_readiness_and_metrics(service: AlertService) -> None:
    """kill -9, noticed within the 15 s that a heartbeat lasts; and again when another one runs."""
    service.command("web", **service.web)
    pages = client(f"http://127.0.0.1:{service.web_port}", timeout=20)

    def shown(status: str, up: int) -> bool:
        try:
            ready = pages.get("/health/ready").json()
            metrics = pages.get("/metrics").text
        except httpx.TransportError:
            return False  # not started yet
        warned = any("The scheduler has sent no heartbeat since" in one for one in ready.get("warnings", []))
        found = ready.get("scheduler", {}).get("status"), f"qa_queue_scheduler_up {up:.1f}" in metrics, warned
        return found == (status, True, status == "stopped")

    with pages:
        scheduler = service.scheduler()
        wait_until(lambda: shown("alive", 1), 60, "a scheduler")
        scheduler.kill()
        scheduler.wait()
        wait_until(lambda: shown("stopped", 0), 60, "no scheduler")
        service.scheduler()
        wait_until(lambda: shown("alive", 1), 60, "the scheduler again")


def test_a_supabase_that_stops_is_notified_and_resolved(service: AlertService) -> None:
    """A real one, stopped and started again on its port."""
    port = free_port()
    folder, cache = service.folder / "supabase", ROOT / ".qa" / "cache"
    with start_supabase(folder, port, cache=cache) as supabase:
        service.scheduler(SUPABASE_URL=supabase.url, SUPABASE_SECRET_KEY=supabase.key or "")
        redis = Redis.from_url(service.redis.url)
        wait_until(lambda: AlertState(redis).active(), what="an evaluation")
    assert "Supabase cannot be used" in service.both("firing", "supabase_away")
    with start_supabase(folder, port, cache=cache):
        service.both("resolved", "supabase_away")
    assert len(service.hook.alerts("firing", "supabase_away")) == 1


def test_a_high_failure_rate_is_notified(service: AlertService) -> None:
    """From the outcomes that real workers have counted in the last minutes."""
    service.configure(QUICK.replace("  no_worker: false", "  failure_rate: {above: 0.5, least_runs: 3, for: 0s}"))
    redis = Redis.from_url(service.redis.url)
    service.scheduler()
    with WorkerProcess(service.folder / "w1.log", REDIS_URL=service.redis.url):
        for name in ("refuses", "refuses", "echo"):
            ended(enqueue(redis, name))
        assert "67% of the runs of test-execution failed" in service.both("firing", "failure_rate")


def test_a_channel_that_hangs_or_fails_affects_no_other(service: AlertService) -> None:
    """Mail and jobs go on; the broken channels are listed, and messages arrive once they work again."""
    hanging = socket.create_server(("127.0.0.1", 0))
    service.configure(f"{QUICK}  hangs: {{url: 'mailto://127.0.0.1:{hanging.getsockname()[1]}?to=a@b.example'}}\n")
    service.hook.answer = lambda: 500
    redis = Redis.from_url(service.redis.url)
    service.scheduler()
    for number in range(3):
        add(redis, f"run-{number}")
    service.box.find("queue_depth", timeout=60)
    tries = wait_until(lambda: len(service.hook.requests) >= 2 and service.hook.requests, what="a second try")
    assert tries[0]["X-QA-Queue-Delivery"] == tries[1]["X-QA-Queue-Delivery"]
    take_all(redis)
    service.box.find("RESOLVED", timeout=60)
    state = AlertState(redis)
    wait_until(lambda: state.channel_errors().keys() >= {"hook", "hangs"}, 120, "both channels listed")
    assert "answered 500" in state.channel_errors()["hook"]
    service.hook.answer = lambda: 200
    for number in range(3):
        add(redis, f"again-{number}")
    with hanging:
        service.hook.wait("resolved", "queue_depth")
