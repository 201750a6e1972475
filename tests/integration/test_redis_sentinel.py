"""Redis by Sentinel: connections follow the master, and errors explain what is wrong without one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from redis import Redis
from rq.command import send_stop_job_command
from rq.job import Job

from processors.execution.network import egress_policy
from qa_queue.errors import RedisUnavailableError
from qa_queue.queues.priority_queue import PriorityQueue
from qa_queue.redis import RedisClient, address_of
from qa_queue.settings import Settings
from tests.support.poll import wait_until
from tests.support.processes import ServiceProcess
from tests.support.schedulers import SchedulerProcess
from tests.support.sentinels import PASSWORD, SentinelSet
from tests.support.workers import FAKE, ROOT, RQ, WorkerProcess, did, ended, enqueue


@pytest.fixture
def sentinels(tmp_path: Path) -> Iterator[SentinelSet]:
    with SentinelSet(tmp_path / "redis") as found:
        yield found


def client(sentinels: SentinelSet, **changes: str) -> RedisClient:
    values = {name.lower(): value for name, value in sentinels.variables.items()}
    return RedisClient(Settings(_env_file=None, **values | changes))


def test_a_connection_follows_the_master(sentinels):
    """Through a death and a planned change; scripts are loaded anew, and nothing goes to a former master."""
    opened = client(sentinels)
    connection = opened.connect()
    count = connection.register_script("return redis.call('INCR', KEYS[1])")
    assert count(keys=["n"]) == 1
    old = sentinels.kill_master()
    sentinels.wait_for_failover(old)
    assert wait_until(lambda: count(keys=["n"])) == 2
    assert f":{sentinels.master}/0" in address_of(connection)
    sentinels.start(old)
    former = sentinels.master
    sentinels.wait_for_failover(former)
    assert wait_until(lambda: count(keys=["n"]) and f":{sentinels.master}/0" in address_of(connection))
    assert opened.health_check().ok
    opened.disconnect()


def test_runs_reach_no_server_behind_the_sentinels(sentinels, caplog):
    """Neither the master nor the replicas, one of which becomes it; a Sentinel that is down does not matter."""
    values = {name.lower(): value for name, value in sentinels.variables.items()}
    policy = egress_policy(Settings(_env_file=None, **values))
    assert policy is not None
    assert {*sentinels.ports, sentinels.sentinel_port} <= {one.port for one in policy.own}
    gone = egress_policy(Settings(_env_file=None, **values | {"redis_sentinels": "127.0.0.1:1"}))
    assert gone is not None
    assert "The servers behind the Sentinels 127.0.0.1:1 are not known" in caplog.text


def test_a_queue_whose_own_url_is_the_one_that_stands_for_nothing_has_its_own_redis(sentinels):
    """With Sentinels the main URL is made of REDIS_HOST and REDIS_PORT, where a queue's own Redis may well be."""
    own = sentinels.ports[2]
    url = f"redis://:{quote(PASSWORD)}@127.0.0.1:{own}/0"
    opened = client(sentinels, redis_port=str(own), redis_url_cleanup=url)
    main, cleanup = opened.connect(), opened.connection_of("cleanup")
    assert address_of(main).startswith("the master 'qa'")
    assert address_of(cleanup) == f"127.0.0.1:{own}/0"
    opened.disconnect()


def test_what_is_wrong_is_reported(sentinels):
    """Wrong master, login, address or server: each by the setting to change."""
    plain = {"redis_sentinels": f"127.0.0.1:{sentinels.master}", "redis_sentinel_password": "of the servers"}
    for changes, words in (
        ({"redis_sentinel_master": "shop"}, "watch no master 'shop': set REDIS_SENTINEL_MASTER to one"),
        ({"redis_sentinel_password": "wrong"}, "check REDIS_SENTINEL_PASSWORD"),
        ({"redis_sentinels": "127.0.0.1:1"}, "no Sentinel answers at 127.0.0.1:1: check REDIS_SENTINELS"),
        (plain, "is not a Sentinel: check host and port in REDIS_SENTINELS"),
        ({"redis_password": "wrong"}, "it refused the login. Check REDIS_PASSWORD"),
    ):
        with pytest.raises(RedisUnavailableError) as refused:
            client(sentinels, **changes).connect()
        assert words in str(refused.value)
        assert "of the servers" not in str(refused.value)


def test_rqs_commands_find_the_master(sentinels):
    """By `-c qa_queue.rq_config`; a worker that cannot says why, in a line."""
    enqueue(sentinels.redis, "echo")
    said = _rq(sentinels, "info", "-c", "qa_queue.rq_config", "--raw")
    assert "queue test-execution 1" in said.stdout, said.stderr
    refused = _rq(
        sentinels, "worker", "-w", "qa_queue.worker.QAWorker", "test-execution", REDIS_SENTINEL_MASTER="x"
    )
    assert refused.returncode == 1
    assert "watch no master 'x': set REDIS_SENTINEL_MASTER" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("arguments", [(), ("-c", "qa_queue.rq_config")])
def test_a_worker_outlives_a_failover_in_mid_run(sentinels, tmp_path, arguments):
    """The run ends once, and the worker goes on, hears commands and runs jobs that are due."""
    redis = sentinels.redis
    running = enqueue(redis, "outlast", {"file": str(tmp_path / "go")})
    with WorkerProcess(tmp_path / "worker.log", *arguments, **sentinels.variables) as worker:
        wait_until(lambda: redis.exists(f"running:{running.id}"), timeout=60)
        old = sentinels.kill_master()
        worker.says("Redis cannot be reached")
        (tmp_path / "go").touch()
        sentinels.wait_for_failover(old)
        redis = running.connection = sentinels.redis
        assert ended(running, 60) == "finished"
        assert did(redis, running) == [1]
        held = enqueue(redis, "gate")
        wait_until(lambda: redis.exists(f"running:{held.id}"), timeout=60)
        wait_until(lambda: redis.pubsub_numsub(f"rq:pubsub:{_name(redis)}")[0][1], timeout=60, what="a listener")
        send_stop_job_command(redis, held.id)
        assert ended(held, 60) == "stopped"
        assert worker.popen.poll() is None


@pytest.mark.parametrize("fault", ["kill_master", "freeze_master"])
def test_delayed_jobs_outlive_a_failover_of_an_idle_worker(sentinels, tmp_path, fault):
    """Those that were due meanwhile start, and so do those that are due later, each once."""
    redis = sentinels.redis
    with WorkerProcess(tmp_path / "worker.log", **sentinels.variables) as worker:
        assert ended(enqueue(redis, "echo"), 60) == "finished"
        jobs = [_later(redis, seconds) for seconds in (5, 6, 12)]  # none is due before the fault
        old = getattr(sentinels, fault)()
        sentinels.wait_for_failover(old)
        redis = sentinels.redis
        for job in jobs:
            job.connection = redis
            assert ended(job, 90) == "finished"
            assert did(redis, job) == [1]
        assert worker.popen.poll() is None


def test_the_worker_of_qa_queue_follows_too(sentinels, tmp_path):
    """`qa-queue worker`, whose connection is made another way."""
    command = (RQ.with_name("qa-queue"), "worker", "test-execution")
    env = {**sentinels.variables, "QA_RUNTIME": FAKE, "PYTHONPATH": str(ROOT)}
    with ServiceProcess(tmp_path / "worker.log", *command, cwd=tmp_path, env=env, forked="qa_queue.cli"):
        assert ended(enqueue(sentinels.redis, "echo"), 60) == "finished"
        old = sentinels.kill_master()
        sentinels.wait_for_failover(old)
        assert ended(enqueue(sentinels.redis, "echo"), 60) == "finished"


def test_the_scheduler_alone_puts_what_is_due_on_its_queue_after_a_failover(sentinels, tmp_path):
    """Without any worker."""
    with SchedulerProcess(tmp_path / "log", **sentinels.variables) as scheduler:
        scheduler.says("serves")
        job = _later(sentinels.redis, 2)
        old = sentinels.freeze_master()
        sentinels.wait_for_failover(old)
        redis = sentinels.redis
        wait_until(lambda: redis.lrange("rq:queue:test-execution", 0, -1) == [job.id.encode()], timeout=30)
        assert scheduler.running


def _rq(sentinels: SentinelSet, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [RQ, *arguments],
        cwd=ROOT,
        env={**os.environ, **sentinels.variables, **changes},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _later(redis: Redis, seconds: int) -> Job:
    queue = PriorityQueue("test-execution", connection=redis)
    return queue.enqueue_in(timedelta(seconds=seconds), "jobs.echo", kwargs={"data": {}})


def _name(redis: Redis) -> str:
    (key,) = redis.smembers("rq:workers")
    return key.decode().removeprefix("rq:worker:")
