"""rq-dashboard over two Redis servers: each is an instance, and a change goes to the right one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from redis import Redis

from qa_queue.api.dashboard import create_app
from qa_queue.local.redis import start_redis
from qa_queue.services import Backend
from qa_queue.settings import Settings
from qa_queue.store.memory import MemoryStore
from tests.support.workers import enqueue

OURS = {"X-Requested-With": "XMLHttpRequest"}


@pytest.fixture
def own(tmp_path) -> Iterator[Redis]:
    with start_redis(tmp_path) as server, Redis.from_url(server.url) as connection:
        connection.url = server.url  # type: ignore[attr-defined]
        yield connection


@pytest.fixture
def pages(own, redis_db, redis_url) -> FlaskClient:
    settings = Settings(_env_file=None, redis_url=redis_url, redis_url_cleanup=own.url)
    return create_app(settings, Backend(settings, MemoryStore())).test_client()


def test_each_server_is_an_instance(pages, own, redis_db):
    """A third there is not; what is on one is not on the other."""
    enqueue(redis_db, "echo")
    enqueue(own, "echo", queue="cleanup")
    names = [
        {queue["name"] for queue in pages.get(f"/{number}/data/queues.json").json["queues"]} for number in (0, 1)
    ]
    assert names == [{"test-execution"}, {"cleanup"}]
    assert pages.get("/2/view/queues").status_code == 404
    assert b"127.0.0.1" in pages.get("/1/view/queues").data


def test_a_change_goes_to_the_server_of_its_queue_or_job(pages, own, redis_db):
    """Whichever was looked at before."""
    job = enqueue(own, "echo", queue="cleanup")
    other = enqueue(redis_db, "echo")
    pages.get("/0/view/queues")
    assert pages.post(f"/job/{job.id}/delete", headers=OURS).status_code == 200
    assert not own.exists(job.key)
    pages.get("/1/view/queues")
    assert pages.post("/queue/test-execution/queued/empty", headers=OURS).status_code == 200
    assert not redis_db.exists(other.key)
