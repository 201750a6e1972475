"""Following a run by server-sent events, while it runs and afterwards; health and metrics."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from redis import Redis

from qa_queue.auth.tokens import Role
from qa_queue.models import RunStatus
from qa_queue.progress import ProgressWriter, stream_key
from qa_queue.store.memory import MemoryStore
from qa_queue.store.records import RunRecord
from tests.support.queueing import add, final, report
from tests.support.records import case_record, finished_run, run_record


@pytest.fixture
def run(store: MemoryStore) -> RunRecord:
    """A run that goes on."""
    case = case_record()
    run = run_record(case, status=RunStatus.RUNNING)
    store.save([case, run])
    return run


def events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """The events of a stream, each with its id and its report."""
    event: dict[str, Any] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if not line and event:
            yield event
            event = {}
        elif name == "data":
            event["report"] = json.loads(value)
        elif name == "id":
            event["id"] = value


def read_all(client: httpx.Client, run_id: str, last: str | None = None) -> list[dict[str, Any]]:
    headers = {"Last-Event-ID": last} if last else {}
    with client.stream("GET", f"/api/v1/runs/{run_id}/events", headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        return list(events(answer.iter_lines()))


def test_a_follower_gets_what_was_then_what_comes_and_then_the_end(
    reader: httpx.Client, redis_db: Redis, run: RunRecord
) -> None:
    """The stream ends on its own after the last report."""
    writer = ProgressWriter(redis_db)
    writer.write(run.id, report(run.id, 1))
    with reader.stream("GET", f"/api/v1/runs/{run.id}/events") as answer:
        coming = events(answer.iter_lines())
        assert next(coming)["report"]["current_step"] == 1
        writer.write(run.id, report(run.id, 2))
        assert next(coming)["report"]["current_step"] == 2
        writer.write(run.id, final(run.id))
        assert [event["report"]["status"] for event in coming] == ["completed"]


def test_a_follower_goes_on_behind_the_last_event_it_had(
    reader: httpx.Client, redis_db: Redis, run: RunRecord, store: MemoryStore
) -> None:
    """After the last one, 204 tells an EventSource to stop asking."""
    writer = ProgressWriter(redis_db)
    for step in (1, 2, 3):
        writer.write(run.id, report(run.id, step))
    writer.write(run.id, final(run.id))
    every = read_all(reader, run.id)
    assert [event["report"]["current_step"] for event in every] == [1, 2, 3, 4]
    assert read_all(reader, run.id, every[1]["id"]) == every[2:]
    store.update_run(run.id, status=RunStatus.COMPLETED)
    url = f"/api/v1/runs/{run.id}/events"
    assert reader.get(url, headers={"Last-Event-ID": every[-1]["id"]}).status_code == 204
    assert reader.get(url, headers={"Last-Event-ID": "nonsense"}).status_code == 422


def test_of_an_old_run_the_store_says_how_it_ended(reader: httpx.Client, store: MemoryStore) -> None:
    """When its reports are gone from Redis."""
    case = case_record()
    run = finished_run(
        case, RunStatus.FAILED, error="no button\nlog", total_steps=4, completed_steps=1, failed_steps=1
    )
    store.save([case, run])
    (event,) = read_all(reader, run.id)
    told = event["report"]
    assert (told["status"], told["message"], told["current_step"], told["percentage"]) == (
        "failed",
        "no button",
        2,
        50,
    )


@pytest.mark.parametrize(
    ("status", "counts"),
    [
        (RunStatus.ADAPTED, {"completed_steps": 5, "adapted_steps": 2}),
        (RunStatus.FAILED, {"completed_steps": 4, "adapted_steps": 4, "failed_steps": 1}),
    ],
)
def test_an_adapted_step_counts_once_in_the_last_report(
    reader: httpx.Client, store: MemoryStore, status: RunStatus, counts: dict[str, int]
) -> None:
    """`completed_steps` includes it: five steps are five, never six of five."""
    case = case_record()
    run = finished_run(case, status, total_steps=5, **counts)
    store.save([case, run])
    (event,) = read_all(reader, run.id)
    assert (event["report"]["current_step"], event["report"]["total_steps"]) == (5, 5)
    assert event["report"]["percentage"] == 100
    assert "id" not in event, "a report of the store has no place to go on from"


def test_many_followers_hold_up_no_one(
    client_of: Callable[[Role], httpx.Client], redis_db: Redis, run: RunRecord
) -> None:
    """Sixty streams of two tokens are open, more than there are threads, and other requests are answered."""
    readers = [client_of(Role.READ), client_of(Role.READ)]
    writer = ProgressWriter(redis_db)
    writer.write(run.id, report(run.id, 1))
    ended: list[int] = []
    begun = threading.Barrier(61)

    def follow(reader: httpx.Client) -> None:
        with httpx.stream(
            "GET", f"{reader.base_url}/api/v1/runs/{run.id}/events", headers=reader.headers, timeout=60
        ) as answer:
            coming = events(answer.iter_lines())
            next(coming)
            begun.wait(60)
            ended.append(len(list(coming)))

    threads = [threading.Thread(target=follow, args=(readers[number % 2],)) for number in range(60)]
    for thread in threads:
        thread.start()
    begun.wait(60)
    assert readers[0].get(f"/api/v1/runs/{run.id}").status_code == 200
    writer.write(run.id, final(run.id))
    for thread in threads:
        thread.join(60)
    assert ended == [1] * 60
    assert redis_db.exists(stream_key(run.id))


def test_metrics_are_what_the_queues_and_the_store_hold(
    reader: httpx.Client, redis_db: Redis, store: MemoryStore
) -> None:
    """In Prometheus's text format."""
    add(redis_db, "run-1")
    case = case_record()
    store.save([case, *(finished_run(case, running_ms=ms) for ms in (1000, 2000, 3000))])
    lines = reader.get("/metrics").text.splitlines()
    for line in (
        'qa_queue_jobs{queue="test-execution",state="waiting"} 1.0',
        'qa_queue_workers{queue="cleanup"} 0.0',
        'qa_queue_runs{status="completed"} 3.0',
        'qa_queue_recent_run_seconds{phase="running",quantile="0.5"} 2.0',
        "qa_queue_store_up 1.0",
    ):
        assert line in lines
    assert not any('phase="starting"' in line for line in lines)


def test_health_is_foreveryone(serve: Callable[..., str]) -> None:
    """Load balancers have no tokens."""
    url = serve()
    assert httpx.get(f"{url}/health/live").json() == {"status": "alive"}
    assert httpx.get(f"{url}/health/ready").json()["status"] == "ready"
