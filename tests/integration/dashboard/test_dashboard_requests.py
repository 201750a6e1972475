"""The dashboard's answers: who gets in, what shows, what changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from redis import Redis
from rq.job import JobStatus
from rq.registry import FailedJobRegistry, StartedJobRegistry

from qa_queue.api.dashboard import create_app
from qa_queue.auth.audit import WAITING_KEY
from qa_queue.auth.logins import FREE_FAILURES, MAX_BACKOFF_S
from qa_queue.errors import RedisUnavailableError, SettingsError
from qa_queue.queues.priority_queue import PriorityQueue
from qa_queue.settings import load_settings
from qa_queue.store.audit import AuditRecord
from tests.integration.dashboard.conftest import LOGIN
from tests.support.workers import QUEUE, enqueue

SCRIPTS = {"X-Requested-With": "XMLHttpRequest"}


@pytest.fixture
def client(dashboard: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=dashboard, auth=LOGIN) as client:
        yield client


def failed_job(redis: Redis):
    job = enqueue(redis, "echo")
    PriorityQueue(QUEUE, connection=redis).remove(job)
    job.set_status(JobStatus.FAILED)
    FailedJobRegistry(QUEUE, connection=redis).add(job, ttl=60, exc_string="boom")
    return job


def test_no_one_gets_in_without_the_password(guarded):
    """Not to a page, not to the data, not to a script."""
    for path in ("/", "/0/data/queues.json", "/static/js/jquery-3.5.1.min.js"):
        assert httpx.get(guarded + path).status_code == 401
        assert httpx.get(guarded + path, auth=("qa", "wrong")).status_code == 401
        assert httpx.get(guarded + path, auth=LOGIN).status_code == 200


def test_guesses_of_the_password_are_few(guarded):
    """200 at once: a handful is looked at, and the rest is asked to wait, the right password among them."""
    with ThreadPoolExecutor(16) as pool:
        guesses = list(pool.map(lambda n: httpx.get(guarded, auth=("qa", f"guess {n}")), range(200)))
    statuses = Counter(answer.status_code for answer in guesses)
    assert statuses.keys() == {401, 429}
    assert statuses[401] <= FREE_FAILURES + 8  # one more for each thread of the server
    late = httpx.get(guarded, auth=LOGIN)
    assert late.status_code == 429
    assert 0 < int(late.headers["retry-after"]) <= MAX_BACKOFF_S
    assert httpx.get(guarded).status_code == 401


def test_the_password_needs_no_cookie(dashboard):
    """Cookies ignore ports, logins by header do not: no other site of this machine gets to see it."""
    assert "set-cookie" not in httpx.get(dashboard, auth=LOGIN).headers


def test_without_a_password_it_does_not_start(redis_url):
    """And says which setting is missing."""
    with pytest.raises(SettingsError, match="QA_DASHBOARD_PASSWORD is not set"):
        create_app(load_settings(redis_url=redis_url))


def test_without_redis_it_does_not_start():
    """And says where it looked."""
    with pytest.raises(RedisUnavailableError, match=r"127\.0\.0\.1:1/0"):
        create_app(load_settings(redis_url="redis://127.0.0.1:1/0", qa_dashboard_password="x"))


def test_a_waiting_json_job_shows_its_call_and_data(redis_db, client):
    """With its metadata."""
    job = enqueue(redis_db, "echo", {"n": 1}, meta={"step": 3}, description="Login works")
    (listed,) = client.get(f"/0/data/jobs/{QUEUE}/queued/8/asc/1.json").json()["jobs"]
    assert (listed["id"], listed["description"]) == (job.id, "Login works")
    shown = client.get(f"/0/data/job/{job.id}.json").json()
    assert (shown["status"], shown["metadata"]) == ("queued", '{"step": 3}')


def test_a_job_with_dependencies_is_shown(redis_db, client):
    """RQ 3 gives their ids as text, which upstream cannot take."""
    first = enqueue(redis_db, "echo")
    second = enqueue(redis_db, "echo", depends_on=first)
    shown = client.get(f"/0/data/job/{second.id}.json").json()
    assert (shown["depends_on"], shown["depends_on_status"]) == ([first.id], ["active"])


def test_malformed_jobs_break_no_page(redis_db, client):
    """They are left out; one that is not there is a 404."""
    bad, unreadable, good = (enqueue(redis_db, "echo") for _ in range(3))
    redis_db.hset(bad.key, "created_at", "never")
    redis_db.hset(unreadable.key, mapping={"data": b"\x80", "meta": b"\x80"})
    listed = client.get(f"/0/data/jobs/{QUEUE}/queued/8/asc/1.json").json()["jobs"]
    assert {job["id"] for job in listed} == {unreadable.id, good.id}
    assert client.get(f"/0/data/job/{unreadable.id}.json").status_code == 200
    assert client.get("/0/view/job/nothing").status_code == 404


def test_a_failed_job_goes_back_only_by_a_post_of_the_own_pages(redis_db, client):
    """Neither a link nor another site's form can do it."""
    job = failed_job(redis_db)
    assert client.get(f"/requeue/{QUEUE}").status_code == 405
    assert client.post(f"/requeue/{QUEUE}").status_code == 403
    assert client.post(f"/job/{job.id}/requeue", headers={"Origin": "http://evil.example"}).status_code == 403
    assert job.get_status(refresh=True) == JobStatus.FAILED
    assert client.post(f"/requeue/{QUEUE}", headers=SCRIPTS).json() == {"count": 1, "status": "OK"}
    assert job.get_status(refresh=True) == JobStatus.QUEUED
    assert PriorityQueue(QUEUE, connection=redis_db).job_ids == [job.id]


def test_a_job_can_be_deleted_from_its_page(redis_db, client):
    """It leaves its registry too."""
    job = failed_job(redis_db)
    assert client.post(f"/job/{job.id}/delete", headers=SCRIPTS).json() == {"status": "OK"}
    assert not redis_db.exists(job.key)
    assert FailedJobRegistry(QUEUE, connection=redis_db).get_job_count(cleanup=False) == 0


def test_every_answer_tells_the_browser_to_be_careful(client):
    """Scripts from elsewhere are not run, and no other page may frame this one."""
    headers = client.get("/").headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Frame-Options"] == "DENY"


def test_no_password_of_redis_is_shown(redis_url, client):
    """The page names the server alone."""
    password = redis_url.split("@")[0].rsplit(":", 1)[1]
    assert len(password) > 5
    assert password not in client.get("/").text


def test_looking_changes_nothing(redis_db, client):
    """An execution without heartbeat stays for the workers to find."""
    job = enqueue(redis_db, "echo")
    registry = StartedJobRegistry(QUEUE, connection=redis_db)
    redis_db.zadd(registry.key, {f"{job.id}:1": 1})
    assert client.get("/0/data/queues.json").json()["queues"][0]["started_job_registry_count"] == 1
    assert client.get(f"/0/data/jobs/{QUEUE}/started/8/asc/1.json").status_code == 200
    assert redis_db.zcard(registry.key) == 1


def test_a_change_is_recorded_with_its_user(redis_db, client):
    """In the audit log; its entry waits in Redis where the store does not answer. What is refused leaves none."""
    job = enqueue(redis_db, "echo")
    assert client.post(f"/job/{job.id}/delete").status_code == 403
    assert client.get("/").status_code == 200
    assert redis_db.hlen(WAITING_KEY) == 0
    assert client.post(f"/job/{job.id}/delete", headers=SCRIPTS).status_code == 200
    (entry,) = map(AuditRecord.model_validate_json, redis_db.hvals(WAITING_KEY))
    assert (entry.actor, entry.address, entry.kind.value) == ("dashboard:qa", "127.0.0.1", "dashboard.change")
    assert (entry.object, entry.outcome) == (f"POST /job/{job.id}/delete", "done")
