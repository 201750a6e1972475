"""`qa-queue alerts` as users run it."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis import Redis

from qa_queue.local.process import free_port
from tests.integration.api.test_api_alerts import alert, keep
from tests.support.program import Program
from tests.support.queueing import add
from tests.support.receivers import SECRET, webhook

FILE = """version: 1
channels:
  ops: {webhook: "${secret.URL}", secret: "${secret.KEY}"}
  gone: {webhook: "http://127.0.0.1:%d/t0ken", secret: "${secret.KEY}", severity: critical}
"""


@pytest.fixture
def program(redis_db: Redis, redis_url: str, tmp_path: Path) -> Program:
    return Program(tmp_path, {"REDIS_URL": redis_url, "QA_HOME": str(tmp_path / "home"), "QA_SECRET_KEY": SECRET})


def test_firing_alerts_are_listed(program: Program, redis_db: Redis) -> None:
    """For people and as JSON, also if there are none."""
    none = program("alerts", "list").out
    assert "No alert fires." in none
    assert "No scheduler evaluates the rules" in none
    keep(redis_db, alert("backlog"))
    assert "backlog is bad" in program("alerts", "list").out
    listed = program("alerts", "list", "--json").json
    assert [one["rule"] for one in listed["alerts"]] == ["backlog"]
    assert listed["broken_channels"] == {}


def test_a_test_message_goes_through_every_channel_or_one(program: Program) -> None:
    """With the result of each; one that did not accept it makes the exit code 1."""
    (program.folder / "qa-alerts.yaml").write_text(FILE % free_port())
    with webhook() as hook:
        both = program("alerts", "test", QA_SECRET_URL=hook.url)
        one = program("alerts", "test", "--channel", "ops", "--json", QA_SECRET_URL=hook.url)
        unknown = program("alerts", "test", "--channel", "other", QA_SECRET_URL=hook.url)
    assert (both.code, one.code, unknown.code) == (1, 0, 2)
    assert "127.0.0.1 cannot be reached" in both.out
    assert "t0ken" not in both.out + both.err
    assert one.json == {"channels": [{"name": "ops", "ok": True, "error": None}]}
    assert "there are ops, gone" in unknown.err
    assert [message["test"] for message in hook.messages] == [True, True]


def test_the_file_is_checked_without_sending_anything(program: Program) -> None:
    """A mistake is reported with file and line; a secret is not shown."""
    assert "No messages are sent" in program("alerts", "check").out
    (program.folder / "qa-alerts.yaml").write_text(FILE % free_port())
    right = program("alerts", "check", QA_SECRET_URL="http://127.0.0.1:9/")
    assert right.code == 0
    assert "ops (webhook), info and worse" in right.out
    assert SECRET not in right.out
    missing = program("alerts", "check")
    assert (missing.code, "qa-alerts.yaml:3" in missing.err, "set QA_SECRET_URL" in missing.err) == (2, True, True)
    setting = program("alerts", "check", QA_SECRET_URL="http://127.0.0.1:9/", QA_ALERT_CHANNELS="p4ssword")
    assert setting.code == 2
    assert "p4ssword" not in setting.err


def test_a_test_without_a_channel_says_where_to_add_one(program: Program) -> None:
    """Bad input, so exit code 2."""
    none = program("alerts", "test")
    assert (none.code, "QA_ALERT_CHANNELS" in none.err) == (2, True)


def test_health_shows_every_part(program: Program, redis_db: Redis) -> None:
    """Exit code 3 while Supabase or Redis cannot be used; the rest is shown all the same."""
    add(redis_db, "waits")
    broken = program("health")
    assert broken.code == 3
    assert "broken supabase  SUPABASE_URL" in broken.out
    assert "none   test-execution  0 workers, the oldest job has waited" in broken.out
    shown = program("health", "--json").json
    assert (shown["ok"], shown["redis"], shown["scheduler"]["alive"]) == (False, None, False)
    away = program("health", "--json", REDIS_URL=f"redis://127.0.0.1:{free_port()}").json
    assert "nothing listens there" in away["redis"]
