"""Outcomes of jobs, each in a real `rq worker` on a real Redis."""

from __future__ import annotations

import json
import os
import signal
from datetime import UTC, timedelta

import pytest
from rq import Worker
from rq.command import send_stop_job_command

from qa_queue.models import utc_now
from qa_queue.queues.enqueue import enqueue_all
from qa_queue.queues.limits import pause, resume
from qa_queue.queues.priority_queue import PriorityQueue
from tests.support.poll import wait_until
from tests.support.queueing import job_spec
from tests.support.workers import QUEUE, did, ended, enqueue


def test_a_job_runs_in_the_child_and_its_result_comes_back(redis_db, start_worker):
    """A worker started by RQ's own command, without -S json, does a JSON job in its child process."""
    job = enqueue(redis_db, "echo", {"n": 1})
    worker = start_worker()
    assert ended(job) == "finished"
    result = job.return_value()
    assert (result["data"], result["attempt"]) == ({"n": 1}, 1)
    assert result["pid"] == worker.child.pid != worker.popen.pid
    worker.says(f"INFO: Job {job.id} started processing")
    worker.says(f"INFO: Job {job.id} finished: completed")


def test_failed_infrastructure_is_tried_again_until_it_holds(redis_db, start_worker):
    """Each attempt knows its number."""
    job = enqueue(redis_db, "shaky", {"good": 3}, attempts=3)
    start_worker()
    assert ended(job) == "finished"
    assert did(redis_db, job) == [1, 2, 3]
    assert redis_db.lrange("abandoned", 0, -1) == []


def test_a_delayed_retry_needs_no_scheduler_beside_the_worker(redis_db, start_worker):
    """A worker alone puts a retry that waits for its time back on the queue."""
    job = enqueue(redis_db, "shaky", {"good": 2}, attempts=2, interval=1)
    start_worker()
    assert ended(job) == "finished"
    assert did(redis_db, job) == [1, 2]


def test_a_job_out_of_attempts_is_failed_and_its_run_abandoned(redis_db, start_worker):
    """The runtime records once that no attempt will follow."""
    job = enqueue(redis_db, "shaky", {"good": 9}, attempts=2)
    start_worker()
    assert ended(job) == "failed"
    wait_until(lambda: redis_db.llen("abandoned"))
    entry = json.loads(redis_db.lindex("abandoned", 0))
    assert entry == {"job": job.id, "error": "the browser died", "kind": "InfrastructureError"}
    assert did(redis_db, job) == [1, 2]
    assert "the browser died" in job.latest_result().exc_string


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("refuses", "the case has no steps"),
        ("buggy", "ZeroDivisionError: oops"),
        ("nothing_of_the_kind", "no processor is called"),
        ("no_json", "is not JSON"),
    ],
)
def test_what_another_attempt_cannot_help_is_failed_at_once(redis_db, start_worker, name, says):
    """Bad input, bugs, unknown functions and results that are not JSON use one attempt, and stop no worker."""
    job, after = enqueue(redis_db, name, attempts=3), enqueue(redis_db, "echo")
    worker = start_worker()
    assert (ended(job), ended(after)) == ("failed", "finished")
    assert did(redis_db, job) == [1]
    assert says in job.latest_result().exc_string
    worker.says("is not tried again")
    wait_until(lambda: redis_db.llen("abandoned"))


def test_a_cancelled_run_is_not_a_failure(redis_db, start_worker):
    """Its job finishes and says so."""
    job = enqueue(redis_db, "cancelled", attempts=3)
    start_worker()
    assert ended(job) == "finished"
    assert job.return_value() == {"status": "cancelled", "error": "cancelled by anna"}
    assert did(redis_db, job) == [1]


def test_jobs_that_cannot_be_read_stop_no_worker(redis_db, start_worker):
    """An unreadable payload fails its job; a malformed hash is a dead letter; the next job runs."""
    unreadable, malformed, missing = (enqueue(redis_db, "echo", attempts=3) for _ in range(3))
    arguments = enqueue(redis_db, "echo")
    redis_db.hset(unreadable.key, "data", b"\x80\x05pickled")
    redis_db.hset(malformed.key, mapping={"status": "no status", "created_at": "never"})
    redis_db.delete(missing.key)
    redis_db.hset(arguments.key, "data", json.dumps(["jobs.echo", None, [1, 2], {}]))
    good = enqueue(redis_db, "echo")
    start_worker()
    assert ended(good) == "finished"
    assert ended(unreadable) == "failed"
    assert "cannot be read" in unreadable.latest_result().exc_string
    assert ended(arguments) == "failed"
    assert "takes one keyword, data" in arguments.latest_result().exc_string
    assert redis_db.llen(f"rq:queue:{QUEUE}:intermediate") == 0


def test_text_that_is_not_unicode_costs_its_own_job_alone(redis_db, start_worker):
    """JSON in Redis can name half a character, which the pipe to the child cannot carry."""
    bad, good = enqueue(redis_db, "echo", {"x": "\ud800"}), enqueue(redis_db, "echo", {"n": 1})
    start_worker()
    assert (ended(bad), ended(good)) == ("failed", "finished")


def test_a_killed_child_costs_its_job_one_attempt(redis_db, start_worker):
    """The worker sees the death at once, starts another child, and the next attempt does it."""
    job = enqueue(redis_db, "killer", {"good": 2}, attempts=2)
    worker = start_worker()
    assert ended(job) == "finished"
    assert did(redis_db, job) == [1, 2]
    worker.says("The child process was killed by SIGKILL")


def test_a_job_that_always_kills_its_child_is_failed_and_abandoned_by_the_next_one(redis_db, start_worker):
    """A poison job ends as a dead letter after its attempts."""
    job = enqueue(redis_db, "killer", {"good": 9}, attempts=2)
    start_worker()
    assert ended(job) == "failed"
    wait_until(lambda: redis_db.llen("abandoned"))
    assert json.loads(redis_db.lindex("abandoned", 0))["job"] == job.id
    assert did(redis_db, job) == [1, 2]


def test_a_timed_out_job_is_asked_to_end(redis_db, start_worker):
    """It ends when it is cancelled, is not retried, and has the reason."""
    job = enqueue(redis_db, "gate", attempts=3, job_timeout=1)
    worker = start_worker()
    assert ended(job) == "failed"
    assert "used up its 1 s" in job.latest_result().exc_string
    assert did(redis_db, job) == [1]
    assert worker.child.is_running()
    wait_until(lambda: redis_db.llen("abandoned"))
    assert json.loads(redis_db.lindex("abandoned", 0))["kind"] == "RunTimedOutError"


def test_a_timed_out_job_that_does_not_end_loses_its_process(redis_db, start_worker):
    """After the grace time the child is ended, and the worker goes on with another."""
    job = enqueue(redis_db, "stubborn", job_timeout=1)
    start_worker(QA_CANCEL_GRACE="0.5")
    assert ended(job) == "failed"
    assert redis_db.exists("ignored")
    assert "did not end within 0.5 s" in job.latest_result().exc_string
    assert ended(enqueue(redis_db, "echo")) == "finished"


def test_rqs_stop_command_ends_one_job_of_several(redis_db, start_worker):
    """The job ends as stopped, without another attempt; its neighbour in the same child goes on."""
    job, neighbour = (enqueue(redis_db, "gate", attempts=3) for _ in range(2))
    start_worker(QUEUE_CONCURRENCY="2")
    for each in (job, neighbour):
        wait_until(lambda each=each: redis_db.exists(f"running:{each.id}"))
    send_stop_job_command(redis_db, job.id, serializer=job.serializer)
    assert ended(job) == "stopped"
    redis_db.set("open", 1)
    assert ended(neighbour) == "finished"
    assert did(redis_db, job) == did(redis_db, neighbour) == [1]


def test_several_jobs_run_at_once_and_all_are_seen(redis_db, start_worker):
    """With QUEUE_CONCURRENCY=3, three of four run in one child; RQ knows each of the three."""
    jobs = [enqueue(redis_db, "gate") for _ in range(4)]
    start_worker("--name", "dense", QUEUE_CONCURRENCY="3")
    running = wait_until(lambda: len(keys := redis_db.keys("running:*")) == 3 and keys)
    assert len({redis_db.get(key) for key in running}) == 1
    (worker,) = Worker.all(connection=redis_db)
    assert (worker.name, worker.get_state()) == ("dense", "busy")
    assert {e.job_id for e in worker.get_current_executions()} == {k.decode().split(":")[1] for k in running}
    assert redis_db.zcard(f"rq:wip:{QUEUE}") == 3
    redis_db.set("open", 1)
    assert {ended(job) for job in jobs} == {"finished"}
    assert redis_db.zcard(f"rq:wip:{QUEUE}") == 0
    assert redis_db.keys("rq:execution*") == []


def test_heartbeats_go_on_through_a_long_job(redis_db, start_worker):
    """Of the worker and of the execution."""
    job = enqueue(redis_db, "gate")
    start_worker("--name", "beating")
    wait_until(lambda: redis_db.exists(f"running:{job.id}"))

    def beats() -> tuple[bytes, float]:
        (score,) = [s for _, s in redis_db.zrange(f"rq:wip:{QUEUE}", 0, -1, withscores=True)]
        return redis_db.hget("rq:worker:beating", "last_heartbeat"), score

    first = beats()
    wait_until(lambda: beats()[0] != first[0] and beats()[1] > first[1], timeout=15)
    redis_db.set("open", 1)
    assert ended(job) == "finished"


def test_two_workers_do_forty_jobs_once_each(redis_db, start_worker):
    """None is lost or run twice."""
    jobs = [enqueue(redis_db, "echo", {"n": n}) for n in range(40)]
    workers = [start_worker("--burst", QUEUE_CONCURRENCY="2") for _ in range(2)]
    assert [worker.wait(40) for worker in workers] == [0, 0]
    assert {ended(job) for job in jobs} == {"finished"}
    assert all(did(redis_db, job) == [1] for job in jobs)
    assert sum("started processing" in line for w in workers for line in w.text.splitlines()) == 40


def test_kill_9_of_the_worker_takes_its_child_along_and_another_takes_over(redis_db, start_worker):
    """The child dies with its parent; the job is noticed, tried again and done by another worker."""
    job = enqueue(redis_db, "gate", attempts=2)
    first = start_worker()
    wait_until(lambda: redis_db.exists(f"running:{job.id}"))
    family = first.family()
    os.kill(first.popen.pid, signal.SIGKILL)
    first.popen.wait(5)
    wait_until(lambda: all(not p.is_running() for p in family), what="the end of the whole family")
    redis_db.set("open", 1)
    start_worker()
    assert ended(job, timeout=40) == "finished"
    assert did(redis_db, job) == [1, 2]


def test_a_job_taken_by_a_worker_that_died_before_it_started_waits_again(redis_db, start_worker):
    """It is requeued from the intermediate list without using an attempt."""
    job = enqueue(redis_db, "echo")
    assert redis_db.lmove(f"rq:queue:{QUEUE}", f"rq:queue:{QUEUE}:intermediate")
    start_worker()
    assert ended(job, timeout=40) == "finished"
    assert did(redis_db, job) == [1]


def test_a_delayed_job_starts_within_two_seconds_of_its_time(redis_db, start_worker):
    """And not before it; the worker alone sees to it."""
    worker = start_worker()
    worker.says("serves test-execution")
    first = enqueue(redis_db, "echo")
    assert ended(first) == "finished"
    due = utc_now() + timedelta(seconds=1.5)
    queue = PriorityQueue(QUEUE, connection=redis_db)
    job = queue.create_job("jobs.echo", kwargs={"data": {}}, status="scheduled")
    enqueue_all(redis_db, QUEUE, [(job_spec(job.id, due=due), job)])
    assert ended(job) == "finished"
    assert timedelta(0) <= job.started_at.replace(tzinfo=UTC) - due < timedelta(seconds=2)


def test_a_paused_queue_s_worker_stays_up_and_goes_on_when_it_is_resumed(redis_db, start_worker):
    """Nothing starts in between."""
    worker = start_worker()
    worker.says("serves test-execution")
    pause(redis_db, QUEUE)
    job = enqueue(redis_db, "echo")
    wait_until(lambda: redis_db.info("clients")["blocked_clients"], what="a worker that waits")
    assert did(redis_db, job) == []
    resume(redis_db, QUEUE)
    assert ended(job) == "finished"
    assert worker.popen.poll() is None
