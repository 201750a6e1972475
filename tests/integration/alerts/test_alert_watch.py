"""A watch whose channels come and go, on a real Redis and a webhook."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from redis import Redis

from qa_queue.monitoring.alerts.monitor import AlertMonitor
from qa_queue.monitoring.alerts.state import AlertState, firing
from qa_queue.settings import load_settings
from tests.support.poll import wait_until
from tests.support.queueing import add
from tests.support.receivers import SECRET, webhook

RULES = "version: 1\nevery: 1s\ngroup_wait: 0s\nrules:\n  queue_depth: {above: 0, for: 0s}\n"
CHANNEL = 'channels:\n  hook: {webhook: "%s", secret: "${secret.HOOK}"}\n'


@pytest.fixture
def watch(tmp_path: Path, redis_db: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch):
    """A watch whose file has no channel, of a service on which a job waits."""
    monkeypatch.setenv("QA_SECRET_HOOK", SECRET)
    file = tmp_path / "qa-alerts.yaml"
    file.write_text(RULES)
    add(redis_db, str(uuid4()))
    found = AlertMonitor(
        load_settings(redis_url=redis_url, qa_alerts_file=file, qa_home=tmp_path), name="w", deputy=False
    )
    yield found
    found.close()


def test_the_first_channel_is_told_what_fires_already(watch: AlertMonitor, redis_db: Redis, tmp_path: Path) -> None:
    """Until then nobody was told; and notes of channels that are no more are forgotten."""
    state = AlertState(redis_db)
    state.note_channel("gone", "refused")

    def alert(told: bool) -> bool:
        watch.look()
        return any(one.kind == "queue_depth" and one.open and one.told is told for one in firing(state.load()))

    wait_until(lambda: alert(told=False), 20, "an alert that nobody heard of")
    assert state.channel_errors() == {}
    with webhook() as hook:
        (tmp_path / "qa-alerts.yaml").write_text(RULES + CHANNEL % hook.url)
        wait_until(lambda: alert(told=True), 20, "an alert that was told")
        hook.wait("firing", "queue_depth", 20)
