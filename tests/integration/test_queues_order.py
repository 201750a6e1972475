"""The order in which jobs are taken, by our worker and by RQ's own, and that none is ever nowhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis
from rq import Queue
from rq.exceptions import DequeueTimeout
from rq.job import Job
from rq.registry import ScheduledJobRegistry
from rq.scheduler import RQScheduler
from rq.serializers import JSONSerializer

from qa_queue.models import Priority
from qa_queue.queues.dequeue import ReservedJob, acknowledge, dequeue, release
from qa_queue.queues.enqueue import LOW_AGEING_S
from qa_queue.queues.keys import QueueKeys
from qa_queue.queues.priority_queue import PriorityQueue
from tests.support.poll import wait_until
from tests.support.queueing import QUEUE, add, add_specs, job_spec, manager, take_all, waiting

KEYS = QueueKeys(QUEUE)
OTHER = "cleanup"
LETTERS = {"u": Priority.URGENT, "h": Priority.HIGH, "n": Priority.NORMAL, "l": Priority.LOW}


def add_by_letter(connection: Redis, *run_ids: str) -> None:
    """Add runs one after another; the first letter of an id is its priority."""
    for run_id in run_ids:
        add(connection, run_id, LETTERS[run_id[0]])


def plain_queue(connection: Redis) -> Queue:
    """The queue as RQ alone knows it."""
    return Queue(QUEUE, connection=connection, serializer=JSONSerializer)


def intermediate(connection: Redis) -> list[bytes]:
    return connection.lrange(KEYS.intermediate, 0, -1)


def test_urgent_high_normal_low_and_first_come_first_served_within_each(redis_db: Redis) -> None:
    add_by_letter(redis_db, "l1", "n1", "u1", "h1", "n2", "u2", "l2", "h2")
    assert take_all(redis_db) == ["u1", "u2", "h1", "h2", "n1", "n2", "l1", "l2"]


def test_a_low_job_that_has_waited_long_is_no_longer_overtaken(redis_db: Redis) -> None:
    add_by_letter(redis_db, "l1", "n1")
    arrival_us = int(redis_db.get(KEYS.clock) or 0)
    redis_db.set(KEYS.clock, arrival_us + LOW_AGEING_S * 1_000_000)  # what comes now comes ten minutes later
    add_by_letter(redis_db, "n2", "h1")
    assert take_all(redis_db) == ["h1", "n1", "l1", "n2"]


def test_the_list_that_rq_shows_is_in_the_same_order(redis_db: Redis) -> None:
    add_by_letter(redis_db, "l1", "n1", "u1", "h1", "n2")
    assert waiting(redis_db) == ["u1", "h1", "n1", "n2", "l1"]
    assert plain_queue(redis_db).count == 5


def test_a_plain_rq_worker_takes_in_the_same_order(redis_db: Redis) -> None:
    add_by_letter(redis_db, "l1", "n1", "u1")
    taken = [
        Queue.dequeue_any([plain_queue(redis_db)], None, redis_db, serializer=JSONSerializer) for _ in range(3)
    ]
    assert [job.id for job, _ in filter(None, taken)] == ["u1", "n1", "l1"]


def test_jobs_added_after_a_plain_worker_took_some_still_find_their_place(redis_db: Redis) -> None:
    add_by_letter(redis_db, "n1", "n2", "l1")
    redis_db.lpop(KEYS.waiting)
    add_by_letter(redis_db, "h1", "n3", "u1")
    assert waiting(redis_db) == ["u1", "h1", "n2", "n3", "l1"]
    assert take_all(redis_db) == ["u1", "h1", "n2", "n3", "l1"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from("uhnlTP"), max_size=40))
def test_any_mix_of_adding_and_taking_keeps_the_order(redis_db: Redis, moves: str) -> None:
    """T takes as our worker does, P as RQ's own; a model sorted by priority says what must come."""
    redis_db.flushdb()
    model: list[str] = []
    for number, move in enumerate(moves):
        if move in LETTERS:
            add_by_letter(redis_db, f"{move}{number}")
            model = sorted([*model, f"{move}{number}"], key=lambda run_id: "uhnl".index(run_id[0]))
            continue
        found = dequeue(redis_db, [QUEUE], None) if move == "T" else redis_db.lpop(KEYS.waiting)
        expected = model.pop(0) if model else None
        assert (found.job_id if isinstance(found, ReservedJob) else found and found.decode()) == expected
    assert waiting(redis_db) == model


@pytest.mark.parametrize("count", [3, 40])
def test_jobs_added_together_enter_a_queue_at_their_places(redis_db: Redis, count: int) -> None:
    """Few are placed one by one, many by writing the list anew; both come to the same."""
    add_by_letter(redis_db, "u0", "n0", "l0")
    high = [job_spec(f"h{n}", priority=Priority.HIGH) for n in range(count)]
    normal = [job_spec(f"n-{n}") for n in range(count)]
    add_specs(redis_db, *normal, *high)
    expected = ["u0", *(f"h{n}" for n in range(count)), "n0", *(f"n-{n}" for n in range(count)), "l0"]
    assert waiting(redis_db) == expected
    assert take_all(redis_db) == expected


def test_a_job_requeued_by_rq_s_scheduler_gets_its_old_place(redis_db: Redis) -> None:
    """The scheduler pushes to the end with RQ's own queue class, which knows no priorities."""
    add_by_letter(redis_db, "h1", "n1", "n2")
    taken = dequeue(redis_db, [QUEUE], None)
    assert taken == ReservedJob(job_id="h1", queue=QUEUE)
    acknowledge(redis_db, taken)
    job = Job.fetch("h1", connection=redis_db, serializer=JSONSerializer)
    ScheduledJobRegistry(QUEUE, connection=redis_db).schedule(job, datetime(2020, 1, 1, tzinfo=UTC))
    scheduler = RQScheduler([QUEUE], connection=redis_db, serializer=JSONSerializer)
    scheduler.acquire_locks()
    scheduler.enqueue_scheduled_jobs()
    assert waiting(redis_db) == ["n1", "n2", "h1"]
    assert take_all(redis_db) == ["h1", "n1", "n2"]


def test_a_job_that_others_push_without_a_rank_is_normal(redis_db: Redis) -> None:
    add_by_letter(redis_db, "l1", "h1")
    plain_queue(redis_db).enqueue("processors.entry.clean_up", job_id="foreign", kwargs={"data": {}})
    add_by_letter(redis_db, "h2", "n1")
    assert take_all(redis_db) == ["h1", "h2", "foreign", "n1", "l1"]


def test_an_id_that_stands_in_the_list_twice_is_taken_once(redis_db: Redis) -> None:
    add_by_letter(redis_db, "n1", "n2")
    redis_db.rpush(KEYS.waiting, "n1")
    assert take_all(redis_db) == ["n1", "n2"]


def test_a_queue_whose_ranks_were_lost_keeps_its_jobs(redis_db: Redis) -> None:
    add_by_letter(redis_db, "l1", "n1", "u1")
    redis_db.delete(KEYS.scores)
    assert take_all(redis_db) == ["u1", "n1", "l1"]


def test_a_queue_that_rq_emptied_still_gives_what_others_push_later(redis_db: Redis) -> None:
    """Ranks without a job outnumber the list, and what is new has no rank."""
    add_by_letter(redis_db, "n1", "n2", "n3")
    plain_queue(redis_db).empty()
    plain_queue(redis_db).enqueue("processors.entry.clean_up", job_id="foreign", kwargs={"data": {}})
    assert dequeue(redis_db, [QUEUE], None) == ReservedJob(job_id="foreign", queue=QUEUE)
    assert redis_db.zcard(KEYS.scores) == 0


def test_an_id_whose_job_was_deleted_is_passed_over(redis_db: Redis) -> None:
    add_by_letter(redis_db, "n1", "n2")
    redis_db.delete("rq:job:n1")
    assert take_all(redis_db) == ["n2"]


def test_a_taken_job_stands_in_the_intermediate_list_until_it_is_acknowledged(redis_db: Redis) -> None:
    add_by_letter(redis_db, "n1")
    taken = dequeue(redis_db, [QUEUE], None)
    assert taken is not None
    assert (waiting(redis_db), intermediate(redis_db)) == ([], [b"n1"])
    acknowledge(redis_db, taken)
    assert intermediate(redis_db) == []


def test_a_job_requeued_goes_before_those_that_came_later(redis_db: Redis) -> None:
    add_by_letter(redis_db, "n1", "n2")
    taken = dequeue(redis_db, [QUEUE], None)
    assert taken is not None
    add_by_letter(redis_db, "n3")
    assert release(redis_db, taken)
    assert (waiting(redis_db), intermediate(redis_db)) == (["n1", "n2", "n3"], [])


def test_a_job_that_is_no_longer_intermediate_is_not_requeued(redis_db: Redis) -> None:
    """Else a worker that was thought dead would queue a job a second time."""
    add_by_letter(redis_db, "n1")
    taken = dequeue(redis_db, [QUEUE], None)
    assert taken is not None
    acknowledge(redis_db, taken)
    assert not release(redis_db, taken)
    assert waiting(redis_db) == []


def test_many_takers_share_the_jobs_without_loss_or_doubling(redis_db: Redis) -> None:
    add_specs(redis_db, *(job_spec(f"n{n}") for n in range(200)))
    taken: list[list[str]] = [[] for _ in range(8)]
    threads = [threading.Thread(target=lambda at=at: taken[at].extend(take_all(redis_db))) for at in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    every = [job_id for part in taken for job_id in part]
    assert sorted(every) == sorted(f"n{n}" for n in range(200))
    assert sorted(job_id.decode() for job_id in intermediate(redis_db)) == sorted(every)


def test_queues_are_served_in_the_order_given(redis_db: Redis) -> None:
    add_by_letter(redis_db, "u1")
    job = plain_queue(redis_db).create_job("processors.entry.clean_up", kwargs={"data": {}}, job_id="c1")
    PriorityQueue(OTHER, connection=redis_db).enqueue_job(job)
    assert dequeue(redis_db, [OTHER, QUEUE], None) == ReservedJob(job_id="c1", queue=OTHER)
    assert dequeue(redis_db, [OTHER, QUEUE], None) == ReservedJob(job_id="u1", queue=QUEUE)
    assert dequeue(redis_db, [OTHER, QUEUE], None) is None


def test_nothing_to_take_is_none_after_the_timeout(redis_db: Redis) -> None:
    assert dequeue(redis_db, [QUEUE], 0.05) is None
    assert dequeue(redis_db, [QUEUE, OTHER], 0.05) is None


@pytest.fixture
def blocked_taker(redis_db: Redis, redis_url: str, request: pytest.FixtureRequest) -> Iterator[list[object]]:
    """A thread that waits on empty queues; what it took and when is put into the list."""
    found: list[object] = []
    connection = Redis.from_url(redis_url)

    def take() -> None:
        found.extend((dequeue(connection, request.param, 20), time.monotonic()))

    thread = threading.Thread(target=take)
    thread.start()
    yield found
    thread.join()
    connection.close()


@pytest.mark.parametrize("blocked_taker", [[QUEUE]], indirect=True)
def test_a_taker_that_waits_on_one_queue_is_woken_by_redis(redis_db: Redis, blocked_taker: list[object]) -> None:
    """It blocks inside Redis, so nothing but the network stands between the job and its start."""
    wait_until(lambda: redis_db.info("clients")["blocked_clients"], what="a blocked taker")
    add_by_letter(redis_db, "l1")
    wait_until(lambda: blocked_taker, what="the job")
    assert blocked_taker[0] == ReservedJob(job_id="l1", queue=QUEUE)
    assert intermediate(redis_db) == [b"l1"]
    wait_until(lambda: redis_db.zcard(KEYS.scores) == 0, what="the rank gone too")


@pytest.mark.parametrize("blocked_taker", [[OTHER, QUEUE]], indirect=True)
def test_a_taker_that_waits_on_several_queues_gets_what_comes(redis_db: Redis, blocked_taker: list[object]) -> None:
    add_by_letter(redis_db, "n1")
    wait_until(lambda: blocked_taker, what="the job")
    assert blocked_taker[0] == ReservedJob(job_id="n1", queue=QUEUE)


def test_rq_s_workers_get_the_job_with_its_queue(redis_db: Redis) -> None:
    add_by_letter(redis_db, "n1", "u1")
    queue = manager(redis_db).get_queue(QUEUE)
    found = PriorityQueue.dequeue_any([queue], None, redis_db)
    assert found is not None
    assert (found[0].id, found[1]) == ("u1", queue)


def test_rq_s_workers_learn_that_nothing_came(redis_db: Redis) -> None:
    queue = manager(redis_db).get_queue(QUEUE)
    assert PriorityQueue.dequeue_any([queue], None, redis_db) is None
    with pytest.raises(DequeueTimeout):
        PriorityQueue.dequeue_any([queue], 1, redis_db)


@pytest.mark.parametrize("broken", [{"origin": QUEUE}, {"data": b"x", "created_at": "yesterday"}])
def test_a_job_that_cannot_be_read_stops_no_worker(redis_db: Redis, broken: dict[str, str]) -> None:
    """RQ's own workers end on it."""
    redis_db.hset("rq:job:n0", mapping=broken)  # type: ignore[arg-type]
    redis_db.rpush(KEYS.waiting, "n0")
    add_by_letter(redis_db, "n1")
    found = PriorityQueue.dequeue_any([manager(redis_db).get_queue(QUEUE)], None, redis_db)
    assert found is not None
    assert found[0].id == "n1"
    assert intermediate(redis_db) == [b"n1"]


def test_requeueing_at_the_front_goes_before_everything(redis_db: Redis) -> None:
    add_by_letter(redis_db, "u1")
    queue = manager(redis_db).get_queue(QUEUE)
    job = queue.create_job("processors.entry.execute_run", kwargs={"data": {}}, job_id=f"n{uuid4()}")
    queue.enqueue_job(job, at_front=True)
    assert take_all(redis_db) == [job.id, "u1"]


def test_removing_a_job_from_the_queue_leaves_no_rank_behind(redis_db: Redis) -> None:
    add_by_letter(redis_db, "n1", "n2")
    manager(redis_db).get_queue(QUEUE).remove("n1")
    assert waiting(redis_db) == ["n2"]
    assert redis_db.zrange(KEYS.scores, 0, -1) == [b"n2"]
