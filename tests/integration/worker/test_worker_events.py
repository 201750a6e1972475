"""Events of the jobs of a real worker."""

from __future__ import annotations

from qa_queue.queues.dead_letters import DeadLetters
from qa_queue.queues.events import EventStream
from tests.support.poll import wait_until
from tests.support.workers import QUEUE, did, ended, enqueue


def kinds(redis_db, job):
    """Return the kinds of the job's events so far, in order."""
    return [event.kind for event in EventStream(redis_db).follow(from_id="0", job_id=job.id, timeout=0)]


def test_a_job_that_fails_once_and_passes_tells_each_step(redis_db, start_worker):
    """Each attempt starts and ends; how long it ran stands for the estimates."""
    job = enqueue(redis_db, "shaky", {"good": 2}, attempts=2)
    start_worker()
    assert ended(job) == "finished"
    wait_until(lambda: "completed" in kinds(redis_db, job))
    told = kinds(redis_db, job)
    assert sorted(told) == sorted(["waiting", "active", "failed", "retrying", "waiting", "active", "completed"])
    assert [kind for kind in told if kind in ("active", "failed", "completed")] == [
        "active",
        "failed",
        "active",
        "completed",
    ]
    assert redis_db.hget(f"qa:durations:{QUEUE}", "count") == b"1"


def test_a_job_out_of_attempts_is_a_dead_letter_with_all_of_them(redis_db, start_worker):
    """Requeued, it is tried anew, and its attempts count on."""
    job = enqueue(redis_db, "shaky", {"good": 4}, attempts=2, interval=1)
    start_worker()
    assert ended(job) == "failed"
    wait_until(lambda: kinds(redis_db, job)[-1:] == ["dead"])
    letters = DeadLetters(redis_db)
    letter = letters.get(job.id)
    assert letter.reason == "all attempts failed, 2 of them"
    assert [attempt.number for attempt in letter.attempts] == [1, 2]
    assert "BrowserCrashedError" in letter.attempts[0].traceback
    letters.requeue(job.id)
    assert ended(job) == "finished"
    assert did(redis_db, job) == [1, 2, 3, 4]
    assert letters.count() == 0


def test_what_is_not_a_job_is_a_dead_letter_at_once_and_its_run_is_reported(redis_db, start_worker):
    """The worker goes on with the next."""
    odd, text = enqueue(redis_db, "echo"), enqueue(redis_db, "echo")
    redis_db.hset(odd.key, mapping={"status": "no status", "created_at": "never"})
    redis_db.delete(text.key)
    redis_db.set(text.key, "a string")
    good = enqueue(redis_db, "echo")
    start_worker()
    assert ended(good) == "finished"
    letters = DeadLetters(redis_db).list()
    assert {letter.job_id for letter in letters} == {odd.id, text.id}
    assert {letter.reason for letter in letters} == {"the job cannot be read"}
    wait_until(lambda: redis_db.llen("abandoned") == 2, what="both runs told")
