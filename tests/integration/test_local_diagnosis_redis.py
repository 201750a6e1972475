"""The diagnoses of `qa-queue doctor` of the Redis servers that the settings name."""

from __future__ import annotations

import pytest
from redis import Redis

from qa_queue.local.doctor import check_redis, unsafe
from qa_queue.settings import Settings, load_settings


def test_every_server_is_diagnosed_and_a_setting_of_an_unknown_queue_is_reported(
    redis_db, redis_url, monkeypatch, tmp_path
):
    """Each with the setting to change."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL_CLEANP", "redis://127.0.0.1:1")
    settings = load_settings(redis_url=redis_url, redis_url_test_execution="redis://127.0.0.1:1")
    main, own, unknown = check_redis(settings)
    assert main.status == "ok"
    assert (own.status, unknown.status) == ("broken", "broken")
    assert (
        "nothing listens there. Start the service with `qa-queue up`, or set REDIS_URL_TEST_EXECUTION" in own.found
    )
    assert unknown.found == "REDIS_URL_CLEANP does not name a queue"
    assert unknown.fix == "rename it to REDIS_URL_CLEANUP"


def test_a_server_that_may_drop_jobs_is_broken(redis_db: Redis, redis_url: str) -> None:
    """Even if everything else is right."""
    redis_db.config_set("maxmemory-policy", "allkeys-lru")
    try:
        (found,) = check_redis(Settings(_env_file=None, redis_url=redis_url))
    finally:
        redis_db.config_set("maxmemory-policy", "noeviction")
    assert found.status == "broken"
    assert found.fix == "set its maxmemory-policy to noeviction"


@pytest.mark.parametrize(
    ("info", "fix"),
    [
        ({"redis_mode": "standalone", "maxmemory_policy": "noeviction"}, None),
        ({}, None),
        (
            {"redis_mode": "cluster", "maxmemory_policy": "noeviction"},
            "use a Redis without cluster mode: correct REDIS_URL_X",
        ),
        ({"maxmemory_policy": "volatile-ttl"}, "set its maxmemory-policy to noeviction"),
    ],
)
def test_what_a_server_reports_of_itself_tells_whether_it_can_hold_queues(
    info: dict[str, object], fix: str | None
) -> None:
    """A cluster cannot, because the steps of a queue reach several keys."""
    assert (unsafe(info, "REDIS_URL_X") or (None, None))[1] == fix
