"""What `qa-queue doctor` says of the Redis servers that the settings name."""

from __future__ import annotations

from redis import Redis

from qa_queue.local.redis_findings import redis_findings
from qa_queue.settings import Settings, load_settings


def test_every_server_is_looked_at_and_a_name_that_is_no_queue_is_told(redis_db, redis_url, monkeypatch, tmp_path):
    """With the setting to change."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL_CLEANP", "redis://127.0.0.1:1")
    settings = load_settings(redis_url=redis_url, redis_url_test_execution="redis://127.0.0.1:1")
    main, own, stranger = redis_findings(settings)
    assert main.status == "ok"
    assert (own.status, stranger.status) == ("broken", "broken")
    assert "nothing listens there. Start Redis, or set REDIS_URL_TEST_EXECUTION" in own.found
    assert stranger.found == "REDIS_URL_CLEANP names no queue"
    assert stranger.mend == "rename it to REDIS_URL_CLEANUP"


def test_a_server_that_may_drop_jobs_is_broken(redis_db: Redis, redis_url: str) -> None:
    """Whatever else is right with it."""
    redis_db.config_set("maxmemory-policy", "allkeys-lru")
    try:
        (found,) = redis_findings(Settings(_env_file=None, redis_url=redis_url))
    finally:
        redis_db.config_set("maxmemory-policy", "noeviction")
    assert found.status == "broken"
    assert found.mend == "set its maxmemory-policy to noeviction"
