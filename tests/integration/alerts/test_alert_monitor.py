"""The alert monitor on a real Redis and a webhook: restarts, several schedulers, channels that come and go."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest
from redis import Redis

from qa_queue.monitoring.alerts import AlertMonitor, AlertState, firing
from qa_queue.monitoring.alerts.state import REVISION_KEY, STATE_KEY, Alert
from qa_queue.monitoring.snapshot import KnownWorkers
from qa_queue.settings import load_settings
from tests.support.poll import wait_until
from tests.support.queueing import add, take_all
from tests.support.receivers import SECRET, Hook, webhook

RULES = "version: 1\nevery: 1s\ngroup_wait: 0s\nrules:\n  queue_depth: {above: 0, for: 0s}\n  no_worker: false\n"
CHANNEL = 'channels:\n  hook: {webhook: "%s", secret: "${secret.HOOK}"}\n'

Start = Callable[[], AlertMonitor]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `qa-alerts.yaml` without channels."""
    monkeypatch.setenv("QA_SECRET_HOOK", SECRET)
    path = tmp_path / "qa-alerts.yaml"
    path.write_text(RULES)
    return path


@pytest.fixture
def hook(file: Path) -> Iterator[Hook]:
    """The receiver of the file's only channel."""
    with webhook() as receiver:
        file.write_text(RULES + CHANNEL % receiver.url)
        yield receiver


@pytest.fixture
def start(file: Path, redis_db: Redis, redis_url: str, tmp_path: Path) -> Iterator[Start]:
    """Starts the monitor of a scheduler, with a job on the queue."""
    settings = load_settings(redis_url=redis_url, qa_alerts_file=file, qa_home=tmp_path)
    add(redis_db, str(uuid4()))
    with ExitStack() as stack:

        def make() -> AlertMonitor:
            monitor = AlertMonitor(settings, name=f"scheduler {uuid4()}")
            stack.callback(monitor.close, 5)
            return monitor

        yield make


def until(monitor: AlertMonitor, met: Callable[[], object], what: str) -> None:
    """Run a monitor until a condition is met."""
    wait_until(lambda: (monitor.run(), met())[1], 20, what)


def evaluations(redis: Redis) -> int:
    return int(redis.get(REVISION_KEY) or 0)


def test_the_first_channel_gets_alerts_that_fire_already(start: Start, redis_db: Redis, file: Path) -> None:
    """Until then none was notified; and results of removed channels are forgotten."""
    state, monitor = AlertState(redis_db), start()
    state.record_delivery("gone", "refused")

    def depth(*, notified: bool) -> bool:
        found = firing(state.load())
        return any(one.kind == "queue_depth" and one.open and one.notified is notified for one in found)

    until(monitor, lambda: depth(notified=False), "an alert without a channel")
    assert state.channel_errors() == {}
    with webhook() as hook:
        file.write_text(RULES + CHANNEL % hook.url)
        until(monitor, lambda: depth(notified=True), "an alert with a channel")
        hook.wait("firing", "queue_depth", 20)


def test_a_restarted_scheduler_continues_where_the_last_one_was(start: Start, redis_db: Redis, hook: Hook) -> None:
    """It does not repeat a message within its cooldown, and resolves the alert of its predecessor."""
    first = start()
    until(first, lambda: hook.alerts("firing", "queue_depth"), "a message")
    first.close(5)
    second, seen = start(), evaluations(redis_db)
    until(second, lambda: evaluations(redis_db) >= seen + 2, "two more evaluations")
    take_all(redis_db)
    until(second, lambda: hook.alerts("resolved", "queue_depth"), "the resolved message")
    third = start()
    add(redis_db, str(uuid4()))
    until(third, lambda: firing(AlertState(redis_db).load()), "the alert again")
    seen = evaluations(redis_db)
    until(third, lambda: evaluations(redis_db) >= seen + 2, "two more evaluations")
    third.close(5)
    assert len(hook.alerts("firing", "queue_depth")) == 1
    assert len(hook.alerts("resolved", "queue_depth")) == 1


def test_of_two_schedulers_one_sends_each_message(start: Start, redis_db: Redis, hook: Hook) -> None:
    """Both evaluate the rules at the same time, again and again."""
    stop, monitors = threading.Event(), [start(), start()]

    def work(monitor: AlertMonitor) -> None:
        while not stop.wait(0.01):
            monitor.run()

    threads = [threading.Thread(target=work, args=(monitor,)) for monitor in monitors]
    for thread in threads:
        thread.start()
    try:
        hook.wait("firing", "queue_depth", 20)
        wait_until(lambda: evaluations(redis_db) >= 4, 20, "further evaluations")
        take_all(redis_db)
        hook.wait("resolved", "queue_depth", 20)
    finally:
        stop.set()
        for thread in threads:
            thread.join(20)
    for monitor in monitors:
        monitor.close(5)
    assert len(hook.alerts("firing", "queue_depth")) == 1
    assert len(hook.alerts("resolved", "queue_depth")) == 1


def test_of_two_evaluations_that_began_alike_one_is_stored(redis_db: Redis) -> None:
    """The other one notifies nothing, since its changes may be known already."""
    first, second = AlertState(redis_db), AlertState(redis_db)
    began, same = first.read(), second.read()
    assert first.replace(began, {}, KnownWorkers(at=1), by="a")
    assert not second.replace(same, {}, KnownWorkers(at=2), by="b")
    assert second.read().workers.at == 1
    assert second.replace(second.read(), {}, KnownWorkers(at=3), by="b")


def test_alerts_of_an_older_version_are_read(redis_db: Redis) -> None:
    """By the names that their fields had; those of a kind that is gone are left out."""
    old = (
        '{"rule":"%s","kind":"%s","subject":"q","severity":"warning","summary":"s","value":3.0,"pending_since":1.0,'
        '"firing_since":2.0,"told_at":4.0,"told_value":5.0,"open":true,"heard":false}'
    )
    kinds = ("queue_depth", "scheduler_stopped")
    redis_db.hset(STATE_KEY, mapping={f"{kind}:q": old % (kind, kind) for kind in kinds})
    (alert,) = AlertState(redis_db).load().values()
    assert (alert.notified_at, alert.notified_value, alert.had_channel) == (4, 5, False)
    assert Alert.model_validate_json(alert.model_dump_json()) == alert
