"""Records of a job's failed attempts in Redis."""

from __future__ import annotations

from qa_queue.models import utc_now
from qa_queue.queues.attempts import KEEP_S, MAX_KEPT, AttemptFailure, AttemptLog
from qa_queue.queues.keys import attempts_key
from tests.support.workers import ended, enqueue


def test_each_failed_attempt_is_kept_with_its_error_and_traceback(redis_db, start_worker):
    """A job that failed twice and then passed tells of both."""
    job = enqueue(redis_db, "shaky", {"good": 3}, attempts=3)
    start_worker()
    assert ended(job) == "finished"
    first, second = AttemptLog(redis_db).read(job.id)
    assert (first.number, second.number) == (1, 2)
    assert (first.kind, first.error) == ("infrastructure", "the browser died")
    assert "BrowserCrashedError: the browser died" in first.traceback
    assert first.worker
    assert first.started_at <= first.failed_at <= second.failed_at


def test_no_secret_stands_in_what_is_kept(redis_db, start_worker):
    """Neither in the attempts nor in RQ's own result."""
    job = enqueue(redis_db, "shaky", {"good": 9})
    start_worker(QA_SECRET_WORD="browser", QA_SECRET_NUMBER="12345")
    assert ended(job) == "failed"
    (attempt,) = AttemptLog(redis_db).read(job.id)
    assert attempt.error == "the *** died"
    assert "the browser died" not in attempt.traceback + job.latest_result().exc_string


def test_a_killed_child_is_an_attempt_that_failed(redis_db, start_worker):
    """There is no traceback, but a reason."""
    job = enqueue(redis_db, "killer", {"good": 2}, attempts=2)
    start_worker()
    assert ended(job) == "finished"
    (attempt,) = AttemptLog(redis_db).read(job.id)
    assert "was killed by SIGKILL" in attempt.error


def test_the_newest_attempts_are_kept_for_as_long_as_a_dead_letter(redis_db):
    """A job that is requeued again and again does not grow."""
    log = AttemptLog(redis_db)
    for number in range(1, MAX_KEPT + 11):
        log.record("a", AttemptFailure(number=number, kind="bug", error="e", failed_at=utc_now()))
    assert [attempt.number for attempt in log.read("a")] == list(range(11, MAX_KEPT + 11))
    assert KEEP_S - 60 < redis_db.ttl(attempts_key("a")) <= KEEP_S


def test_the_first_word_on_an_attempt_stays(redis_db):
    """A worker that takes a job over does not overwrite the record of its first worker."""
    log = AttemptLog(redis_db)
    for error in ("the reason", "the worker is gone"):
        log.record("a", AttemptFailure(number=1, kind="infrastructure", error=error, failed_at=utc_now()))
    assert [attempt.error for attempt in log.read("a")] == ["the reason"]
