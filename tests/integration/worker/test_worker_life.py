"""Start, stop and settings of workers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from datetime import timedelta

import pytest
from rq import Queue, Worker

from qa_queue.queues.priority_queue import PriorityQueue
from qa_queue.worker.child_health import HeartbeatStatistics
from qa_queue.worker.worker import WORKER_TTL, QAWorker
from tests.support.poll import wait_until
from tests.support.workers import FAKE, ROOT, RQ, did, ended, enqueue, gone


def test_burst_ends_when_nothing_is_left(redis_db, start_worker):
    """And leaves no process, no registration and a runtime that was closed."""
    jobs = [enqueue(redis_db, "echo") for _ in range(3)]
    worker = start_worker("--burst")
    assert worker.wait() == 0
    assert {job.get_status(refresh=True).value for job in jobs} == {"finished"}
    assert redis_db.get("runtime:left") == b"1"
    assert Worker.all(connection=redis_db) == []


def test_max_jobs_are_done_and_no_more(redis_db, start_worker):
    """--max-jobs 2 of three."""
    jobs = [enqueue(redis_db, "echo") for _ in range(3)]
    assert start_worker("--max-jobs", "2", QUEUE_CONCURRENCY="4").wait() == 0
    assert [job.get_status(refresh=True).value for job in jobs] == ["finished", "finished", "queued"]


def test_an_idle_worker_ends_after_its_idle_time(redis_db, start_worker):
    """--max-idle-time 1."""
    assert start_worker("--max-idle-time", "1").wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_running_job_finish(redis_db, start_worker, number):
    """And takes no other."""
    job = enqueue(redis_db, "gate")
    worker = start_worker()
    wait_until(lambda: redis_db.exists(f"running:{job.id}"))
    family = worker.family()
    worker.signal(number)
    worker.says("finishes what runs")
    waiting = enqueue(redis_db, "echo")
    redis_db.set("open", 1)
    assert worker.wait() == 0
    assert ended(job) == "finished"
    assert waiting.get_status(refresh=True).value == "queued"
    assert gone(family)


def test_a_second_signal_stops_now_and_the_job_is_tried_again(redis_db, start_worker):
    """The job that ran is requeued for another worker."""
    job = enqueue(redis_db, "gate", attempts=2)
    worker = start_worker()
    wait_until(lambda: redis_db.exists(f"running:{job.id}"))
    family = worker.family()
    worker.signal(signal.SIGTERM)
    worker.says("finishes what runs")

    def insist() -> bool:
        worker.signal(signal.SIGTERM)
        return "stops now" in worker.text

    wait_until(insist)
    worker.wait()
    wait_until(lambda: gone(family))
    assert job.get_status(refresh=True).value == "queued"
    redis_db.set("open", 1)
    assert start_worker("--burst").wait() == 0
    assert did(redis_db, job) == [1, 2]


def test_rq_worker_class_in_the_environment_is_enough(redis_db, redis_url, tmp_path):
    """`RQ_WORKER_CLASS=... rq worker test-execution` does a JSON job."""
    job = enqueue(redis_db, "echo")
    env = {**os.environ, "RQ_WORKER_CLASS": "qa_queue.worker.QAWorker", "REDIS_URL": redis_url, "QA_RUNTIME": FAKE}
    done = subprocess.run([RQ, "worker", "--burst", "test-execution"], cwd=ROOT, env=env, check=False, timeout=30)
    assert done.returncode == 0
    assert ended(job) == "finished"


def test_the_redis_of_a_running_stack_is_found(redis_db, redis_url, tmp_path):
    """`.qa/stack.env` in the folder is enough: nothing about Redis stands in the environment."""
    (tmp_path / ".qa").mkdir()
    (tmp_path / ".qa" / "stack.env").write_text(f"REDIS_URL={redis_url}\n")
    job = enqueue(redis_db, "echo")
    env = {**os.environ, "PYTHONPATH": str(ROOT), "QA_RUNTIME": FAKE}
    command = [RQ, "worker", "-w", "qa_queue.worker.QAWorker", "--burst", "test-execution"]
    assert subprocess.run(command, cwd=tmp_path, env=env, check=False, timeout=30).returncode == 0
    assert ended(job) == "finished"


def test_rqs_own_option_wins_and_the_child_uses_that_redis_too(redis_db, redis_url, tmp_path):
    """`rq worker -u URL` against settings that say otherwise; the runtime notes its jobs in the same Redis."""
    job = enqueue(redis_db, "echo")
    env = {**os.environ, "REDIS_URL": "redis://127.0.0.1:1/0", "QA_RUNTIME": FAKE}
    command = [RQ, "worker", "-u", redis_url, "-w", "qa_queue.worker.QAWorker", "--burst", "test-execution"]
    assert subprocess.run(command, cwd=ROOT, env=env, check=False, timeout=30).returncode == 0
    assert (ended(job), did(redis_db, job)) == ("finished", [1])


def test_a_worker_pool_serves_too(redis_db, redis_url):
    """`rq worker-pool` forks workers of ours."""
    jobs = [enqueue(redis_db, "echo") for _ in range(6)]
    env = {**os.environ, "REDIS_URL": redis_url, "QA_RUNTIME": FAKE}
    command = [RQ, "worker-pool", "-w", "qa_queue.worker.QAWorker", "--burst", "-n", "2", "test-execution"]
    assert subprocess.run(command, cwd=ROOT, env=env, check=False, timeout=40).returncode == 0
    assert {ended(job) for job in jobs} == {"finished"}


def test_a_new_worker_is_listed_no_longer_than_any_other(redis_db, tmp_path):
    """From its first moment: one that is killed at once is missed as soon as one that has worked for days."""
    with closing(QAWorker(["test-execution"], name="w", connection=redis_db)) as worker:
        worker.register_birth()
        assert 0 < redis_db.ttl(worker.key) <= WORKER_TTL
        redis_db.delete(worker.key)
        worker.send_heartbeats([], HeartbeatStatistics(tmp_path))
        assert redis_db.hexists(worker.key, "birth")
        assert 0 < redis_db.ttl(worker.key) <= WORKER_TTL


def test_a_second_worker_of_a_name_ends_and_leaves_the_first(redis_db, start_worker):
    """With a message, not a traceback; and a name that is free again can be used."""
    first = start_worker("--name", "w")
    first.says("serves")
    second = start_worker("--name", "w")
    assert second.wait() == 1
    assert "Worker w cannot work: a worker of its name runs" in second.text
    assert "Traceback" not in second.text
    assert redis_db.smembers("rq:workers") == {b"rq:worker:w"}
    first.signal(signal.SIGTERM)
    first.wait()
    start_worker("--name", "w").says("serves")


def test_a_wrong_setting_is_refused_with_its_name(redis_db, start_worker):
    """Before anything is registered."""
    worker = start_worker(QUEUE_CONCURRENCY="many")
    assert worker.wait() == 1
    assert "QUEUE_CONCURRENCY: expected a whole number, got 'many'" in worker.text
    assert "Traceback" not in worker.text


def test_a_runtime_that_can_never_start_ends_the_worker(redis_db, start_worker):
    """With its reason; the waiting job is untouched."""
    job = enqueue(redis_db, "echo")
    worker = start_worker(QA_RUNTIME="tests.support.runtimes:NeverRuntime")
    assert worker.wait() == 1
    assert "cannot work: SUPABASE_URL is not set" in worker.text
    assert job.get_status(refresh=True).value == "queued"


def test_a_runtime_that_is_not_there_is_named(redis_db, start_worker):
    """QA_RUNTIME points to nothing."""
    worker = start_worker(QA_RUNTIME="tests.support.runtimes:Nothing")
    assert worker.wait() == 1
    assert "QA_RUNTIME=tests.support.runtimes:Nothing cannot be loaded" in worker.text


def test_a_runtime_that_cannot_start_yet_is_waited_for(redis_db, start_worker):
    """No job is taken meanwhile, so none is lost or failed."""
    job = enqueue(redis_db, "echo")
    worker = start_worker(QA_RUNTIME="tests.support.runtimes:LateRuntime")
    worker.says("No jobs are taken yet: Supabase does not answer")
    assert job.get_status(refresh=True).value == "queued"
    redis_db.set("store:up", 1)
    assert ended(job) == "finished"
    assert did(redis_db, job) == [1]


def test_several_queues_are_served_by_one_worker(redis_db, start_worker):
    """In the order given."""
    names = ("cleanup", "test-execution")
    jobs = [enqueue(redis_db, "echo", queue=name) for name in reversed(names)]
    worker = start_worker("--burst", queues=names)
    assert worker.wait() == 0
    started = [line.split()[4] for line in worker.text.splitlines() if "started processing" in line]
    assert started == [jobs[1].id, jobs[0].id]


def test_logs_are_json_when_asked_for(redis_db, start_worker):
    """Every line of worker and child."""
    job = enqueue(redis_db, "buggy")
    worker = start_worker("--burst", LOG_FORMAT="json")
    assert worker.wait() == 0
    lines = [json.loads(line) for line in worker.text.splitlines()]
    assert f"Job {job.id} started processing" in {line["message"] for line in lines}


def test_the_scheduler_alone_puts_due_jobs_on_their_queues(redis_db, redis_url):
    """`python -m qa_queue.worker.scheduler`, ended by SIGTERM; Python has nothing to warn about."""
    queue = PriorityQueue("cleanup", connection=redis_db)
    job = queue.enqueue_in(timedelta(seconds=1), "jobs.echo", kwargs={"data": {}})
    assert queue.count == 0
    env = {**os.environ, "REDIS_URL": redis_url}
    scheduler = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "qa_queue.worker.scheduler"], cwd=ROOT, env=env
    )
    try:
        wait_until(lambda: queue.job_ids == [job.id])
        assert job.get_status(refresh=True).value == "queued"
    finally:
        scheduler.send_signal(signal.SIGTERM)
        assert scheduler.wait(10) == 0
    assert Queue("cleanup", connection=redis_db).scheduled_job_registry.get_job_count(cleanup=False) == 0
