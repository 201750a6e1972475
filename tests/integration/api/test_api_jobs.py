"""Jobs of any queue, limits, and the events of all queues, by HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from redis import Redis

from qa_queue.queues.dequeue import dequeue
from qa_queue.queues.events import PAGE, record_event
from qa_queue.queues.limits import LimitRule, Limits
from tests.support.queueing import QUEUE, add, manager

JOBS = "/api/v1/queue/cleanup/jobs"


def events(client: httpx.Client, last: str | None = "0", **params: Any) -> list[tuple[str, str, dict[str, Any]]]:
    """What is in the stream behind this event: id, kind, data."""
    headers = {"Last-Event-ID": last} if last else {}
    with client.stream("GET", "/api/events", params={"seconds": 0, **params}, headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        return list(parsed(answer.iter_lines()))


def parsed(lines: Iterator[str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    found: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if line:
            found[name] = value
        elif "data" in found:
            yield found["id"], found["event"], json.loads(found["data"])
            found = {}


def test_a_job_is_made_once_for_a_key_and_can_be_looked_at(admin: httpx.Client, redis_db: Redis) -> None:
    """201 and then 200; another payload under the key is refused."""
    headers = {"Idempotency-Key": "weekly"}
    body = {"data": {"dry_run": True}, "name": "Weekly", "metadata": {"asked by": "ann"}, "timeout_s": 60}
    made = admin.post(JOBS, json=body, headers=headers)
    again = admin.post(JOBS, json=body, headers=headers)
    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json()["job_id"] == again.json()["job_id"]
    assert admin.post(JOBS, json={"data": {"dry_run": False}}, headers=headers).status_code == 409
    job = admin.get(made.headers["Location"]).json()
    assert (job["status"], job["queue"], job["name"]) == ("waiting", "cleanup", "Weekly")
    assert (job["data"]["dry_run"], job["metadata"], job["result"]) == (True, {"asked by": "ann"}, None)
    assert manager(redis_db).get_queue_stats("cleanup")["cleanup"].waiting == 1


def test_a_payload_that_the_queue_does_not_take_is_reported(admin: httpx.Client, redis_db: Redis) -> None:
    """Field by field; runs are made elsewhere, and a queue that is not there is named."""
    answer = admin.post(JOBS, json={"data": {"keep_days": "many", "extra": 1}})
    assert answer.status_code == 422
    assert [problem["message"].split(":")[0] for problem in answer.json()["problems"]] == ["keep_days", "extra"]
    assert "JobProducer" in admin.post(f"/api/v1/queue/{QUEUE}/jobs", json={"data": {}}).json()["detail"]
    assert "Did you mean cleanup" in admin.post("/api/v1/queue/clean/jobs", json={"data": {}}).text
    assert manager(redis_db).get_queue_stats("cleanup")["cleanup"].total == 0


def test_jobs_are_made_by_administrators(runner: httpx.Client) -> None:
    """A clean-up deletes; and an unknown job is not there for anybody."""
    assert runner.post(JOBS, json={"data": {}}).status_code == 403
    assert runner.get("/api/v1/queue/jobs/nothing").status_code == 404


def test_what_stands_in_a_job_s_place_and_is_not_a_job_is_reported(reader: httpx.Client, redis_db: Redis) -> None:
    """It does not fail the service."""
    redis_db.hset("rq:job:odd", mapping={"data": b"no job", "created_at": "never"})
    answer = reader.get("/api/v1/queue/jobs/odd")
    assert (answer.status_code, "cannot be read" in answer.json()["detail"]) == (422, True)


def test_limits_are_set_listed_and_removed(admin: httpx.Client, redis_db: Redis) -> None:
    """Keys have colons and stars in them."""
    assert admin.get("/api/v1/limits").json() == {"limits": []}
    rule = {"key": "site:*", "at_once": 2, "a_minute": None}
    assert admin.put("/api/v1/limits/site:*", json={"at_once": 2}).json() == rule
    admin.put("/api/v1/limits/user:ann", json={"a_minute": 5})
    assert Limits(redis_db).rules() == {"site:*": LimitRule(at_once=2), "user:ann": LimitRule(a_minute=5)}
    assert [one["key"] for one in admin.get("/api/v1/limits").json()["limits"]] == ["site:*", "user:ann"]
    assert admin.delete("/api/v1/limits/site:*").json() == {"key": "site:*"}
    assert admin.delete("/api/v1/limits/site:*").status_code == 404


def test_a_limit_is_answered_by_the_key_that_counts(admin: httpx.Client, redis_db: Redis) -> None:
    """Hosts know no capitals."""
    assert admin.put("/api/v1/limits/site:Shop.Example", json={"at_once": 1}).json()["key"] == "site:shop.example"
    assert list(Limits(redis_db).rules()) == ["site:shop.example"]
    assert admin.delete("/api/v1/limits/site:SHOP.example").json() == {"key": "site:shop.example"}


@pytest.mark.parametrize(("key", "body"), [("shop", {"at_once": 1}), ("site:shop", {}), ("site:x", {"at_once": 0})])
def test_a_limit_that_cannot_be_one_is_refused(admin: httpx.Client, key: str, body: dict[str, Any]) -> None:
    """With what it should be."""
    assert admin.put(f"/api/v1/limits/{key}", json=body).status_code == 422


def test_limits_are_changed_by_administrators(runner: httpx.Client) -> None:
    """Others see them."""
    assert runner.put("/api/v1/limits/site:x", json={"at_once": 1}).status_code == 403
    assert runner.delete("/api/v1/limits/site:x").status_code == 403
    assert runner.get("/api/v1/limits").status_code == 200


def test_what_happened_on_the_queues_is_reported_from_the_last_event_on(
    reader: httpx.Client, redis_db: Redis
) -> None:
    """Of one queue and some kinds where asked."""
    add(redis_db, "run-1")
    dequeue(redis_db, [QUEUE], None)
    record_event(redis_db, QUEUE, "run-1", "active", {"attempt": 1})
    record_event(redis_db, "cleanup", "job-2", "active", {})
    every = events(reader)
    assert [(kind, data["queue"], data["job_id"]) for _, kind, data in every] == [
        ("waiting", QUEUE, "run-1"),
        ("active", QUEUE, "run-1"),
        ("active", "cleanup", "job-2"),
    ]
    assert every[1][2]["data"] == {"attempt": 1}
    assert events(reader, every[0][0]) == every[1:]
    assert events(reader, queue="cleanup") == every[2:]
    assert events(reader, event=["waiting"]) == every[:1]
    assert events(reader, last=None) == []


def test_a_stream_of_no_seconds_has_all_that_is_there(reader: httpx.Client, redis_db: Redis) -> None:
    """More than is read at once, and also where what was asked for is behind much else."""
    for number in range(2 * PAGE):
        record_event(redis_db, QUEUE, f"run-{number}", "active", {})
    record_event(redis_db, "cleanup", "job-2", "active", {})
    assert len(events(reader)) == 2 * PAGE + 1
    assert [data["job_id"] for _, _, data in events(reader, queue="cleanup")] == ["job-2"]


def test_what_happens_is_reported_as_it_happens(reader: httpx.Client, redis_db: Redis) -> None:
    """A follower without a last event gets what comes from now on."""
    add(redis_db, "before")
    with reader.stream("GET", "/api/events", params={"event": "waiting", "queue": QUEUE}) as answer:
        coming = parsed(answer.iter_lines())
        record_event(redis_db, QUEUE, "before", "active", {})
        add(redis_db, "after")
        assert next(coming)[2]["job_id"] == "after"


@pytest.mark.parametrize("params", [{"queue": "other"}, {"event": "nothing"}, {"seconds": -1}])
def test_a_stream_that_cannot_be_is_refused(reader: httpx.Client, params: dict[str, Any]) -> None:
    """Before it begins."""
    assert reader.get("/api/events", params=params).status_code == 422
