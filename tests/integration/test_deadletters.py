"""Dead letters on a real Redis: seen, requeued once, discarded."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from redis import Redis
from redis.exceptions import ResponseError
from rq.job import JobStatus

from qa_queue.errors import InputError, NotFoundError, StoreUnavailableError
from qa_queue.models import CleanupJobData, RunStatus
from qa_queue.queues.attempts import AttemptLog
from qa_queue.queues.cancellation import CancelSignals
from qa_queue.queues.dead_letters import DeadLetters
from qa_queue.queues.dequeue import ReservedJob, bury_poison_job, dequeue
from qa_queue.queues.keys import QueueScript, attempts_key, signal_key
from qa_queue.redis.scripts import LuaScript
from qa_queue.store.memory import MemoryStore
from tests.support.dead_letters import bury, dead_run, let_die
from tests.support.queueing import QUEUE, add, manager, snapshot, take_all, waiting


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def test_a_dead_letter_tells_everything_of_its_job(redis_db: Redis) -> None:
    """Reason, payload, all attempts, and how long it is kept."""
    bury(redis_db, "run-1")
    (letter,) = DeadLetters(redis_db).list()
    assert (letter.job_id, letter.queue, letter.name) == ("run-1", QUEUE, "Case run-1")
    assert (letter.reason, letter.error) == ("all attempts failed, 3 of them", "broken 3")
    assert letter.data is not None
    assert letter.data["test_run_id"] == "run-1"
    assert letter.function == "processors.entry.execute_run"
    assert [attempt.error for attempt in letter.attempts] == ["broken 1", "broken 2", "broken 3"]
    assert timedelta(days=6, hours=23) < letter.expires_at - letter.died_at <= timedelta(days=7, minutes=2)
    assert redis_db.ttl("rq:job:run-1") > 6 * 24 * 3600


def test_the_latest_death_comes_first_and_a_range_is_inclusive(redis_db: Redis) -> None:
    """As the originals' list: start and end both count from 0."""
    for number in range(5):
        bury(redis_db, f"run-{number}", attempts=1)
        redis_db.zincrby(f"rq:failed:{QUEUE}", number, f"run-{number}")
    letters = DeadLetters(redis_db)
    assert [letter.job_id for letter in letters.list(1, 2)] == ["run-3", "run-2"]
    assert len(letters.list(0, 99)) == letters.count() == 5
    assert letters.list(7, 9) == letters.list(2, 1) == ()


def test_the_queues_are_listed_together_and_one_by_one(redis_db: Redis) -> None:
    """A dead clean-up stands beside dead runs."""
    bury(redis_db, "run-1", attempts=1)
    cleanup = manager(redis_db).add_cleanup_job(CleanupJobData()).id
    let_die(redis_db, cleanup, attempts=1, queue="cleanup")
    letters = DeadLetters(redis_db)
    assert {letter.job_id for letter in letters.list()} == {"run-1", cleanup}
    assert [letter.job_id for letter in letters.list(queue="cleanup")] == [cleanup]
    assert (letters.count("cleanup"), letters.count()) == (1, 2)


def test_looking_changes_nothing_and_costs_what_is_listed(redis_db: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand letters or ten: the same commands."""
    asked: list[int] = []
    for number in range(30):
        bury(redis_db, f"run-{number}", attempts=1)
    before = snapshot(redis_db)
    real = Redis.pipeline

    def counted(self: Redis, *args: Any, **kwargs: Any) -> Any:
        pipeline = real(self, *args, **kwargs)
        execute = pipeline.execute
        pipeline.execute = lambda: asked.append(len(pipeline)) or execute()
        return pipeline

    monkeypatch.setattr(Redis, "pipeline", counted)
    assert len(DeadLetters(redis_db).list(0, 9)) == 10
    assert asked == [3, 20]  # the queues; the jobs and their attempts
    monkeypatch.undo()
    assert snapshot(redis_db) == before


def test_a_requeued_letter_waits_again_with_all_attempts_and_its_history(
    redis_db: Redis, store: MemoryStore
) -> None:
    """Its run lives again, and a request to cancel it is forgotten."""
    run_id = str(uuid4())
    bury(redis_db, run_id)
    dead_run(store, run_id)
    redis_db.set(signal_key(run_id), 1)
    DeadLetters(redis_db, store).requeue(run_id)
    run = store.get_run(run_id)
    assert run is not None
    assert (run.status, run.requeues, run.finished_at) == (RunStatus.QUEUED, 1, None)
    assert waiting(redis_db) == [run_id]
    assert redis_db.hmget(f"rq:job:{run_id}", "status", "retries_left") == [b"queued", b"2"]
    assert redis_db.ttl(f"rq:job:{run_id}") == -1
    assert not CancelSignals(redis_db).requested(run_id)
    assert len(AttemptLog(redis_db).read(run_id)) == 3
    let_die(redis_db, run_id)
    (letter,) = DeadLetters(redis_db).list()
    assert (letter.requeues, [a.number for a in letter.attempts]) == (1, [1, 2, 3, 4, 5, 6])


@pytest.mark.parametrize("racers", [2, 20])
def test_of_racers_that_requeue_one_letter_one_does(redis_db: Redis, store: MemoryStore, racers: int) -> None:
    """It stands on the queue once."""
    run_id = str(uuid4())
    bury(redis_db, run_id)
    dead_run(store, run_id)
    refused: list[str] = []
    barrier = threading.Barrier(racers)

    def race() -> None:
        barrier.wait()
        try:
            DeadLetters(redis_db, store).requeue(run_id)
        except NotFoundError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=race) for _ in range(racers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == racers - 1
    assert waiting(redis_db) == [run_id]
    run = store.get_run(run_id)
    assert run is not None
    assert run.requeues == 1


def test_a_requeue_that_crashed_midway_is_done_by_the_next(
    redis_db: Redis, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its run lived again, and its job was a dead letter still."""
    run_id = str(uuid4())
    bury(redis_db, run_id)
    dead_run(store, run_id)
    monkeypatch.setattr("qa_queue.queues.dead_letters._REQUEUE", QueueScript(LuaScript("error('crash')")))
    with pytest.raises(ResponseError, match="crash"):
        DeadLetters(redis_db, store).requeue(run_id)
    assert (waiting(redis_db), DeadLetters(redis_db).count()) == ([], 1)
    monkeypatch.undo()
    DeadLetters(redis_db, store).requeue(run_id)
    assert (waiting(redis_db), DeadLetters(redis_db).count()) == ([run_id], 0)


def test_without_the_database_nothing_is_requeued(
    redis_db: Redis, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job whose run cannot live again would run in vain."""
    bury(redis_db, "run-1")

    def away(_: str) -> None:
        raise StoreUnavailableError("Supabase is unavailable")

    monkeypatch.setattr(store, "get_run", away)
    with pytest.raises(StoreUnavailableError):
        DeadLetters(redis_db, store).requeue("run-1")
    assert (waiting(redis_db), DeadLetters(redis_db).count()) == ([], 1)


def test_a_letter_whose_run_was_deleted_is_not_requeued(redis_db: Redis, store: MemoryStore) -> None:
    """There is nothing that it could report to."""
    bury(redis_db, "run-1")
    with pytest.raises(NotFoundError, match="was deleted"):
        DeadLetters(redis_db, store).requeue("run-1")


@pytest.mark.parametrize("job_id", ["unknown", "waits"])
def test_what_is_not_a_dead_letter_is_refused(redis_db: Redis, job_id: str) -> None:
    """Neither a job that waits nor one that no one knows."""
    add(redis_db, "waits")
    letters = DeadLetters(redis_db)
    for act in (letters.get, letters.requeue, letters.discard):
        with pytest.raises(NotFoundError, match=f"{job_id} is not a dead letter"):
            act(job_id)
    assert waiting(redis_db) == ["waits"]


def test_all_are_requeued_but_those_that_cannot_be(redis_db: Redis, store: MemoryStore) -> None:
    """One that is refused holds up no other, and is reported."""
    good, gone = [str(uuid4()) for _ in range(3)], str(uuid4())
    for run_id in (*good, gone):
        bury(redis_db, run_id)
    for run_id in good:
        dead_run(store, run_id)
    report = DeadLetters(redis_db, store).requeue_all()
    assert set(report.requeued) == set(waiting(redis_db)) == set(good)
    assert list(report.refused) == [gone]


def test_a_discarded_letter_leaves_nothing(redis_db: Redis) -> None:
    """Neither the job nor its attempts."""
    bury(redis_db, "run-1")
    bury(redis_db, "run-2")
    DeadLetters(redis_db).discard("run-1")
    assert [letter.job_id for letter in DeadLetters(redis_db).list()] == ["run-2"]
    assert not redis_db.exists("rq:job:run-1", "rq:results:run-1", attempts_key("run-1"))


@pytest.mark.parametrize("content", [{"data": b"\xff\xfe", "created_at": "never"}, {"origin": QUEUE}, "a string"])
def test_what_is_not_a_job_becomes_a_dead_letter_that_everyone_can_read(redis_db: Redis, content: Any) -> None:
    """It can be looked at and discarded, not requeued."""
    if isinstance(content, dict):
        redis_db.hset("rq:job:odd", mapping=content)
    else:
        redis_db.set("rq:job:odd", content)
    redis_db.rpush(f"rq:queue:{QUEUE}", "odd")
    taken = dequeue(redis_db, [QUEUE], None)
    assert taken == ReservedJob(job_id="odd", queue=QUEUE)
    assert bury_poison_job(redis_db, taken, "created_at: no time")
    assert not bury_poison_job(redis_db, taken, "again")
    (letter,) = DeadLetters(redis_db).list()
    assert (letter.reason, letter.data, letter.readable) == ("the job cannot be read", None, False)
    assert letter.error == "job odd cannot be read: created_at: no time"
    assert letter.raw
    assert manager(redis_db).get_queue(QUEUE).fetch_job("odd").get_status() == JobStatus.FAILED
    with pytest.raises(InputError, match="cannot be read"):
        DeadLetters(redis_db).requeue("odd")
    assert take_all(redis_db) == []
    DeadLetters(redis_db).discard("odd")
    assert DeadLetters(redis_db).count() == 0


def test_a_job_that_is_gone_leaves_no_letter(redis_db: Redis) -> None:
    """There is nothing to look at."""
    assert not bury_poison_job(redis_db, ReservedJob(job_id="gone", queue=QUEUE), "no such job")
    assert DeadLetters(redis_db).count() == 0


def test_an_id_whose_job_is_gone_is_listed_and_can_be_discarded(redis_db: Redis) -> None:
    """The statistics count it, so the list has it too."""
    bury(redis_db, "run-1")
    redis_db.delete("rq:job:run-1")
    letters = DeadLetters(redis_db)
    assert manager(redis_db).get_queue_stats(QUEUE)[QUEUE].failed == letters.count() == 1
    (letter,) = letters.list()
    assert (letter.job_id, letter.queue, letter.readable) == ("run-1", QUEUE, False)
    assert "its job is gone" in letter.reason
    with pytest.raises(InputError, match="cannot be requeued"):
        letters.requeue("run-1")
    letters.discard("run-1")
    assert letters.count() == 0
    assert letters.list() == ()


@pytest.mark.parametrize("remove", ["discard", "trim", "clean", "requeue"])
def test_nothing_removes_a_dead_letter_that_is_being_requeued(
    redis_db: Redis, store: MemoryStore, monkeypatch: pytest.MonkeyPatch, remove: str
) -> None:
    """Between the row and the job, it is reserved; otherwise the row would be queued without a job."""
    run_id = str(uuid4())
    bury(redis_db, run_id)
    dead_run(store, run_id)
    update = store.update_run

    def interfere(changed: str, **fields: Any) -> None:
        update(changed, **fields)
        queues = manager(redis_db, queue_remove_on_fail=0)
        if remove == "trim":
            queues.trim(QUEUE)
        elif remove == "clean":
            assert queues.clean(QUEUE, 0, kind="failed") == []
        else:
            with pytest.raises(NotFoundError, match="is being requeued"):
                getattr(DeadLetters(redis_db), remove)(run_id)

    monkeypatch.setattr(store, "update_run", interfere)
    DeadLetters(redis_db, store).requeue(run_id)
    assert waiting(redis_db) == [run_id]


def test_a_slow_second_requeue_changes_nothing(
    redis_db: Redis, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one was done, and its run has failed, before the second one looks at the row."""
    run_id = str(uuid4())
    bury(redis_db, run_id)
    dead_run(store, run_id)
    slow = DeadLetters(redis_db, store)
    get = slow.get

    def late(job_id: str) -> Any:
        found = get(job_id)
        DeadLetters(redis_db, store).requeue(run_id)
        take_all(redis_db)
        redis_db.hset(f"rq:job:{run_id}", "status", "finished")
        store.update_run(run_id, status=RunStatus.FAILED)
        return found

    monkeypatch.setattr(slow, "get", late)
    with pytest.raises(NotFoundError):
        slow.requeue(run_id)
    run = store.get_run(run_id)
    assert run is not None
    assert (run.status, run.requeues) == (RunStatus.FAILED, 1)
