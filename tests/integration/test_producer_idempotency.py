"""One run for one idempotency key, whatever races, fails and ends meanwhile."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from redis import Redis

from qa_queue.errors import IdempotencyBusyError, IdempotencyConflictError, StoreUnavailableError
from qa_queue.models import Priority
from qa_queue.producer import JobProducer, SubmittedRun
from qa_queue.producer.idempotency import await_claims, claimed
from qa_queue.queues.claims import KEEP_S, LEASE_S, IdempotencyClaim, release_claims, renew_claims
from qa_queue.queues.dequeue import dequeue
from qa_queue.queues.events import record_event
from qa_queue.settings import Settings
from qa_queue.store.memory import MemoryStore
from tests.support.poll import wait_until
from tests.support.queueing import QUEUE, run_request, waiting
from tests.support.steps import goto

ROOT = Path(__file__).resolve().parents[2]
RACER = """
import sys
from redis import Redis
from qa_queue.producer import JobProducer
from qa_queue.settings import Settings
from qa_queue.store.memory import MemoryStore
from tests.support.queueing import run_request
class Shared(MemoryStore):
    def existing_runs(self, run_ids):
        return set(run_ids)
connection = Redis.from_url(sys.argv[1])
connection.incr("racers")
while not connection.exists("go"):
    pass
for _ in range(10):
    producer = JobProducer(connection, Shared(), Settings(_env_file=None))
    (run,) = producer.submit(run_request(idempotency_key="k"))
    print(run.run_id, run.created)
"""


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def submit(connection: Redis, store: MemoryStore, **overrides: Any) -> SubmittedRun:
    request = run_request(**{"idempotency_key": "ci-42", **overrides})
    return JobProducer(connection, store, Settings(_env_file=None)).submit(request)[0]


def claim_ttl(connection: Redis) -> int:
    (key,) = connection.scan_iter("qa:idempotency:*")
    ttl = connection.ttl(key)
    assert isinstance(ttl, int)
    return ttl


def wanted(run_id: str, digest: str = "d") -> IdempotencyClaim:
    return IdempotencyClaim(job_id=run_id, key="qa:idempotency:k", digest=digest)


def test_of_fifty_racers_with_one_key_one_creates_the_run(redis_db: Redis, store: MemoryStore) -> None:
    """All fifty get it, and it stands on the queue and in the store once."""
    submitted: list[SubmittedRun] = []
    barrier = threading.Barrier(50)

    def race() -> None:
        barrier.wait()
        submitted.append(submit(redis_db, store))

    threads = [threading.Thread(target=race) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [run.created for run in submitted].count(True) == 1
    assert {run.run_id for run in submitted} == set(waiting(redis_db)) == {run.id for run in store.list_runs()}


def test_of_fifty_submissions_from_processes_one_creates_the_run(redis_db: Redis, redis_url: str) -> None:
    """Five processes race ten times each; nothing but Redis stands between them."""
    racers = [
        subprocess.Popen([sys.executable, "-c", RACER, redis_url], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(5)
    ]
    wait_until(lambda: redis_db.get("racers") == b"5", timeout=30, what="five racers")
    redis_db.set("go", 1)
    lines = [line.split() for racer in racers for line in racer.communicate(timeout=30)[0].splitlines()]
    assert len(lines) == 50
    assert [created for _, created in lines].count("True") == 1
    assert {run_id for run_id, _ in lines} == set(waiting(redis_db))


def test_a_key_lasts_until_a_day_after_the_end_of_its_job(redis_db: Redis, store: MemoryStore) -> None:
    """However long the job has waited before."""
    first = submit(redis_db, store)
    assert KEEP_S - 60 < claim_ttl(redis_db) <= KEEP_S
    dequeue(redis_db, [QUEUE], None)
    record_event(redis_db, QUEUE, first.run_id, "completed", {})
    redis_db.hset(f"rq:job:{first.run_id}", "status", "finished")
    assert 24 * 3600 - 60 < claim_ttl(redis_db) <= 24 * 3600
    again = submit(redis_db, store)
    assert (again.run_id, again.created) == (first.run_id, False)
    assert waiting(redis_db) == []


@pytest.mark.parametrize(
    "other",
    [
        {"base_url": "http://other.test"},
        {"steps": (goto("/other"),)},
        {"priority": Priority.HIGH},
        {"user_id": "bob"},
        {"attempts": 1},
    ],
)
def test_a_key_that_was_used_for_something_else_is_refused(
    redis_db: Redis, store: MemoryStore, other: dict[str, Any]
) -> None:
    """Nothing is written, not even the case's new version."""
    submit(redis_db, store)
    with pytest.raises(IdempotencyConflictError, match="was used for another submission"):
        submit(redis_db, store, **other)
    assert len(waiting(redis_db)) == len(store.list_runs()) == 1
    assert [case.version for case in store.list_cases()] == [1]


def test_when_it_is_to_start_is_not_other_content(redis_db: Redis, store: MemoryStore) -> None:
    """A caller that tries again a second later means the same run."""
    first = submit(redis_db, store, delay_ms=60_000)
    assert submit(redis_db, store, delay_ms=59_000).run_id == first.run_id


def test_one_key_twice_in_one_submission_is_one_run(redis_db: Redis, store: MemoryStore) -> None:
    """The second request gets the first one's run; other content is refused."""
    producer = JobProducer(redis_db, store, Settings(_env_file=None))
    first, second = producer.submit([run_request(idempotency_key="k"), run_request(idempotency_key="k")])
    assert (first.run_id, first.created, second.created) == (second.run_id, True, False)
    with pytest.raises(IdempotencyConflictError):
        producer.submit(
            [run_request(idempotency_key="l"), run_request(idempotency_key="l", base_url="http://other.test")]
        )


class SlowStore(MemoryStore):
    """A store that waits in the middle of a submission, and then fails if it is asked to."""

    def __init__(self, *, fails: bool) -> None:
        super().__init__()
        self.fails = fails
        self.entered = threading.Event()
        self.open = threading.Event()

    def save_cases(self, cases: Sequence[Any]) -> list[Any]:
        self.entered.set()
        assert self.open.wait(20)
        if self.fails:
            raise StoreUnavailableError("Supabase is unavailable")
        return super().save_cases(cases)


@pytest.mark.parametrize("fails", [True, False])
def test_a_racer_waits_for_what_becomes_of_the_first(redis_db: Redis, store: MemoryStore, *, fails: bool) -> None:
    """It gets the first one's run when that is submitted, and makes one of its own when that fails."""
    slow, got, errors = SlowStore(fails=fails), [], []

    def first() -> None:
        try:
            got.append(submit(redis_db, slow))
        except StoreUnavailableError as error:
            errors.append(error)

    threads = [threading.Thread(target=first)]
    threads[0].start()
    assert slow.entered.wait(20)
    threads.append(threading.Thread(target=lambda: got.append(submit(redis_db, store))))
    threads[1].start()
    wait_until(
        lambda: redis_db.info("commandstats")["cmdstat_evalsha"]["calls"] > 2, what="a racer that looks again"
    )
    assert got == []
    slow.open.set()
    for thread in threads:
        thread.join(20)
    assert len(errors) == fails
    assert {run.run_id for run in got} == set(waiting(redis_db))
    assert len(got) == 2 - fails


def test_a_claim_whose_submitter_died_is_free_when_its_lease_ends(redis_db: Redis) -> None:
    """Until then others get the answer that it is busy."""
    assert await_claims(redis_db, [wanted("died")]) == {"died": "died"}
    assert 0 < claim_ttl(redis_db) <= LEASE_S
    with pytest.raises(IdempotencyBusyError, match="not ended within 0"):
        await_claims(redis_db, [wanted("next")], patience_s=0)
    redis_db.delete(wanted("died").key)  # as the lease's end does
    assert await_claims(redis_db, [wanted("next")]) == {"next": "next"}


def test_a_submission_that_lasts_keeps_its_claim(redis_db: Redis) -> None:
    """For longer than the lease of one that has died; it holds a claim that expired meanwhile again."""
    claim = wanted("slow")
    plan = SimpleNamespace(job_id="slow", claim=claim)
    with claimed(redis_db, [plan]):
        redis_db.delete(claim.key)  # as the lease's end does while Redis cannot be reached
        wait_until(lambda: redis_db.exists(claim.key), timeout=60, what="a renewed claim")
        assert redis_db.get(claim.key) == claim.for_enqueue.pending.encode()
        redis_db.expire(claim.key, 1)
        wait_until(lambda: redis_db.ttl(claim.key) > 1, timeout=60, what="a longer lease")
        redis_db.set(claim.key, "pending|another|d")
        renew_claims(redis_db, [claim])
        assert redis_db.get(claim.key) == b"pending|another|d"


def test_who_took_too_long_enqueues_nothing(
    redis_db: Redis, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lease ended, another claimed the key, and then it came to enqueue."""
    real = MemoryStore.save

    def slow(self: MemoryStore, records: Any) -> None:
        real(self, records)
        (key,) = redis_db.scan_iter("qa:idempotency:*")
        redis_db.set(key, "pending|another|d")

    monkeypatch.setattr(MemoryStore, "save", slow)
    with pytest.raises(IdempotencyBusyError, match="claimed by another"):
        submit(redis_db, store)
    assert (waiting(redis_db), store.list_runs()) == ([], [])
    assert claim_ttl(redis_db) == -1  # the other's claim stands


def test_a_claim_asked_for_again_after_a_lost_answer_is_still_one_s_own(redis_db: Redis) -> None:
    """The client sends a command again when the connection broke before its answer came."""
    assert await_claims(redis_db, [wanted("a")]) == await_claims(redis_db, [wanted("a")]) == {"a": "a"}


def test_only_one_s_own_claim_is_released(redis_db: Redis) -> None:
    """Another's run keeps its key."""
    await_claims(redis_db, [wanted("a")])
    release_claims(redis_db, {"b": wanted("b").key})
    assert redis_db.exists(wanted("a").key)
    release_claims(redis_db, {"a": wanted("a").key})
    assert not redis_db.exists(wanted("a").key)


def test_a_key_whose_run_was_deleted_with_its_case_makes_a_new_one(redis_db: Redis, store: MemoryStore) -> None:
    """No one is given a run that does not exist."""
    first = submit(redis_db, store)
    assert submit(redis_db, store).run_id == first.run_id
    store.delete_runs([first.run_id])
    second = submit(redis_db, store)
    assert (second.created, second.run_id != first.run_id) == (True, True)
    assert store.get_run(second.run_id) is not None
    assert submit(redis_db, store) == SubmittedRun(**{**vars(second), "created": False})
