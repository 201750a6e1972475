"""`qa-queue worker`, alone and with --autoscale."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from rq import Worker

from tests.support.poll import wait_until
from tests.support.processes import command_of
from tests.support.workers import FAKE, ROOT, ended, enqueue, gone

QA = Path(sys.executable).with_name("qa-queue")


@contextmanager
def command(redis_url: str, *args: str) -> Iterator[subprocess.Popen[str]]:
    """`qa-queue ARGS` on this Redis; killed with its descendants at the end if it still runs."""
    env = {**os.environ, "REDIS_URL": redis_url, "QA_RUNTIME": FAKE}
    with subprocess.Popen(
        [QA, *args], cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as popen:
        try:
            yield popen
        finally:
            if popen.poll() is None:
                family = psutil.Process(popen.pid).children(recursive=True)
                popen.kill()
                for process in family:
                    process.kill() if process.is_running() else None


def test_the_command_is_a_worker(redis_db, redis_url):
    """With two jobs at once, until nothing is left."""
    jobs = [enqueue(redis_db, "echo") for _ in range(3)]
    with command(redis_url, "worker", "test-execution", "--concurrency", "2", "--burst") as popen:
        assert popen.wait(60) == 0
    assert {ended(job) for job in jobs} == {"finished"}


def test_wrong_arguments_are_refused(redis_db, redis_url):
    """As every command does: exit code 2 and the reason."""
    for args, reason in ((["nothing"], "No queue is called"), (["--autoscale", "5"], "is not a range")):
        with command(redis_url, "worker", *args) as popen:
            assert reason in popen.communicate(timeout=60)[1]
            assert popen.returncode == 2


def test_workers_are_added_and_a_dead_one_is_replaced(redis_db, redis_url):
    """Jobs that wait bring a second worker; SIGTERM ends all, and nothing is left."""
    jobs = [enqueue(redis_db, "gate") for _ in range(2)]
    with command(redis_url, "worker", "test-execution", "--autoscale", "1:2", "--concurrency", "1") as popen:
        wait_until(lambda: len(redis_db.keys("running:*")) == 2, timeout=60, what="two workers")
        family = psutil.Process(popen.pid).children(recursive=True)
        redis_db.set("open", 1)
        assert {ended(job, 30) for job in jobs} == {"finished"}
        workers = [p for p in family if "qa_queue.worker" in command_of(p)]
        assert len(workers) == 2
        workers[0].kill()

        def replaced() -> bool:
            pids = {p.pid for p in psutil.Process(popen.pid).children() if p.status() != psutil.STATUS_ZOMBIE}
            return bool(pids - {p.pid for p in workers})

        enqueue(redis_db, "gate", {"key": "never"})
        enqueue(redis_db, "gate", {"key": "never"})
        wait_until(replaced, timeout=60, what="another worker")
        redis_db.set("never", 1)
        family += psutil.Process(popen.pid).children(recursive=True)
        popen.send_signal(signal.SIGTERM)
        assert popen.wait(60) == 0
    assert gone(family)
    assert Worker.count(connection=redis_db) <= 1  # the one that was killed stays listed for a while


def test_workers_end_with_a_killed_autoscaler(redis_db, redis_url):
    """kill -9 of it is a SIGTERM to them."""
    job = enqueue(redis_db, "echo")
    with command(redis_url, "worker", "test-execution", "--autoscale", "1:1") as popen:
        assert ended(job, 60) == "finished"
        family = psutil.Process(popen.pid).children(recursive=True)
        popen.kill()
        popen.wait(10)
        wait_until(lambda: gone(family), timeout=30, what="the workers' end")
