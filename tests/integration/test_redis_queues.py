"""Queues on a Redis of their own: requests about a queue or a job go to the right server."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from uuid import uuid4

import pytest
from redis import Redis

from qa_queue.errors import InputError, NotFoundError, RedisUnavailableError
from qa_queue.local.process import LocalServer
from qa_queue.local.redis import start_redis
from qa_queue.models import CleanupJobData
from qa_queue.producer import JobProducer
from qa_queue.progress import ProgressReader
from qa_queue.queues import QueueManager
from qa_queue.queues.cancellation import CancelOutcome, request_cancel
from qa_queue.queues.dead_letters import DeadLetters
from qa_queue.queues.events import EventStream
from qa_queue.queues.job_view import read_job
from qa_queue.queues.limits import LimitRule, Limits
from qa_queue.redis import MainRedis, RedisClient, connection_of
from qa_queue.settings import Settings
from qa_queue.store.memory import MemoryStore
from qa_queue.worker.scheduler import enqueue_all_due
from tests.support.dead_letters import let_die
from tests.support.queueing import job_data, run_request
from tests.support.workers import ROOT, RQ, WorkerProcess, ended, enqueue


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with start_redis(tmp_path_factory.mktemp("own")) as server:
        yield server


@pytest.fixture
def own(own_server: LocalServer) -> Iterator[Redis]:
    with Redis.from_url(own_server.url) as connection:
        connection.flushdb()
        yield connection


@pytest.fixture
def settings(redis_url: str, own_server: LocalServer) -> Settings:
    """Runs are on the second server, everything else on the first."""
    return Settings(_env_file=None, redis_url=redis_url, redis_url_test_execution=own_server.url)


@pytest.fixture
def main(settings: Settings, redis_db: Redis, own: Redis) -> Iterator[Redis]:
    client = RedisClient(settings)
    yield client.connect()
    client.disconnect()


def test_jobs_are_put_counted_paused_and_cleaned_where_their_queue_is(main, own, redis_db, settings):
    """Two servers, one manager."""
    queues = QueueManager(main, settings)
    run_id = str(uuid4())
    queues.add_test_job(job_data(run_id))
    queues.add_cleanup_job(CleanupJobData())
    assert (own.llen("rq:queue:test-execution"), redis_db.llen("rq:queue:cleanup")) == (1, 1)
    assert not redis_db.exists("rq:queue:test-execution")
    stats = queues.get_queue_stats()
    assert (stats["test-execution"].waiting, stats["cleanup"].waiting) == (1, 1)
    assert list(stats)[:3] == ["test-execution", "cleanup", "adaptation-learning"]
    assert queues.pause("test-execution")
    assert own.smembers("qa:paused") == {b"test-execution"}
    assert queues.get_position(run_id).position == 1
    assert read_job(main, run_id).queue == "test-execution"
    with pytest.raises(NotFoundError):
        read_job(main, "unknown")


def test_a_submission_and_its_claim_are_on_the_runs_server(main, own, redis_db, settings):
    """The claim becomes final in the step that enqueues."""
    producer = JobProducer(main, MemoryStore(), settings)
    (first,), (second,) = (producer.submit(run_request(idempotency_key="k")) for _ in range(2))
    assert first.run_id == second.run_id
    assert own.keys("qa:idempotency:*")
    assert not redis_db.keys("qa:idempotency:*")


def test_runs_are_cancelled_and_followed_on_their_server(main, own, settings):
    """Their progress too; an unknown one is unknown everywhere."""
    queues = QueueManager(main, settings)
    queues.add_test_job(job_data("r"))
    cleanup = queues.add_cleanup_job(CleanupJobData())
    outcomes = request_cancel(main, ["r", "unknown", cleanup.id])
    assert outcomes == {
        "r": CancelOutcome.REMOVED,
        "unknown": CancelOutcome.UNKNOWN,
        cleanup.id: CancelOutcome.REMOVED,
    }
    assert ProgressReader(main).latest(["r"])["r"].status.value == "cancelled"
    assert own.exists("progress:r")


def test_dead_letters_of_all_servers_are_one_list(main, own, redis_db, settings):
    """Looked at, requeued and discarded where they are."""
    queues = QueueManager(main, settings)
    queues.add_test_job(job_data("r"))
    cleanup = queues.add_cleanup_job(CleanupJobData()).id
    let_die(own, "r")
    let_die(redis_db, cleanup, queue="cleanup")
    letters = DeadLetters(main)
    assert letters.count() == 2
    assert {letter.job_id for letter in letters.list()} == {"r", cleanup}
    letters.requeue("r")
    assert own.lrange("rq:queue:test-execution", 0, -1) == [b"r"]
    letters.discard(cleanup)
    assert letters.count() == 0


def test_events_of_all_servers_are_reported_in_order(main, settings):
    """Those of one queue by its server alone."""
    queues = QueueManager(main, settings)
    queues.add_test_job(job_data("r"))
    cleanup = queues.add_cleanup_job(CleanupJobData()).id
    stream = EventStream(main)
    assert [event.job_id for event in stream.follow(from_id="0", timeout=0)] == ["r", cleanup]
    assert [event.job_id for event in stream.follow(from_id="0", queue="cleanup", timeout=0)] == [cleanup]
    assert stream.page(stream.last_id()).events == ()


def test_rules_of_limits_hold_on_every_server(main, own, redis_db):
    """The step that takes a job reads them there."""
    Limits(main).put("site:shop", LimitRule(at_once=1))
    assert own.hgetall("qa:limits") == redis_db.hgetall("qa:limits") == {b"site:shop": b"1:"}
    assert Limits(main).remove("site:shop")
    assert Limits(main).rules() == {}


def test_the_scheduler_serves_every_server_though_one_is_unavailable(redis_db, redis_url):
    """An unavailable server is reported after the others were served."""
    settings = Settings(_env_file=None, redis_url=redis_url, redis_url_test_execution="redis://127.0.0.1:1")
    client = RedisClient(settings)
    connection = client.connect()
    assert isinstance(connection, MainRedis)
    job = enqueue(redis_db, "echo", queue="cleanup")
    redis_db.delete("rq:queue:cleanup", "qa:ranks:cleanup")
    redis_db.zadd("rq:scheduled:cleanup", {job.id: 1})
    with pytest.raises(RedisUnavailableError, match="REDIS_URL_TEST_EXECUTION"):
        enqueue_all_due(connection)
    assert redis_db.lrange("rq:queue:cleanup", 0, -1) == [job.id.encode()]
    assert connection_of(connection, "cleanup") is connection
    client.disconnect()


def test_a_worker_of_two_servers_is_refused(main, settings, redis_url, own_server, tmp_path):
    """By every way to start one, with the commands that would do."""
    with pytest.raises(InputError, match="One worker serves one Redis"):
        QueueManager(main, settings).create_worker(["test-execution", "cleanup"])
    env = {**os.environ, "REDIS_URL": redis_url, "REDIS_URL_TEST_EXECUTION": own_server.url}
    for command in (
        [RQ, "worker", "-w", "qa_queue.worker.QAWorker", "test-execution", "cleanup"],
        [RQ.with_name("qa-queue"), "worker"],
        [RQ.with_name("qa-queue"), "worker", "--autoscale", "1:2"],
    ):
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode != 0
        assert "start `qa-queue worker test-execution` and `qa-queue worker cleanup" in done.stderr
        assert "Traceback" not in done.stderr


def test_rqs_command_serves_a_queue_on_its_own_server(own, redis_db, redis_url, own_server, tmp_path):
    """Its child process uses that server too."""
    job = enqueue(own, "echo")
    env = {"REDIS_URL": redis_url, "REDIS_URL_TEST_EXECUTION": own_server.url}
    with WorkerProcess(tmp_path / "worker.log", "--burst", **env) as worker:
        assert ended(job, 60) == "finished"
        assert worker.wait(60) == 0
    assert own.exists(f"did:{job.id}")
    assert not redis_db.exists(f"did:{job.id}")
