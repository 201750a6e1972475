"""A Redis behind TLS that asks for a client certificate, and a user with the rights that the docs give."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis import Redis
from rq.command import send_stop_job_command
from rq.job import Job
from rq.serializers import JSONSerializer

from qa_queue.api.dashboard import create_app
from qa_queue.auth.tokens import Role, TokenStore
from qa_queue.errors import RedisUnavailableError, SettingsError
from qa_queue.models import CleanupJobData, QueueName, RunStatus
from qa_queue.monitoring import health_check
from qa_queue.producer import JobProducer
from qa_queue.progress import ProgressReader
from qa_queue.queues import QueueManager
from qa_queue.queues.cancellation import request_cancel
from qa_queue.queues.dead_letters import DeadLetters
from qa_queue.queues.events import EventStream
from qa_queue.queues.limits import LimitRule, Limits
from qa_queue.redis import RedisClient
from qa_queue.services import Backend
from qa_queue.settings import Settings
from qa_queue.store.memory import MemoryStore
from qa_queue.store.supabase import SupabaseStore
from qa_queue.worker.scheduler import enqueue_all_due
from tests.support.poll import wait_until
from tests.support.queueing import run_request
from tests.support.site import Site, serve_site
from tests.support.steps import expect, goto
from tests.support.tls import make_certificate, tls_front
from tests.support.workers import ROOT, RQ, WorkerProcess, ended

USER, PASSWORD = "qa", "of the ACL user"
Files = tuple[Path, Path]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Files]:
    """Each is its own authority: the server's, the client's, and one that the server does not know."""
    names = ("server", "client", "stranger")
    return {name: make_certificate(tmp_path_factory.mktemp(name)) for name in names}


@pytest.fixture
def secured(redis_url: str, redis_db: Redis, certificates: dict[str, Files]) -> Iterator[dict[str, str]]:
    """The session's Redis behind TLS, and the settings of the least user that the docs tell of."""
    rule = documented_rule()
    redis_db.execute_command("ACL", "SETUSER", USER, "reset", "on", f">{PASSWORD}", *rule)
    url = urlsplit(redis_url)
    client_ca = certificates["client"][0]
    with tls_front((url.hostname or "", url.port or 0), certificates["server"], client_ca=client_ca) as port:
        yield {
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(port),
            "REDIS_SSL": "true",
            "REDIS_USERNAME": USER,
            "REDIS_PASSWORD": PASSWORD,
            "REDIS_SSL_CA_CERTS": str(certificates["server"][0]),
            "REDIS_SSL_CERTFILE": str(certificates["client"][0]),
            "REDIS_SSL_KEYFILE": str(certificates["client"][1]),
        }
    redis_db.execute_command("ACL", "DELUSER", USER)


@pytest.fixture
def site() -> Iterator[Site]:
    with serve_site() as served:
        served.page("/", "<h1>Welcome</h1>")
        yield served


def documented_rule() -> list[str]:
    """The rights as docs/how-to-redis.md gives them."""
    text = (ROOT / "docs" / "how-to-redis.md").read_text(encoding="utf-8")
    found = re.search(r"^ACL SETUSER qa on >PASSWORD (.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert found is not None, "the docs give no rule"
    return found[1].replace("\\\n", " ").split()


def settings(variables: dict[str, str], **changes: object) -> Settings:
    return Settings(_env_file=None, **({name.lower(): value for name, value in variables.items()} | changes))


def failure(variables: dict[str, str], **changes: object) -> str:
    with pytest.raises((RedisUnavailableError, SettingsError)) as refused:
        RedisClient(settings(variables, **changes)).connect()
    assert PASSWORD not in str(refused.value)
    return str(refused.value)


def test_what_is_wrong_with_the_certificate_is_reported(secured, certificates, tmp_path):
    """None, a stranger's, a key of another, no file, and no PEM."""
    wanted = "refused the client certificate or wants one"
    assert wanted in failure(secured, redis_ssl_certfile=None, redis_ssl_keyfile=None)
    certificate, key = certificates["stranger"]
    assert wanted in failure(secured, redis_ssl_certfile=certificate, redis_ssl_keyfile=key)
    assert "do not belong together" in failure(secured, redis_ssl_keyfile=key)
    assert "REDIS_SSL_KEYFILE=" in failure(secured, redis_ssl_keyfile=tmp_path / "none.pem")
    (tmp_path / "empty.pem").touch()
    assert "REDIS_SSL_CERTFILE and REDIS_SSL_KEYFILE" in failure(
        secured, redis_ssl_certfile=tmp_path / "empty.pem", redis_ssl_keyfile=None
    )


def test_a_user_who_lacks_a_right_learns_where_the_rights_are(secured, redis_db):
    """Of a command, of a key, and of a command within a script."""
    client = RedisClient(settings(secured))
    connection = client.connect()
    producer = JobProducer(connection, MemoryStore(), settings(secured))
    for lacking in ("-evalsha", "resetkeys", "-hset"):
        redis_db.execute_command("ACL", "SETUSER", USER, lacking)
        with pytest.raises(RedisUnavailableError, match=r"docs/how-to-redis\.md has the rights"):
            producer.submit_cleanup(CleanupJobData())
        redis_db.execute_command("ACL", "SETUSER", USER, "reset", "on", f">{PASSWORD}", *documented_rule())
    assert producer.submit_cleanup(CleanupJobData())
    client.disconnect()


def test_the_documented_user_does_all_that_the_service_does(
    secured, redis_db, supabase, browser_path, site, tmp_path
):
    """Over TLS: runs, retries, delays, cancels, dead letters, commands, limits, tokens, and RQ's own tools."""
    parts = {
        "QA_RUNTIME": "processors.entry:Runtime",
        "SUPABASE_URL": supabase.url,
        "SUPABASE_SECRET_KEY": supabase.key,
        "QA_BROWSER_PATH": str(browser_path),
        "QA_HOME": str(tmp_path / "home"),
    }
    client = RedisClient(settings(secured))
    redis = client.connect()
    store = SupabaseStore(supabase.url, supabase.key)
    producer, queues = JobProducer(redis, store, settings(secured)), QueueManager(redis, settings(secured))
    request = run_request(steps=(goto("/"), expect("h1", text="Welcome")), base_url=site.url, idempotency_key="one")
    Limits(redis).put("site:*", LimitRule(at_once=1))
    (run,) = producer.submit(request)
    (delayed,) = producer.submit(run_request(base_url=site.url, delay_ms=1000))
    (never,) = producer.submit(run_request(base_url=site.url, delay_ms=3_600_000))
    bad = _job(redis, producer.submit(run_request(base_url=site.url))[0].job_id)
    redis.hset(bad.key, "data", '["no.such", null, [], {"data": {}}]')
    assert queues.get_position(run.run_id).position == 1
    with WorkerProcess(tmp_path / "worker.log", **secured, **parts) as worker:
        assert ended(_job(redis, run.job_id), 90) == "finished", worker.text
        assert ended(_job(redis, delayed.job_id), 90) == "finished"
        assert ended(bad, 60) == "failed"
        request_cancel(redis, [never.run_id])
        wait_until(lambda: store.get_run(run.run_id).status is RunStatus.COMPLETED, timeout=60)
        assert [event.progress.status for event in ProgressReader(redis).follow(run.run_id, timeout=5)][-1].good
        site.held["/"] = threading.Event()
        (held,) = producer.submit(run_request(steps=(goto("/"),), base_url=site.url))
        wait_until(lambda: _job(redis, held.job_id).get_status().value == "started", timeout=60)
        send_stop_job_command(redis, held.job_id)
        assert ended(_job(redis, held.job_id), 60) == "stopped"
        site.held["/"].set()
        said = _rq(secured, "info", "-c", "qa_queue.rq_config", "--raw")
        assert "queue test-execution" in said
        pages = create_app(settings(secured), Backend(settings(secured), store)).test_client()
        assert pages.get("/0/data/queues.json").json["queues"]
        assert pages.get("/0/data/workers.json").json["workers"]
        assert health_check(settings(secured), client, store.check).workers["test-execution"] == 1
    assert "NOPERM" not in worker.text, worker.text
    assert "no permission" not in worker.text, worker.text
    queues.pause(QueueName.TEST_EXECUTION)
    letters = DeadLetters(redis, store)
    letters.requeue(bad.id)
    queues.resume(QueueName.TEST_EXECUTION)
    assert queues.clean("test-execution", 0)
    assert {event.kind for event in EventStream(redis).follow(from_id="0", timeout=0)} > {"active", "completed"}
    _, token = TokenStore(redis).create("ann", Role.RUN)
    assert TokenStore(redis).identify(token) is not None
    enqueue_all_due(redis)
    health = client.health_check()
    assert health.ok, health.error
    client.disconnect()
    store.close()


def _job(redis: Redis, job_id: str) -> Job:
    return Job.fetch(job_id, connection=redis, serializer=JSONSerializer)


def _rq(variables: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [RQ, *arguments],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
