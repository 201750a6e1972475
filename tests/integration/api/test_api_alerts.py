"""Alerts and health over HTTP and on the first page."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
from redis import Redis

from qa_queue.monitoring.alerts import Alert, AlertState
from qa_queue.monitoring.alerts.rules import RuleKind, Severity
from qa_queue.monitoring.alerts.state import MONITOR_KEY
from qa_queue.monitoring.heartbeats import HEARTBEAT_KEY, send_heartbeat
from qa_queue.monitoring.snapshot import KnownWorkers
from tests.support.queueing import QUEUE, add, take_all

EVIL = "<script>alert(1)</script>"


def keep(redis: Redis, *alerts: Alert) -> None:
    """Alerts as an evaluation leaves them."""
    state = AlertState(redis)
    assert state.replace(state.read(), {alert.key: alert for alert in alerts}, KnownWorkers(), by="me")


def alert(rule: str, *, firing: bool = True, severity: Severity = Severity.WARNING) -> Alert:
    now = time.time()
    return Alert(
        rule=rule,
        kind=RuleKind.QUEUE_DEPTH,
        subject=QUEUE,
        severity=severity,
        summary=f"{rule} is bad {EVIL}",
        value=3,
        pending_since=now,
        firing_since=now if firing else None,
    )


def test_alerts_that_fire_are_listed_the_worst_first(reader: httpx.Client, redis_db: Redis) -> None:
    """A pending one is left out; a channel that failed is listed."""
    keep(redis_db, alert("a"), alert("b", severity=Severity.CRITICAL), alert("c", firing=False))
    AlertState(redis_db).record_delivery("mail", "refused")
    AlertState(redis_db).record_delivery("hook", None)
    answer = reader.get("/api/alerts").json()
    assert [one["rule"] for one in answer["alerts"]] == ["b", "a"]
    assert answer["alerts"][0].keys() == {
        "rule",
        "kind",
        "subject",
        "severity",
        "summary",
        "value",
        "since",
        "told",
    }
    assert answer["broken_channels"] == {"mail": "refused"}
    assert answer["watched"]
    redis_db.delete(MONITOR_KEY)  # as when it expires
    assert not reader.get("/api/alerts").json()["watched"]


def test_the_first_page_shows_them(serve: Callable[..., str], redis_db: Redis) -> None:
    """As text, whatever they contain; nothing while there are none."""
    with httpx.Client(base_url=serve(qa_api_open_on_loopback=True), timeout=20) as pages:
        assert 'id="alerts"' not in pages.get("/").text
        keep(redis_db, alert("a", severity=Severity.CRITICAL))
        page = pages.get("/").text
    assert "a is bad" in page
    assert EVIL not in page
    assert '<li class="critical">' in page


def test_readiness_covers_the_scheduler_the_workers_and_the_oldest_job(url: str, redis_db: Redis) -> None:
    """They do not make it unready; a job that no worker serves and a stopped scheduler are warnings."""
    first = httpx.get(f"{url}/health/ready").json()
    assert (first["status"], first["scheduler"], first["warnings"]) == ("ready", {"status": "none"}, [])
    add(redis_db, "waits")
    send_heartbeat(redis_db, "me")
    second = httpx.get(f"{url}/health/ready").json()
    assert second["scheduler"]["status"] == "alive"
    assert second["oldest_waiting_seconds"].keys() == {QUEUE}
    assert second["warnings"] == [f"Jobs wait on {QUEUE}, and no worker serves it: start one."]
    redis_db.delete(HEARTBEAT_KEY)
    third = httpx.get(f"{url}/health/ready").json()
    assert (third["status"], third["scheduler"]["status"], len(third["warnings"])) == ("ready", "stopped", 2)


def test_the_oldest_job_is_found_whatever_its_priority(url: str, redis_db: Redis) -> None:
    """By the time at which it was enqueued, not by its position."""
    for run_id, minutes in (("young", 1), ("old", 30), ("urgent", 5)):
        add(redis_db, run_id)
        moment = datetime.fromtimestamp(time.time() - 60 * minutes, UTC)
        redis_db.hset(f"rq:job:{run_id}", "enqueued_at", f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}")
    age = httpx.get(f"{url}/health/ready").json()["oldest_waiting_seconds"][QUEUE]
    assert 1800 <= age < 1800 + 300
    take_all(redis_db)
    assert httpx.get(f"{url}/health/ready").json()["oldest_waiting_seconds"] == {}
