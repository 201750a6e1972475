"""Submitting to a real Redis and a store: all of it, or nothing of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry
from rq.job import Job
from rq.serializers import JSONSerializer

from qa_queue.errors import CaseError, InputError, RedisUnavailableError, StoreUnavailableError
from qa_queue.models import CleanupJobData, LearningJobData, Priority, RunStatus, TestConfig
from qa_queue.producer import JobProducer, SubmittedRun, idempotency
from qa_queue.producer.idempotency import KEPT_NOTE, LEFT_NOTE
from qa_queue.queues import QueueManager
from qa_queue.settings import Settings
from qa_queue.store.memory import MemoryStore
from qa_queue.store.protocol import Record, RunStore
from qa_queue.store.records import RunRecord, case_id
from qa_queue.store.supabase import SupabaseStore
from qa_queue.worker.reconciler import Reconciler
from tests.support.queueing import QUEUE, run_request, take_all, waiting
from tests.support.steps import goto, on


def producer(connection: Redis, store: RunStore) -> JobProducer:
    return JobProducer(connection, store, Settings(_env_file=None))


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


class BrokenStore(MemoryStore):
    """A store whose Supabase goes away at one method."""

    def __init__(self, broken: str) -> None:
        super().__init__()
        self._broken = broken

    def save_cases(self, cases: Sequence[Any]) -> list[Any]:
        self._break("save_cases")
        return super().save_cases(cases)

    def save(self, records: Any) -> None:
        super().save(records)
        self._break("save")

    def delete_runs(self, run_ids: Sequence[str]) -> int:
        self._break("delete_runs")
        return super().delete_runs(run_ids)

    def _break(self, method: str) -> None:
        if method in self._broken.split():
            raise StoreUnavailableError("Supabase is not reachable")


class VanishingStore(MemoryStore):
    """A store that is unavailable once it has stored runs, until `down` is reset or some `failures` are over."""

    def __init__(self, failures: int = -1) -> None:
        super().__init__()
        self.down = False
        self._failures = failures
        remove = self.ledger.remove

        def remove_if_up(job_ids: Sequence[str]) -> None:
            self._fail_if_down()
            remove(job_ids)

        self.ledger.remove = remove_if_up  # type: ignore[method-assign]

    def save(self, records: Any) -> None:
        batch: list[Record] = list(records)
        super().save(batch)
        self.down = any(isinstance(record, RunRecord) for record in batch)
        self._fail_if_down()

    def delete_runs(self, run_ids: Sequence[str]) -> int:
        self._fail_if_down()
        return super().delete_runs(run_ids)

    def _fail_if_down(self) -> None:
        if self.down and self._failures != 0:
            self._failures -= 1
            raise StoreUnavailableError("Supabase is not reachable")


class RecordingStore(MemoryStore):
    """A store that remembers in how many records each call brought."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def save(self, records: Any) -> None:
        batch: list[Record] = list(records)
        self.batches.append(len(batch))
        super().save(batch)


@pytest.fixture
def dead_redis() -> Iterator[Redis]:
    """A Redis that no one serves."""
    with Redis(port=1, retry=Retry(NoBackoff(), 0)) as connection:
        yield connection


def payload(connection: Redis, run_id: str) -> dict[str, Any]:
    found: dict[str, Any] = Job.fetch(run_id, connection=connection, serializer=JSONSerializer).kwargs["data"]
    return found


def test_a_submitted_run_stands_in_the_store_and_on_the_queue(redis_db: Redis, store: MemoryStore) -> None:
    request = run_request("Order", source="order.yaml", user_id="ann", priority=Priority.HIGH)
    (submitted,) = producer(redis_db, store).submit(request)
    run = store.get_run(submitted.run_id)
    assert submitted == SubmittedRun(run_id=submitted.run_id, job_id=submitted.run_id, case_name="Order")
    assert run is not None
    assert (run.status, run.test_case_id, run.priority, run.user_id) == (
        RunStatus.QUEUED,
        case_id("Order"),
        10,
        "ann",
    )
    assert waiting(redis_db) == [submitted.run_id]
    assert payload(redis_db, submitted.run_id)["test_run_id"] == submitted.run_id


def test_the_case_s_own_limits_become_the_job_s(redis_db: Redis, store: MemoryStore) -> None:
    request = run_request(fields={"timeout_ms": 30_000, "retries": 1})
    (submitted,) = producer(redis_db, store).submit(request)
    job = Job.fetch(submitted.job_id, connection=redis_db, serializer=JSONSerializer)
    assert job.timeout == 60 + 60


def test_many_requests_keep_their_order(redis_db: Redis, store: MemoryStore) -> None:
    submitted = producer(redis_db, store).submit([run_request(f"Case {n}") for n in range(30)])
    assert [run.case_name for run in submitted] == [f"Case {n}" for n in range(30)]
    assert take_all(redis_db) == [run.run_id for run in submitted]


def test_one_case_submitted_twice_is_two_runs_of_one_case(redis_db: Redis, store: MemoryStore) -> None:
    first, second = producer(redis_db, store).submit([run_request(), run_request()])
    assert first.run_id != second.run_id
    assert len(store.list_cases()) == 1
    assert len(store.list_runs()) == 2


def test_a_run_remembers_the_version_of_its_case(redis_db: Redis, store: MemoryStore) -> None:
    submit = producer(redis_db, store).submit
    versions = []
    for url in ("/a", "/a", "/b"):
        (submitted,) = submit(run_request(steps=(goto(url),)))
        run = store.get_run(submitted.run_id)
        versions.append(run.case_version if run else None)
    assert versions == [1, 1, 2]


def test_rows_are_written_in_batches(redis_db: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qa_queue.producer.run_producer.ROWS_AT_ONCE", 4)
    store = RecordingStore()
    producer(redis_db, store).submit([run_request(f"Case {n}") for n in range(10)])
    assert store.batches == [4, 4, 2] * 2  # the ledger's entries, then the runs
    assert len(store.list_cases()) == 10


def test_no_secret_stands_anywhere_in_redis_or_the_store(
    redis_db: Redis, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QA_SECRET_SHOP_PASSWORD", "hunter2")
    monkeypatch.setenv("SHOP_USER", "ann")
    steps = (
        on("fill", "#user", value="${env.SHOP_USER}"),
        on("fill", "#password", value="${secret.SHOP_PASSWORD}"),
    )
    (submitted,) = producer(redis_db, store).submit(run_request(steps=steps))
    data = payload(redis_db, submitted.run_id)
    assert data["env"] == {"SHOP_USER": "ann"}
    written = json.dumps(data) + str([store.list_cases(), store.list_runs()])
    assert "${secret.SHOP_PASSWORD}" in written
    assert "hunter2" not in written


def test_a_case_that_refers_to_nothing_is_refused_and_nothing_is_written(
    redis_db: Redis, store: MemoryStore
) -> None:
    bad = run_request("Bad", source="bad.yaml", steps=(goto("/${env.NOT_SET}"),))
    with pytest.raises(CaseError, match=r"bad\.yaml.*NOT_SET"):
        producer(redis_db, store).submit([run_request("Good"), bad])
    assert_nothing_written(redis_db, store)


def test_two_cases_of_one_name_are_refused_and_nothing_is_written(redis_db: Redis, store: MemoryStore) -> None:
    requests = [run_request("Login", source=f"{n}.yaml", steps=(goto(f"/{n}"),)) for n in "ab"]
    with pytest.raises(InputError, match=r"a\.yaml and b\.yaml"):
        producer(redis_db, store).submit(requests)
    assert_nothing_written(redis_db, store)


def test_submitting_nothing_is_refused(redis_db: Redis, store: MemoryStore) -> None:
    with pytest.raises(InputError, match="nothing to submit"):
        producer(redis_db, store).submit([])


def test_without_redis_nothing_is_written_and_the_error_says_where(dead_redis: Redis, store: MemoryStore) -> None:
    with pytest.raises(RedisUnavailableError, match="localhost:1/0 cannot be used: nothing listens there"):
        producer(dead_redis, store).submit(run_request())
    assert (store.list_cases(), store.list_runs()) == ([], [])


@pytest.mark.parametrize("broken", ["save_cases", "save"])
def test_without_the_store_nothing_is_enqueued_and_no_run_is_left(redis_db: Redis, broken: str) -> None:
    store = BrokenStore(broken)
    with pytest.raises(StoreUnavailableError):
        producer(redis_db, store).submit(run_request(idempotency_key="k"))
    assert store.list_runs() == []
    # The idempotency key is free again as well; only the latest time of arrival is kept.
    assert list(redis_db.scan_iter()) == [b"qa:clock:test-execution"]


def test_when_the_store_fails_at_taking_back_too_the_first_error_counts(
    redis_db: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    store = BrokenStore("save delete_runs")
    with pytest.raises(StoreUnavailableError):
        producer(redis_db, store).submit(run_request())
    assert "may be left as queued" in caplog.text
    assert waiting(redis_db) == []


def test_what_a_rejected_submission_has_left_is_deleted_and_never_runs(redis_db: Redis) -> None:
    """The rows were stored, the answer was lost, and the store failed when they were to be taken back.

    The scheduler deletes them at its next look, for the mark would be lost with Redis' data.
    """
    store = VanishingStore()
    with pytest.raises(StoreUnavailableError) as raised:
        producer(redis_db, store).submit(run_request())
    assert raised.value.__notes__ == [KEPT_NOTE]
    assert [run.status for run in store.list_runs()] == [RunStatus.QUEUED]
    store.down = False
    Reconciler(redis_db, store, Settings(_env_file=None), name="one").run()
    redis_db.flushdb()
    clock = iter((0.0, 60.0))
    after = Reconciler(redis_db, store, Settings(_env_file=None), name="two", clock=lambda: next(clock))
    after.run()
    after.run()
    assert (store.list_runs(), waiting(redis_db)) == ([], [])


def test_a_store_that_fails_briefly_is_asked_again_to_delete_a_rejected_submission(redis_db: Redis) -> None:
    """The rows were stored, and the connection broke twice: once for the answer, once when they were taken back."""
    store = VanishingStore(failures=2)
    with pytest.raises(StoreUnavailableError) as raised:
        producer(redis_db, store).submit(run_request())
    assert not hasattr(raised.value, "__notes__")
    assert store.list_runs() == []


def test_a_submission_that_neither_part_can_undo_says_so(redis_db: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows were stored, and both Supabase and Redis fail when they are to be taken back."""

    def fail(*_: Any) -> None:
        raise RedisConnectionError("Connection closed by server.")

    monkeypatch.setattr(idempotency, "mark_rejected", fail)
    with pytest.raises(StoreUnavailableError) as raised:
        producer(redis_db, VanishingStore()).submit(run_request())
    assert raised.value.__notes__ == [LEFT_NOTE]


def fail_after_enqueue(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Redis takes the jobs, and the answer never arrives."""
    real = QueueManager.add

    def lost(self: QueueManager, name: str, specs: Any) -> Any:
        real(self, name, specs)
        raise error

    monkeypatch.setattr(QueueManager, "add", lost)


def test_when_redis_becomes_unavailable_while_enqueueing_jobs_and_rows_are_taken_back(
    redis_db: Redis, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_after_enqueue(monkeypatch, RedisConnectionError("Connection closed by server."))
    with pytest.raises(RedisUnavailableError):
        producer(redis_db, store).submit([run_request("A"), run_request("B")])
    assert (store.list_runs(), waiting(redis_db)) == ([], [])


def test_runs_that_have_begun_are_acknowledged_although_the_answer_of_redis_was_lost(
    redis_db: Redis, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis is killed right after it has enqueued them, and a worker is faster than the submitter's connection."""
    real = QueueManager.add

    def lost(self: QueueManager, name: str, specs: Any) -> Any:
        real(self, name, specs)
        store.update_run(specs[0].job_id, status=RunStatus.COMPLETED, fence=1)
        raise RedisConnectionError("Connection closed by server.")

    monkeypatch.setattr(QueueManager, "add", lost)
    submitted = producer(redis_db, store).submit([run_request("A"), run_request("B")])
    assert [(run.id, run.status) for run in store.list_runs(oldest_first=True)] == [
        (submitted[0].run_id, RunStatus.COMPLETED),
        (submitted[1].run_id, RunStatus.QUEUED),
    ]
    assert set(waiting(redis_db)) == {run.job_id for run in submitted}


def test_an_interrupted_submission_leaves_nothing_behind(
    redis_db: Redis, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_after_enqueue(monkeypatch, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        producer(redis_db, store).submit(run_request(idempotency_key="k"))
    assert (store.list_runs(), waiting(redis_db)) == ([], [])
    assert list(redis_db.scan_iter("qa:idempotency:*")) == []


def test_a_used_idempotency_key_gives_the_same_run(redis_db: Redis, store: MemoryStore) -> None:
    submit = producer(redis_db, store).submit
    (first,) = submit(run_request(idempotency_key="ci-42"))
    (again,) = submit(run_request(idempotency_key="ci-42"))
    assert (first.created, again.created) == (True, False)
    assert again.run_id == first.run_id
    assert len(waiting(redis_db)) == len(store.list_runs()) == 1


def test_an_idempotency_key_counts_for_each_case_and_only_where_it_is_given(
    redis_db: Redis, store: MemoryStore
) -> None:
    submit = producer(redis_db, store).submit
    submit([run_request("A", idempotency_key="ci-42"), run_request("B", idempotency_key="ci-42")])
    again = submit(
        [run_request("A", idempotency_key="ci-42"), run_request("C", idempotency_key="ci-42"), run_request("A")]
    )
    assert [run.created for run in again] == [False, True, True]


def test_housekeeping_goes_to_its_queues(redis_db: Redis, store: MemoryStore) -> None:
    submit = producer(redis_db, store)
    cleanup = submit.submit_cleanup(CleanupJobData(keep_days=3))
    learning = submit.submit_learning(LearningJobData())
    assert payload(redis_db, cleanup)["keep_days"] == 3
    assert payload(redis_db, learning)["test_case_ids"] is None


def test_housekeeping_without_redis_says_where(dead_redis: Redis, store: MemoryStore) -> None:
    with pytest.raises(RedisUnavailableError, match="localhost:1/0"):
        producer(dead_redis, store).submit_cleanup(CleanupJobData())


def test_it_works_with_a_real_supabase(redis_db: Redis, supabase: Any) -> None:
    store = SupabaseStore(supabase.url, supabase.key)
    requests = [run_request(f"Producer {n}", config=TestConfig(timeout=9000)) for n in range(3)]
    submitted = producer(redis_db, store).submit(requests)
    rows = [store.get_run(run.run_id) for run in submitted]
    assert all(isinstance(row, RunRecord) and row.status is RunStatus.QUEUED for row in rows)
    assert waiting(redis_db) == [run.run_id for run in submitted]
    store.delete_runs([run.run_id for run in submitted])
    store.close()


def assert_nothing_written(connection: Redis, store: MemoryStore) -> None:
    assert list(connection.scan_iter()) == []
    assert (store.list_cases(), store.list_runs()) == ([], [])


def test_a_repeated_request_is_as_many_runs_that_wait_for_their_time(redis_db: Redis, store: MemoryStore) -> None:
    """The first starts at once; sent again with its key, it gives the same runs."""
    request = run_request(repeat=3, every_ms=600_000, idempotency_key="deploy-7")
    runs = producer(redis_db, store).submit(request)
    assert [run.created for run in runs] == [True] * 3
    assert waiting(redis_db) == [runs[0].run_id]
    (second, at), (third, later) = redis_db.zrange(f"rq:scheduled:{QUEUE}", 0, -1, withscores=True)
    assert [second.decode(), third.decode()] == [runs[1].run_id, runs[2].run_id]
    assert round(later - at) == 600
    again = producer(redis_db, store).submit(request)
    assert [(run.run_id, run.created) for run in again] == [(run.run_id, False) for run in runs]
    assert len(store.list_runs()) == 3


def test_a_case_with_rows_of_data_is_a_run_for_each(redis_db: Redis, store: MemoryStore) -> None:
    """One batch; each run, and its job, has its row and the seed."""
    rows = ({"user": "ann", "age": 7}, {"name": "Bob", "user": "bob", "age": 8})
    request = run_request(steps=(goto("/${data.user}"),), fields={"data": rows}, seed="5eed")
    batch = producer(redis_db, store).submit_batch([request])
    runs = [store.get_run(run.run_id) for run in batch.runs]
    wanted = [{"name": "user=ann, age=7", "values": rows[0]}, {"name": "Bob", "values": rows[1]}]
    assert [(run.data_row, run.seed, run.batch_id) for run in runs if run] == [
        (row, "5eed", batch.id) for row in wanted
    ]
    jobs = [Job.fetch(run.run_id, connection=redis_db, serializer=JSONSerializer) for run in batch.runs]
    assert [job.kwargs["data"]["data_row"] for job in jobs] == wanted
    assert [run.case_name.partition(" [")[2] for run in batch.runs] == ["user=ann, age=7]", "Bob]"]
