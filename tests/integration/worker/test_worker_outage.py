"""Workers survive an outage of Redis; each test has its own Redis on one port."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from redis import Redis

from qa_queue.local.process import free_port
from qa_queue.local.redis import start_redis
from qa_queue.redis.connections import steady
from qa_queue.worker.control import CommandListener
from tests.support.poll import wait_until
from tests.support.proxies import TcpProxy
from tests.support.workers import WorkerProcess, did, ended, enqueue


class Heard:
    """What a listener has received; some of it makes the receiver fail."""

    def __init__(self) -> None:
        self.data: list[bytes] = []

    def __call__(self, message: Any) -> None:
        self.data.append(message["data"])
        if message["data"] == b"bad":
            raise ValueError("a command that cannot be read")


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Start, or restart after an end by `shutdown`, a Redis on the same port and data; returns its URL."""
    port = free_port()
    with ExitStack() as stack:
        yield lambda: stack.enter_context(start_redis(tmp_path / "redis", port)).url


def test_a_worker_outlives_redis_in_mid_run(own_redis, tmp_path):
    """The run's result is kept until Redis is back; then the worker goes on."""
    url = own_redis()
    redis = Redis.from_url(url)
    running = enqueue(redis, "outlast", {"file": str(tmp_path / "go")})
    with WorkerProcess(tmp_path / "worker.log", REDIS_URL=url) as worker:
        wait_until(lambda: redis.exists(f"running:{running.id}"), timeout=20)
        redis.shutdown(save=True)
        worker.says("Redis cannot be reached")
        (tmp_path / "go").touch()
        worker.says("is kept until Redis is back", timeout=30)
        redis = Redis.from_url(own_redis())
        assert ended(running, 40) == "finished"
        assert did(redis, running) == [1]
        assert ended(enqueue(redis, "echo"), 40) == "finished"
        assert worker.popen.poll() is None


@pytest.mark.skipif(sys.platform != "linux", reason="needs prlimit")
def test_a_worker_outlives_a_lack_of_file_descriptors(redis_db, start_worker):
    """Its loop goes on without new ones, and a child that could not be started is started later."""
    worker = start_worker()
    assert ended(enqueue(redis_db, "echo")) == "finished"
    _, most = worker.process.rlimit(psutil.RLIMIT_NOFILE)
    worker.process.rlimit(psutil.RLIMIT_NOFILE, (4, most))
    worker.child.kill()
    worker.says("No child process could be started: [Errno 24] Too many open files")
    worker.process.rlimit(psutil.RLIMIT_NOFILE, (most, most))
    assert ended(enqueue(redis_db, "echo")) == "finished"
    assert worker.running


def test_commands_are_heard_after_the_connection_has_died_silently(redis_db, redis_url):
    """As when the host of Redis vanishes: nothing arrives and nothing is refused; new connections are good."""
    address = urlsplit(redis_url)
    with TcpProxy(address.port) as proxy:
        connection = steady(Redis.from_url(redis_url.replace(f":{address.port}", f":{proxy.port}")))
        listener = CommandListener(connection, "commands", heard := Heard())
        listener.start()
        wait_until(lambda: redis_db.publish("commands", "first"), timeout=60, what="the subscription")
        wait_until(lambda: heard.data == [b"first"], timeout=60, what="the first command")
        proxy.set_mode("half-open")
        wait_until(lambda: redis_db.publish("commands", "again") and b"again" in heard.data, timeout=60)
        listener.stop()


def test_a_command_that_cannot_be_read_does_not_end_the_listening(redis_db, redis_url):
    """The next one is heard."""
    listener = CommandListener(Redis.from_url(redis_url), "commands", heard := Heard())
    listener.start()
    wait_until(lambda: redis_db.publish("commands", "bad"), what="the subscription")
    wait_until(lambda: heard.data == [b"bad"], what="the command that cannot be read")
    wait_until(lambda: redis_db.publish("commands", "good") and b"good" in heard.data, timeout=60)
    listener.stop()


def test_a_worker_registers_again_when_redis_has_lost_all_but_a_part_of_it(start_worker, redis_db):
    """What runs may write a field of its hash between the loss and the next heartbeat."""
    start_worker().says("serves")
    (key,) = redis_db.smembers("rq:workers")
    with redis_db.pipeline() as pipe:
        pipe.flushdb()
        pipe.hset(key, "state", "busy")
        pipe.execute()
    wait_until(lambda: redis_db.smembers("rq:workers") == {key}, what="the registration of the worker")
    wait_until(lambda: redis_db.hexists(key, "birth"), what="the worker's hash")
