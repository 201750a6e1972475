"""The reconciler on a real Redis: what Redis loses is restored once, what has ended is ended in its row."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError
from rq.job import Job
from rq.serializers import JSONSerializer

from qa_queue.errors import RedisUnavailableError, StoreUnavailableError
from qa_queue.models import ErrorKind, Priority, RunStatus, utc_now
from qa_queue.monitoring.heartbeats import OUTBOX_FIELD
from qa_queue.producer import JobProducer, JobRequest, QueueProducer
from qa_queue.queues.dead_letters import DeadLetters
from qa_queue.queues.dequeue import dequeue
from qa_queue.queues.enqueue import push_job
from qa_queue.queues.events import record_event
from qa_queue.queues.reconciliation import JobState
from qa_queue.services import Backend
from qa_queue.services.changes import Changes, command_line
from qa_queue.settings import Settings
from qa_queue.store.ledger import OpenRun
from qa_queue.store.memory import MemoryStore
from qa_queue.worker.reconciler import HOLDER_KEY, PATIENCE_S, Problem, ProblemLog, Reconciler, problem_of
from tests.support.dead_letters import let_die
from tests.support.queueing import QUEUE, run_request, snapshot, take_all, waiting

SETTINGS = Settings(_env_file=None)


class Clock:
    """A monotonic clock that a test sets forward."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class ReconcilerHarness:
    """Runs on a Redis, and the reconciler that keeps them in step."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.store = MemoryStore()
        self.clock = Clock()
        self.producer = JobProducer(redis, self.store, SETTINGS)
        self.reconciler = Reconciler(redis, self.store, SETTINGS, name="one", clock=self.clock)

    def submit(self, count: int = 1, **fields: Any) -> list[str]:
        return [run.run_id for run in self.producer.submit([run_request(**fields) for _ in range(count)])]

    def settle(self, seconds: float = max(PATIENCE_S.values())) -> None:
        """Let the reconciler see every problem twice, this far apart."""
        self.reconciler.run()
        self.clock.now += seconds
        self.reconciler.run()

    def status(self, run_id: str) -> RunStatus:
        run = self.store.get_run(run_id)
        assert run is not None
        return run.status

    def job(self, run_id: str) -> Job:
        return Job.fetch(run_id, connection=self.redis, serializer=JSONSerializer)


@pytest.fixture
def scene(redis_db: Redis) -> ReconcilerHarness:
    return ReconcilerHarness(redis_db)


def lose_everything(redis: Redis) -> None:
    redis.flushall()


def lose_the_lists(redis: Redis) -> None:
    redis.delete(f"rq:queue:{QUEUE}", f"qa:ranks:{QUEUE}", f"rq:scheduled:{QUEUE}")


def lose_jobs(redis: Redis) -> None:
    """Of each second job the hash, as by eviction."""
    for key in sorted(redis.scan_iter("rq:job:*"))[::2]:
        redis.delete(key)


def lose_the_newest(redis: Redis) -> None:
    """The last tenth of the list, as by a truncated append-only file."""
    ids = redis.lrange(f"rq:queue:{QUEUE}", -100, -1)
    for job_id in ids:
        redis.lrem(f"rq:queue:{QUEUE}", 1, job_id)
        redis.zrem(f"qa:ranks:{QUEUE}", job_id)
        redis.delete(f"rq:job:{job_id.decode()}")


def lose_the_order(redis: Redis) -> None:
    """Of each second job the hash, and the scores of all, as by eviction."""
    lose_jobs(redis)
    redis.delete(f"qa:ranks:{QUEUE}")
    push_job(redis, QUEUE, redis.lindex(f"rq:queue:{QUEUE}", 0).decode())  # which gives the others new scores


@pytest.mark.parametrize("lose", [lose_everything, lose_the_lists, lose_jobs, lose_the_newest, lose_the_order])
def test_of_a_thousand_runs_none_is_lost(scene: ReconcilerHarness, lose: Callable[[Redis], None]) -> None:
    """Each waits once, in its order; those that had ended stay ended."""
    priorities = (Priority.LOW, Priority.NORMAL, Priority.HIGH, Priority.URGENT)
    submitted = [
        run_request(priority=priorities[number % 4], attempts=1 + number % 3, user_id=f"user-{number % 5}")
        for number in range(1000)
    ]
    ids = [run.run_id for run in scene.producer.submit(submitted)]
    order = waiting(scene.redis)
    assert sorted(order) == sorted(ids)
    ended = order[:50]
    for run_id in ended:
        scene.store.update_run(run_id, status=RunStatus.COMPLETED, finished_at=utc_now())
        scene.redis.delete(f"rq:job:{run_id}")
        scene.redis.lrem(f"rq:queue:{QUEUE}", 1, run_id)
        scene.redis.zrem(f"qa:ranks:{QUEUE}", run_id)
    lose(scene.redis)
    scene.settle()
    assert waiting(scene.redis) == order[50:]
    expires = {HOLDER_KEY.encode(): None}
    before = snapshot(scene.redis) | expires
    scene.settle()
    assert snapshot(scene.redis) | expires == before
    for request, run_id in zip(submitted[:3], ids[:3], strict=True):
        job = scene.job(run_id)
        assert (job.retries_left or 0) == (request.attempts or 1) - 1
        assert job.kwargs["data"]["test_run_id"] == run_id
    assert take_all(scene.redis) == order[50:]


def test_nothing_is_restored_before_it_was_seen_twice(scene: ReconcilerHarness) -> None:
    """A submission may be between its rows and its jobs."""
    scene.submit()
    scene.redis.flushall()
    scene.reconciler.run()
    scene.clock.now += PATIENCE_S[Problem.LOST] - 1
    scene.reconciler.run()
    assert waiting(scene.redis) == []


def test_a_submission_that_is_overtaken_by_the_reconciler_enqueues_once(scene: ReconcilerHarness) -> None:
    """The submitter stalls between rows and jobs; the reconciler enqueues, and the submission succeeds."""
    add = scene.producer._queues.add

    def late(*args: Any) -> Any:
        scene.redis.delete(*scene.redis.scan_iter("qa:submitting:*"))  # the submitter was paused
        scene.settle()
        assert len(waiting(scene.redis)) == 3
        return add(*args)

    scene.producer._queues.add = late  # type: ignore[method-assign]
    ids = scene.submit(3)
    assert waiting(scene.redis) == ids


def submit_jobs(scene: ReconcilerHarness, count: int) -> list[str]:
    """Submit jobs of another queue, each with an idempotency key of its own; return their ids."""
    producer = QueueProducer(scene.redis, SETTINGS, scene.store)
    requests = [JobRequest(data={}, idempotency_key=f"key {number}") for number in range(count)]
    return [job.job_id for job in producer.submit("cleanup", requests)]


def end_job(redis: Redis, job_id: str) -> None:
    redis.lrem("rq:queue:cleanup", 1, job_id)
    redis.zrem("qa:ranks:cleanup", job_id)
    redis.hset(f"rq:job:{job_id}", "status", "finished")
    record_event(redis, "cleanup", job_id, "completed", {})


def test_jobs_of_other_queues_with_a_key_are_restored(scene: ReconcilerHarness) -> None:
    """In order and once, with their keys; not those that had ended, nor those without a key."""
    ids = submit_jobs(scene, 1000)
    QueueProducer(scene.redis, SETTINGS, scene.store).submit("cleanup", JobRequest(data={}))
    for job_id in ids[:50]:
        end_job(scene.redis, job_id)
    scene.settle()
    scene.redis.flushall()
    scene.settle()
    assert waiting(scene.redis, "cleanup") == ids[50:]
    scene.settle()
    assert waiting(scene.redis, "cleanup") == ids[50:]
    assert submit_jobs(scene, 1000)[50:] == ids[50:]


def test_a_job_that_ended_while_no_scheduler_ran_is_not_restored(scene: ReconcilerHarness) -> None:
    """Its hash has expired; its claim, which lasts longer, says so."""
    (job_id,) = submit_jobs(scene, 1)
    end_job(scene.redis, job_id)
    scene.redis.delete(f"rq:job:{job_id}")
    scene.settle()
    assert waiting(scene.redis, "cleanup") == []
    assert scene.store.ledger.open_jobs() == []


def test_a_rejected_submission_of_jobs_leaves_nothing(scene: ReconcilerHarness) -> None:
    """The ledger's entries are removed with their claims."""
    producer = QueueProducer(scene.redis, SETTINGS, scene.store)

    def fail(*_: Any) -> None:
        scene.settle()
        raise RedisError("the answer was lost")

    producer._queues.add = fail  # type: ignore[method-assign]
    with pytest.raises(RedisUnavailableError):
        producer.submit("cleanup", JobRequest(data={}, idempotency_key="k"))
    scene.settle()
    assert waiting(scene.redis, "cleanup") == scene.store.ledger.open_jobs() == []


def test_the_runs_of_a_submission_that_lasts_are_not_lost(scene: ReconcilerHarness) -> None:
    """Its rows are there for longer than a loss is waited for, its jobs are not; then it is rejected."""

    def late(*_: Any) -> None:
        scene.settle()
        assert waiting(scene.redis) == []
        raise StoreUnavailableError("Supabase did not answer in time")

    add = scene.producer._queues.add
    scene.producer._queues.add = late  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailableError):
        scene.submit(2)
    assert scene.store.list_runs() == []
    scene.producer._queues.add = add  # type: ignore[method-assign]
    (run_id,) = scene.submit()
    scene.redis.delete(f"rq:job:{run_id}", f"rq:queue:{QUEUE}")
    scene.settle()  # a submission that is complete is not waited for
    assert waiting(scene.redis) == [run_id]


@pytest.mark.parametrize("holder", ["the run", "another"])
def test_a_run_that_its_submitter_did_not_enqueue_gets_its_pending_claim(
    scene: ReconcilerHarness, holder: str
) -> None:
    """The submitter died after its rows; a claim that another submission has made since stays."""
    (run_id,) = scene.submit(idempotency_key="k")
    (key,) = scene.redis.scan_iter("qa:idempotency:*")
    final = scene.redis.get(key)
    pending = final.replace(b"final", b"pending") if holder == "the run" else b"pending|another|d"
    scene.redis.flushall()
    scene.redis.set(key, pending, ex=3600)
    scene.settle()
    assert waiting(scene.redis) == [run_id]
    assert scene.redis.get(key) == (final if holder == "the run" else pending)
    assert (scene.redis.ttl(key) > 3600) is (holder == "the run")


def test_a_delay_and_a_claim_are_restored(scene: ReconcilerHarness) -> None:
    """The run starts when it was to start, and its idempotency key gives the same run."""
    due = utc_now() + timedelta(hours=1)
    (run_id,) = scene.submit(run_at=due, idempotency_key="order 7")
    scene.redis.flushall()
    scene.settle()
    assert waiting(scene.redis) == []
    assert scene.redis.zscore(f"rq:scheduled:{QUEUE}", run_id) == pytest.approx(due.timestamp(), abs=0.01)
    assert scene.job(run_id).get_status().value == "scheduled"
    assert scene.submit(run_at=due, idempotency_key="order 7") == [run_id]


def test_a_run_that_was_under_way_has_its_attempts(scene: ReconcilerHarness) -> None:
    """The attempt that ran at the loss is not used up; the next one counts on."""
    (run_id,) = scene.submit(attempts=3)
    scene.store.update_run(run_id, status=RunStatus.RUNNING, fence=2)
    scene.redis.flushall()
    scene.settle(PATIENCE_S[Problem.LOST])
    assert waiting(scene.redis) == []
    scene.settle(PATIENCE_S[Problem.LOST_RUNNING])
    assert waiting(scene.redis) == [run_id]
    assert scene.job(run_id).retries_left == 1
    assert scene.redis.hget(f"rq:job:{run_id}", "attempt") == b"2"


def test_an_interrupted_submission_is_not_enqueued(scene: ReconcilerHarness) -> None:
    """Its submitter was killed before the last row: none of its runs runs, and all of them end."""
    save = scene.store.save

    def killed(records: Any) -> None:
        rows = list(records)
        if type(rows[0]).__name__ == "RunRecord":
            save(rows[:2])
            raise KeyboardInterrupt
        save(rows)

    scene.store.save = killed  # type: ignore[method-assign]
    scene.store.delete_runs = lambda run_ids: 0  # type: ignore[method-assign] # nor did it undo anything
    scene.store.ledger.remove = lambda job_ids: None  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        scene.submit(3)
    first, second = (run.id for run in scene.store.ledger.open_runs())
    scene.settle()
    assert scene.status(first) is RunStatus.QUEUED
    scene.settle(60)
    assert waiting(scene.redis) == []
    assert {scene.status(first), scene.status(second)} == {RunStatus.CANCELLED}


def test_a_run_without_an_entry_ends(scene: ReconcilerHarness) -> None:
    """A version without a ledger submitted it."""
    (run_id,) = scene.submit()
    scene.store.ledger.remove([run_id])
    scene.redis.flushall()
    scene.settle()
    assert scene.status(run_id) is RunStatus.DEAD


def test_dead_letters_are_restored(scene: ReconcilerHarness, redis_url: str) -> None:
    """With their error; not those that were discarded or deleted by age."""
    kept, discarded, cleaned = scene.submit(3)
    for run_id in (kept, discarded, cleaned):
        let_die(scene.redis, run_id)
        scene.store.update_run(
            run_id, status=RunStatus.DEAD, fence=3, error="the browser died", finished_at=utc_now()
        )
    letters = DeadLetters(scene.redis, scene.store)
    letters.discard(discarded)
    scene.redis.zincrby(f"rq:failed:{QUEUE}", -3600, cleaned)  # it died earlier
    with Backend(Settings(_env_file=None, redis_url=redis_url), scene.store) as backend:
        deleted = Changes(backend, command_line()).clean_queue(QUEUE, 1_800_000, 10, "failed")
    assert deleted == [cleaned]
    scene.settle()
    scene.redis.flushall()
    scene.settle()
    (letter,) = letters.list()
    assert (letter.job_id, letter.error) == (kept, "the browser died")
    letters.requeue(kept)
    assert waiting(scene.redis) == [kept]
    assert scene.status(kept) is RunStatus.QUEUED


@pytest.mark.parametrize(
    ("status", "fields", "expected"),
    [
        ("finished", {}, RunStatus.COMPLETED),
        ("canceled", {}, RunStatus.CANCELLED),
        ("failed", {}, RunStatus.DEAD),
    ],
)
def test_a_row_that_lags_behind_its_job_is_ended(
    scene: ReconcilerHarness, status: str, fields: dict[str, Any], expected: RunStatus
) -> None:
    """Redis says how the run ended, and the record of it was lost."""
    (run_id,) = scene.submit()
    take_all(scene.redis)
    scene.redis.delete(f"rq:queue:{QUEUE}:intermediate")
    scene.redis.hset(f"rq:job:{run_id}", "status", status)
    scene.settle()
    assert scene.status(run_id) is expected
    run = scene.store.get_run(run_id)
    assert run is not None
    assert run.finished_at is not None
    assert waiting(scene.redis) == []


def test_a_row_is_not_ended_while_a_worker_may_have_more_of_it(scene: ReconcilerHarness) -> None:
    """Its outbox holds rows; for 120 s at most."""
    (run_id,) = scene.submit()
    take_all(scene.redis)
    scene.redis.delete(f"rq:queue:{QUEUE}:intermediate")
    scene.redis.hset(f"rq:job:{run_id}", "status", "finished")
    scene.redis.sadd("rq:workers", "rq:worker:busy", "rq:worker:other")
    scene.redis.hset("rq:worker:busy", OUTBOX_FIELD, 4096)
    scene.settle()
    assert scene.status(run_id) is RunStatus.QUEUED
    scene.settle(120)
    assert scene.status(run_id) is RunStatus.COMPLETED
    (run_id,) = scene.submit()
    take_all(scene.redis)
    scene.redis.delete(f"rq:queue:{QUEUE}:intermediate")
    scene.redis.hset(f"rq:job:{run_id}", "status", "finished")
    scene.redis.hset("rq:worker:busy", OUTBOX_FIELD, 0)
    scene.settle()
    assert scene.status(run_id) is RunStatus.COMPLETED


@pytest.mark.parametrize("status", [RunStatus.QUEUED, RunStatus.RUNNING])
def test_a_lost_run_is_not_restored_while_its_end_may_wait(scene: ReconcilerHarness, status: RunStatus) -> None:
    """An outbox holds rows; for 22 s at most, because it is to run within 30 s."""
    first, second = scene.submit(2)
    for run_id in (first, second):
        scene.store.update_run(run_id, status=status)
    scene.redis.flushall()
    scene.redis.sadd("rq:workers", "rq:worker:busy")
    scene.redis.hset("rq:worker:busy", OUTBOX_FIELD, 4096)
    scene.settle()
    assert waiting(scene.redis) == []
    scene.store.update_run(first, status=RunStatus.COMPLETED, finished_at=utc_now())
    scene.settle(22)
    assert waiting(scene.redis) == [second]


def test_an_interrupted_requeue_is_completed(scene: ReconcilerHarness) -> None:
    """The row was reopened, and the job is a dead letter still."""
    (run_id,) = scene.submit()
    let_die(scene.redis, run_id)
    scene.store.update_run(run_id, status=RunStatus.DEAD, finished_at=utc_now())
    scene.store.update_run(run_id, status=RunStatus.QUEUED, requeues=1)
    scene.settle()
    assert waiting(scene.redis) == [run_id]
    assert scene.status(run_id) is RunStatus.QUEUED


def test_runs_of_another_service_are_left_alone(scene: ReconcilerHarness) -> None:
    """It shares the database and has a Redis of its own: neither runs, nor claims, nor dead letters come over."""
    elsewhere = Settings(_env_file=None, qa_instance="staging")
    theirs = JobProducer(scene.redis, scene.store, elsewhere)
    waits, dies = (theirs.submit(run_request(name, idempotency_key=name))[0].run_id for name in ("a", "b"))
    scene.store.update_run(dies, status=RunStatus.DEAD, finished_at=utc_now())
    (ours,) = scene.submit()
    lose_everything(scene.redis)
    scene.settle()
    assert waiting(scene.redis) == [ours]
    assert scene.status(waits) is RunStatus.QUEUED
    assert not list(scene.redis.scan_iter("qa:idempotency:*"))
    assert DeadLetters(scene.redis).count(QUEUE) == 0
    lose_everything(scene.redis)
    owner = Reconciler(scene.redis, scene.store, elsewhere, name="staging", clock=scene.clock)
    owner.run()
    scene.clock.now += 20
    owner.run()
    assert waiting(scene.redis) == [waits]
    assert len(list(scene.redis.scan_iter("qa:idempotency:*"))) == 2


def test_one_of_two_reconcilers_works(scene: ReconcilerHarness) -> None:
    """The other one only when the first is gone."""
    scene.submit()
    other = Reconciler(scene.redis, scene.store, SETTINGS, name="other", clock=scene.clock)
    scene.settle()
    scene.redis.persist(HOLDER_KEY)  # or it expires while a slow machine gets to the next lines
    scene.redis.delete(f"rq:queue:{QUEUE}", f"qa:ranks:{QUEUE}")
    other.run()
    scene.clock.now += 20
    other.run()
    assert waiting(scene.redis) == []
    scene.redis.delete("qa:reconciler")
    other.run()
    scene.clock.now += 20
    other.run()
    assert len(waiting(scene.redis)) == 1


def test_a_job_that_rq_pushed_is_in_its_place(scene: ReconcilerHarness) -> None:
    """Nothing is done about what waits, runs or is limited."""
    ids = scene.submit(3)
    take_all(scene.redis)
    push_job(scene.redis, QUEUE, ids[0])
    before = snapshot(scene.redis)
    scene.settle()
    ours = {b"qa:reconciler", b"qa:reconciler:epoch"}
    assert {key: value for key, value in snapshot(scene.redis).items() if key not in ours} == before


def run(status: str = "queued", **fields: Any) -> OpenRun:
    return OpenRun(id="r", status=RunStatus(status), **fields)


def state(status: str | None, **fields: Any) -> JobState:
    return JobState(**{"status": status, "placed": True, **fields})


@pytest.mark.parametrize(
    ("row", "job", "problem"),
    [
        (run(), state("queued"), None),
        (run("running"), state("started"), None),
        (run(), state(None, placed=False), Problem.LOST),
        (run("running"), state(None, placed=False), Problem.LOST_RUNNING),
        (run(), state("queued", placed=False), Problem.LOST),
        (run(), state("scheduled", placed=False), Problem.LOST),
        (run("running"), state("started", placed=False), Problem.LOST_RUNNING),
        (run("running"), state("finished"), Problem.FINISHED),
        (run("running"), state("failed"), Problem.DEAD),
        (run("running"), state("stopped"), Problem.DEAD),
        (run(requeues=2), state("failed", requeues=1), Problem.HALF_REQUEUED),
        (run(), state("canceled"), Problem.CANCELLED),
        (run("running"), state("failed", unstored=True), None),
    ],
)
def test_the_problem_of_a_row_and_its_job(row: OpenRun, job: JobState, problem: Problem | None) -> None:
    """One decision for each pair of states."""
    assert problem_of(row, job) is problem


def test_a_problem_that_changes_counts_anew() -> None:
    """Only the same problem at two times, far enough apart, is settled."""
    problems = ProblemLog()
    assert problems.due({"r": Problem.LOST}, 0) == {}
    assert problems.due({"r": Problem.FINISHED}, 10) == {}
    patience = PATIENCE_S[Problem.FINISHED]
    assert problems.due({"r": Problem.FINISHED}, 9 + patience) == {}
    assert problems.due({"r": Problem.FINISHED}, 11 + patience) == {"r": Problem.FINISHED}
    assert problems.due({}, 32) == {}
    assert problems.due({"r": Problem.FINISHED}, 60) == {}


def test_a_kind_of_error_survives(scene: ReconcilerHarness) -> None:
    """A dead letter whose input was invalid ends its row as such."""
    (run_id,) = scene.submit()
    let_die(scene.redis, run_id, attempts=1, kind="input")
    scene.settle()
    row = scene.store.get_run(run_id)
    assert row is not None
    assert (row.status, row.error_kind, row.error) == (RunStatus.FAILED, ErrorKind.INPUT, "broken 1")


def test_every_dead_letter_is_restored(scene: ReconcilerHarness) -> None:
    """However many there are."""
    ids = scene.submit(60)
    for run_id in ids:
        let_die(scene.redis, run_id)
        scene.store.update_run(run_id, status=RunStatus.DEAD, fence=3, error="x", finished_at=utc_now())
    scene.redis.flushall()
    scene.settle()
    assert {letter.job_id for letter in DeadLetters(scene.redis).list(0, 99)} == set(ids)


@pytest.mark.parametrize("begun", [False, True])
def test_a_requeued_run_that_is_lost_has_all_its_attempts(scene: ReconcilerHarness, begun: bool) -> None:
    """The executions before its requeue do not count, although they are numbered on."""
    (run_id,) = scene.submit(attempts=3)
    let_die(scene.redis, run_id)
    scene.store.update_run(run_id, status=RunStatus.DEAD, fence=3, error="x", finished_at=utc_now())
    DeadLetters(scene.redis, scene.store).requeue(run_id)
    if begun:
        scene.store.update_run(run_id, status=RunStatus.RUNNING, fence=4)
    scene.redis.flushall()
    scene.settle()
    assert scene.job(run_id).retries_left == 2


def test_a_key_names_its_latest_run_after_a_loss(scene: ReconcilerHarness) -> None:
    """The keys were free again, because their first runs had ended long ago, and were used for second ones."""
    keys = [f"key {number}" for number in range(10)]

    def submit_all() -> list[str]:
        return [scene.submit(idempotency_key=key)[0] for key in keys]

    for run_id in submit_all():
        scene.store.update_run(run_id, status=RunStatus.COMPLETED, finished_at=utc_now())
    scene.redis.flushall()  # a claim lasts for 24 h
    second = submit_all()
    scene.redis.flushall()
    scene.settle()
    assert submit_all() == second


def test_evicted_jobs_of_other_queues_are_restored_in_place(scene: ReconcilerHarness) -> None:
    """Their ids still wait; one that is among the ended jobs does not run again."""
    ids = submit_jobs(scene, 6)
    for job_id in ids[1::2]:
        scene.redis.delete(f"rq:job:{job_id}")
    end_job(scene.redis, ids[0])
    scene.redis.zadd("rq:finished:cleanup", {ids[0]: 1e10})
    scene.redis.delete(f"rq:job:{ids[0]}", *scene.redis.scan_iter("qa:idempotency:*"))
    scene.settle()
    taken = iter(lambda: dequeue(scene.redis, ["cleanup"], None), None)
    assert [job.job_id for job in taken] == ids[1:]
    assert ids[0] not in {entry.id for entry in scene.store.ledger.open_jobs()}
