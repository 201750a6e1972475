"""When the jobs of a worker are taken over: it is silent, its process has ended, or it never knew of them."""

from __future__ import annotations

import os
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
from redis import Redis
from rq.executions import ExecutionRegistry

from qa_queue.models.outcomes import FailureKind
from qa_queue.queues import QueueManager
from qa_queue.queues.keys import PROCESS_FIELD
from qa_queue.queues.reconciliation import unstored_records
from qa_queue.settings import load_settings
from qa_queue.worker.bookkeeping import Bookkeeping
from qa_queue.worker.executions import EndedJob
from qa_queue.worker.ipc import ChildFailure, Release, encode
from qa_queue.worker.stalled_jobs import HEARTBEAT_TTL, StalledJobRecovery, has_ended, process_token
from qa_queue.worker.verdicts import RequeueJob, RetryJob
from tests.chaos.lossy import AnswerLosingProxy
from tests.support.workers import QUEUE, did, ended, enqueue, opened

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


@pytest.fixture
def token_of_an_ended_process() -> str:
    """The token of a process that has ended, and whose parent has not waited for it yet."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        return process_token(process.pid)


@linux
def test_the_end_of_a_process_is_seen_by_its_token(token_of_an_ended_process: str) -> None:
    """Only where it could be seen: on this machine since its last start, and in this PID namespace."""
    assert has_ended(token_of_an_ended_process)
    assert not has_ended(process_token(os.getpid()))
    boot, namespace, pid, started = token_of_an_ended_process.split("/")
    assert not has_ended(f"another boot/{namespace}/{pid}/{started}")
    assert not has_ended(f"{boot}/another namespace/{pid}/{started}")
    assert has_ended(f"{boot}/{namespace}/{os.getpid()}/{started}")  # another process has the id now
    assert not has_ended("")


@linux
def test_a_process_that_has_ended_and_was_not_waited_for_has_ended() -> None:
    """As a worker in a container whose parent never waits for it."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        token = process_token(process.pid)
        assert not has_ended(token)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert has_ended(token)


@linux
def test_the_jobs_of_a_worker_whose_process_has_ended_are_taken_over_sooner(
    redis_db: Redis, token_of_an_ended_process: str
) -> None:
    """After 2.5 s without a heartbeat instead of 6 s; a heartbeat counts more than what the process table says."""
    worker, active = opened(redis_db, enqueue(redis_db, "echo", attempts=2))
    recovery = StalledJobRecovery(redis_db, worker.queues, "another")
    redis_db.hset(worker.key, PROCESS_FIELD, token_of_an_ended_process)
    assert recovery.recover(0) == recovery.recover(2.4) == []
    redis_db.zincrby(active.job.started_job_registry.key, 1, active.execution.composite_key)
    assert recovery.recover(2.6) == recovery.recover(5) == []
    (taken,) = recovery.recover(5.2)
    assert isinstance(taken.verdict, RetryJob)


def test_the_jobs_of_a_worker_that_may_live_are_taken_over_when_it_is_silent(redis_db: Redis) -> None:
    """After 6 s, and of its outages of Redis only the time after them counts."""
    worker, _ = opened(redis_db, enqueue(redis_db, "echo", attempts=2))
    recovery = StalledJobRecovery(redis_db, worker.queues, "another")
    redis_db.hset(worker.key, PROCESS_FIELD, process_token(os.getpid()))
    assert recovery.recover(0) == recovery.recover(5.9) == []
    recovery.pause(5.95)
    assert recovery.recover(6.5) == recovery.recover(12.4) == []
    assert len(recovery.recover(12.6)) == 1


@pytest.mark.parametrize(("process_ended", "age", "watched"), [(False, 6.0, 3.0), (True, 2.5, 0.9)])
def test_a_worker_that_starts_later_reads_how_long_another_has_been_silent(
    redis_db: Redis, token_of_an_ended_process: str, *, process_ended: bool, age: float, watched: float
) -> None:
    """By Redis' clock; it watches for a shorter time, because the silence may have been an outage of Redis."""
    worker, active = opened(redis_db, enqueue(redis_db, "echo", attempts=2))
    redis_db.hset(worker.key, PROCESS_FIELD, token_of_an_ended_process if process_ended else "")
    redis_db.pexpire(active.execution.key, round((HEARTBEAT_TTL - age) * 1000))
    recovery = StalledJobRecovery(redis_db, worker.queues, "another")
    assert recovery.recover(0) == recovery.recover(watched - 0.1) == []
    assert len(recovery.recover(watched + 0.1)) == 1


def test_a_job_whose_worker_is_lost_is_tried_again_without_its_delay(redis_db: Redis) -> None:
    """It waits at once, with one attempt less; the delays of later attempts stay."""
    job = enqueue(redis_db, "echo", attempts=3, interval=600)
    worker, active = opened(redis_db, job)
    redis_db.delete(active.execution.key)
    recovery = StalledJobRecovery(redis_db, worker.queues, "another")
    assert recovery.recover(0) == []
    bookkeeping = Bookkeeping(worker, QueueManager(redis_db, load_settings()), {})
    bookkeeping.close(recovery.recover(4))
    assert redis_db.lrange(f"rq:queue:{QUEUE}", 0, -1) == [job.id.encode()]
    assert job.get_status(refresh=True).value == "queued"
    job.refresh()
    assert (job.retries_left, job.retry_intervals) == (1, [600])
    _, second = opened(redis_db, job)
    failure = ChildFailure(kind=FailureKind.INFRASTRUCTURE, message="the browser has died")
    bookkeeping.close([EndedJob(active=second, verdict=RetryJob(failure=failure))])
    assert job.get_status(refresh=True).value == "scheduled"


def test_the_attempt_of_a_lost_worker_is_stored_before_redis_may_forget_it(redis_db: Redis) -> None:
    """Its worker may not have stored that it began; the next attempt must have another number."""
    worker, active = opened(redis_db, enqueue(redis_db, "echo", attempts=2))
    recovery = StalledJobRecovery(redis_db, worker.queues, "another")
    assert recovery.recover(0) == []
    bookkeeping = Bookkeeping(worker, QueueManager(redis_db, load_settings()), {})
    (closed,) = bookkeeping.close(recovery.recover(7))
    assert isinstance(closed.request, Release)
    assert closed.request.context.attempt == active.context.attempt == 1
    assert unstored_records(redis_db, QUEUE) == {active.job.id: encode(closed.request)}


def test_a_start_whose_answer_was_lost_uses_no_attempt(redis_db: Redis) -> None:
    """Its own worker finds the execution that it does not know, at once, and requeues the job."""
    job = enqueue(redis_db, "echo")
    worker, active = opened(redis_db, job, "mine")
    recovery = StalledJobRecovery(redis_db, worker.queues, "mine")
    assert recovery.recover(0, {active.execution.composite_key}) == []
    (lost,) = recovery.recover(0.1, ())
    assert isinstance(lost.verdict, RequeueJob)
    Bookkeeping(worker, QueueManager(redis_db, load_settings()), {}).close([lost])
    assert job.get_status(refresh=True).value == "queued"
    assert redis_db.lrange(f"rq:queue:{QUEUE}", 0, -1) == [job.id.encode()]
    assert redis_db.zcard(active.job.started_job_registry.key) == 0
    assert not ExecutionRegistry(job.id, redis_db).get_execution_ids()


def test_such_a_job_runs(redis_db: Redis, start_worker) -> None:
    """A job of one attempt, whose start is in Redis under the name of a worker that does not know of it."""
    job = enqueue(redis_db, "echo")
    opened(redis_db, job, "forgetful")
    redis_db.delete("rq:worker:forgetful")
    start_worker("--name", "forgetful")
    assert ended(job) == "finished"


def test_a_job_whose_start_is_not_answered_twice_runs_once(redis_db: Redis, redis_url: str, start_worker) -> None:
    """A job of one attempt: Redis starts it, the answer does not arrive, and so it is again the next time."""
    target = urlsplit(redis_url)
    with AnswerLosingProxy(target.port or 0, marker=b"started_at", times=2) as proxy:
        start_worker(REDIS_URL=redis_url.replace(f":{target.port}", f":{proxy.port}")).says("serves")
        job = enqueue(redis_db, "echo")
        assert ended(job) == "finished"
        assert (proxy.lost, len(did(redis_db, job))) == (2, 1)
