"""Limits on a real Redis: kept by the step that takes, and no one waits behind a limited job."""

from __future__ import annotations

import threading

import pytest
from redis import Redis

from qa_queue.errors import InputError
from qa_queue.models import Priority
from qa_queue.producer import JobProducer
from qa_queue.queues.cancellation import CancelOutcome, request_cancel
from qa_queue.queues.dequeue import ReservedJob, acknowledge, dequeue, release
from qa_queue.queues.events import record_event
from qa_queue.queues.limits import LimitRule, Limits, normal_key
from qa_queue.settings import Settings
from qa_queue.store.memory import MemoryStore
from tests.support.queueing import QUEUE, add_specs, job_spec, manager, run_request, take_all

SHOP = "site:shop.example"


def add(connection: Redis, *run_ids: str, keys: tuple[str, ...] = (SHOP,), **overrides: object) -> None:
    add_specs(connection, *(job_spec(run_id, limit_keys=keys, **overrides) for run_id in run_ids))


def start(connection: Redis) -> str | None:
    """Take a job and open its execution, as a worker does."""
    taken = dequeue(connection, [QUEUE], None)
    if taken is None:
        return None
    connection.hset(f"rq:job:{taken.job_id}", "status", "started")
    acknowledge(connection, taken)
    return taken.job_id


def end(connection: Redis, job_id: str) -> None:
    connection.hset(f"rq:job:{job_id}", "status", "finished")
    record_event(connection, QUEUE, job_id, "completed", {})


def pass_minute(connection: Redis, key: str = SHOP) -> None:
    """Let every start of a key lie 60 s further back."""
    for entry, score in connection.zrange(f"qa:starts:{key}", 0, -1, withscores=True):
        connection.zadd(f"qa:starts:{key}", {entry: score - 60_000_000})
    connection.zadd(f"qa:limited:{QUEUE}", {key: 0}, xx=True)


def test_no_more_than_allowed_run_at_once_and_others_are_not_held_up(redis_db: Redis) -> None:
    """The third of a limited site waits; what came behind it starts."""
    Limits(redis_db).put(SHOP, LimitRule(at_once=2))
    add(redis_db, "a", "b", "c", "d")
    add(redis_db, "free", keys=())
    assert [start(redis_db) for _ in range(4)] == ["a", "b", "free", None]
    stats = manager(redis_db).get_queue_stats(QUEUE)[QUEUE]
    assert (stats.waiting, stats.limited) == (2, 2)


def test_the_end_of_one_lets_the_next_start_in_order(redis_db: Redis) -> None:
    """First come, first served within the limit too, and the urgent before all."""
    Limits(redis_db).put(SHOP, LimitRule(at_once=1))
    add(redis_db, "a", "b", "c")
    assert [start(redis_db), start(redis_db)] == ["a", None]
    add(redis_db, "urgent", priority=Priority.URGENT)
    assert start(redis_db) is None
    order = []
    for last in ("a", "urgent", "b", "c"):
        end(redis_db, last)
        order.append(start(redis_db))
    assert order == ["urgent", "b", "c", None]


def test_a_taker_that_waits_is_woken_when_a_limit_lets_go(redis_db: Redis, redis_url: str) -> None:
    """The end of a run is announced."""
    Limits(redis_db).put(SHOP, LimitRule(at_once=1))
    add(redis_db, "a", "b")
    assert start(redis_db) == "a"
    assert start(redis_db) is None
    found: list[ReservedJob | None] = []
    with Redis.from_url(redis_url) as connection:
        thread = threading.Thread(target=lambda: found.append(dequeue(connection, [QUEUE], 30)))
        thread.start()
        end(redis_db, "a")
        thread.join(20)
    assert found == [ReservedJob(job_id="b", queue=QUEUE)]


def test_a_worker_that_died_with_a_limited_job_holds_up_no_one(redis_db: Redis) -> None:
    """Who runs is looked up in RQ's registries, not counted up and down; the next look comes within a second."""
    Limits(redis_db).put(SHOP, LimitRule(at_once=1))
    add(redis_db, "a", "b")
    assert start(redis_db) == "a"
    assert start(redis_db) is None
    redis_db.hset("rq:job:a", "status", "failed")  # by a recovery, and no one told of it
    taken = dequeue(redis_db, [QUEUE], 10)
    assert taken is not None
    assert taken.job_id == "b"


def test_a_job_requeued_frees_its_place(redis_db: Redis) -> None:
    """It did not start after all."""
    Limits(redis_db).put(SHOP, LimitRule(at_once=1))
    add(redis_db, "a", "b")
    taken = dequeue(redis_db, [QUEUE], None)
    assert taken is not None
    assert dequeue(redis_db, [QUEUE], None) is None
    assert release(redis_db, taken)
    assert [start(redis_db), start(redis_db)] == ["a", None]


def test_no_more_than_allowed_start_in_a_minute(redis_db: Redis) -> None:
    """Whether they have ended or not."""
    Limits(redis_db).put(SHOP, LimitRule(a_minute=2))
    add(redis_db, "a", "b", "c", "d", "e")
    for run_id in ("a", "b"):
        assert start(redis_db) == run_id
        end(redis_db, run_id)
    assert start(redis_db) is None
    pass_minute(redis_db)
    assert [start(redis_db) for _ in range(3)] == ["c", "d", None]


def test_a_run_that_two_limits_count_keeps_both(redis_db: Redis) -> None:
    """A site's and a user's."""
    limits = Limits(redis_db)
    limits.put(SHOP, LimitRule(at_once=2))
    limits.put("user:ann", LimitRule(at_once=1))
    for run_id, user in (("a", "ann"), ("b", "ann"), ("c", "bob"), ("d", "bob")):
        add(redis_db, run_id, keys=(SHOP, f"user:{user}"))
    assert [start(redis_db) for _ in range(3)] == ["a", "c", None]
    end(redis_db, "a")
    assert [start(redis_db), start(redis_db)] == ["b", None]


def test_a_rule_forevery_site_counts_each_alone(redis_db: Redis) -> None:
    """One of a site's own wins."""
    Limits(redis_db).put("site:*", LimitRule(at_once=1))
    Limits(redis_db).put("site:big.example", LimitRule(at_once=2))
    for run_id, site in (("a1", "a"), ("a2", "a"), ("b1", "b"), ("g1", "big"), ("g2", "big"), ("g3", "big")):
        add(redis_db, run_id, keys=(f"site:{site}.example",))
    assert [start(redis_db) for _ in range(5)] == ["a1", "b1", "g1", "g2", None]


def test_runs_with_the_same_lock_do_not_overlap(redis_db: Redis) -> None:
    """Without a rule; a rule may allow more of them."""
    for run_id, lock in (("a", "account"), ("b", "account"), ("c", "other")):
        add(redis_db, run_id, keys=(f"lock:{lock}",))
    assert [start(redis_db) for _ in range(3)] == ["a", "c", None]
    end(redis_db, "a")
    assert [start(redis_db), start(redis_db)] == ["b", None]
    Limits(redis_db).put("lock:account", LimitRule(at_once=2))
    add(redis_db, "d", "e", keys=("lock:account",))
    assert [start(redis_db), start(redis_db)] == ["d", None]


def test_a_submitted_run_is_counted_for_the_lock_of_its_case(redis_db: Redis) -> None:
    request = run_request(fields={"lock": "account"})
    (run,) = JobProducer(redis_db, MemoryStore(), Settings(_env_file=None)).submit(request)
    assert b"lock:account" in (redis_db.hget(f"rq:job:{run.run_id}", "qa_limits") or b"").split(b"\n")


def test_removing_a_rule_lets_everything_go(redis_db: Redis) -> None:
    """At once."""
    Limits(redis_db).put(SHOP, LimitRule(at_once=1))
    add(redis_db, "a", "b", "c")
    assert [start(redis_db), start(redis_db)] == ["a", None]
    assert Limits(redis_db).remove(SHOP)
    assert not Limits(redis_db).remove(SHOP)
    assert take_all(redis_db) == ["b", "c"]


def test_a_limited_job_can_be_cancelled(redis_db: Redis) -> None:
    """It never starts, and those behind it do."""
    Limits(redis_db).put(SHOP, LimitRule(at_once=1))
    add(redis_db, "a", "b", "c")
    assert [start(redis_db), start(redis_db)] == ["a", None]
    assert request_cancel(redis_db, ["b"]) == {"b": CancelOutcome.REMOVED}
    end(redis_db, "a")
    assert dequeue(redis_db, [QUEUE], 10) == ReservedJob(job_id="c", queue=QUEUE)
    assert manager(redis_db).get_queue_stats(QUEUE)[QUEUE].waiting == 0


def test_thousands_of_limited_jobs_hold_up_no_one(redis_db: Redis) -> None:
    """They are put aside in steps, so that Redis is not held up either."""
    Limits(redis_db).put(SHOP, LimitRule(at_once=1))
    add(redis_db, *[f"run-{n:04}" for n in range(2500)])
    add(redis_db, "free", keys=())
    assert start(redis_db) == "run-0000"
    taken = dequeue(redis_db, [QUEUE], 10)
    assert taken is not None
    assert taken.job_id == "free"
    assert manager(redis_db).get_queue_stats(QUEUE)[QUEUE].limited == 2499


def test_a_submitted_run_is_counted_for_its_site_and_its_user(redis_db: Redis) -> None:
    """Whatever the port and the path."""
    request = run_request(base_url="https://Shop.Example:8443/de", user_id="ann")
    (run,) = JobProducer(redis_db, MemoryStore(), Settings(_env_file=None)).submit(request)
    assert redis_db.hget(f"rq:job:{run.run_id}", "qa_limits") == b"site:shop.example\nuser:ann"


def test_the_rules_are_listed(redis_db: Redis) -> None:
    """As they were put."""
    rules = {SHOP: LimitRule(at_once=2, a_minute=30), "user:*": LimitRule(a_minute=5)}
    for key, rule in rules.items():
        Limits(redis_db).put(key, rule)
    assert Limits(redis_db).rules() == rules


@pytest.mark.parametrize(
    ("key", "rule"),
    [
        ("shop.example", LimitRule(at_once=1)),
        ("site:", LimitRule(at_once=1)),
        (SHOP, LimitRule(at_once=0)),
        (SHOP, LimitRule(a_minute=-1)),
        (SHOP, LimitRule()),
    ],
)
def test_a_rule_that_cannot_be_one_is_refused(redis_db: Redis, key: str, rule: LimitRule) -> None:
    """Nothing is set."""
    with pytest.raises(InputError):
        Limits(redis_db).put(key, rule)
    assert Limits(redis_db).rules() == {}


@pytest.mark.parametrize(
    ("key", "normal"),
    [
        ("site:Shop.Example", "site:shop.example"),
        ("site:[::1]", "site:::1"),
        ("site:*", "site:*"),
        ("user:CI bot", "user:CI bot"),
    ],
)
def test_a_site_is_limited_by_its_host_as_runs_are_counted(key: str, normal: str) -> None:
    assert normal_key(key) == normal


@pytest.mark.parametrize("key", ["site:127.0.0.1:8080", "site:https://shop.example", "site:", "shop", "site:a b"])
def test_a_rule_that_would_limit_nothing_is_refused(redis_db: Redis, key: str) -> None:
    with pytest.raises(InputError):
        Limits(redis_db).put(key, LimitRule(at_once=1))
    assert Limits(redis_db).rules() == {}
