"""Queues by HTTP: counted, their dead letters handled, paused and cleaned."""

from __future__ import annotations

from uuid import uuid4

import httpx
import pytest
from redis import Redis

from qa_queue.models import RunStatus
from qa_queue.store.memory import MemoryStore
from tests.support.dead_letters import bury, dead_run
from tests.support.queueing import QUEUE, add, manager, snapshot, take_all, waiting


def test_stats_have_exactly_the_originals_shape(reader: httpx.Client, redis_db: Redis) -> None:
    """All queues together."""
    add(redis_db, "waits")
    bury(redis_db, "dead")
    answer = reader.get("/api/queue/stats").json()
    assert answer.keys() == {"status", "stats", "timestamp"}
    assert answer["status"] == "healthy"
    assert answer["stats"] == {"waiting": 1, "processing": 0, "dlq": 1, "delayed": 0, "total": 2}


def test_reading_changes_nothing_of_the_queues(reader: httpx.Client, redis_db: Redis) -> None:
    """Stats and dead letters leave Redis as it was."""
    add(redis_db, "waits")
    bury(redis_db, "dead")
    before = snapshot(redis_db)
    assert reader.get("/api/v1/queue/stats").status_code == reader.get("/api/v1/queue/failed").status_code == 200
    assert snapshot(redis_db) == before


def test_dead_letters_are_listed_in_the_originals_words(reader: httpx.Client, redis_db: Redis) -> None:
    """By range, the latest death first."""
    for number in range(3):
        bury(redis_db, f"run-{number}")
        redis_db.zincrby(f"rq:failed:{QUEUE}", number, f"run-{number}")
    answer = reader.get("/api/queue/failed", params={"start": 0, "end": 1}).json()
    assert (answer["count"], answer["range"]) == (2, {"start": 0, "end": 1})
    job = answer["jobs"][0]
    assert (job["id"], job["attempts"], job["data"]["test_run_id"]) == ("run-2", 3, "run-2")
    assert job["failedReason"] == "all attempts failed, 3 of them"
    assert [attempt["error"] for attempt in job["errors"]] == ["broken 1", "broken 2", "broken 3"]
    assert job["createdAt"]
    assert reader.get("/api/queue/failed", params={"queue": "cleanup"}).json()["jobs"] == []


def test_a_dead_letter_goes_back_on_its_queue_once(
    admin: httpx.Client, redis_db: Redis, store: MemoryStore
) -> None:
    """Its run lives again; asking again finds none."""
    run_id = str(uuid4())
    dead_run(store, run_id)
    bury(redis_db, run_id)
    answer = admin.post("/api/queue/dlq", json={"jobId": run_id})
    assert answer.json() == {"success": True, "jobId": run_id, "message": "Job is back on its queue"}
    assert waiting(redis_db) == [run_id]
    assert store.get_run(run_id).status is RunStatus.QUEUED
    assert admin.post("/api/queue/dlq", json={"jobId": run_id}).status_code == 404


def test_all_dead_letters_go_back_or_one_is_discarded(
    admin: httpx.Client, redis_db: Redis, store: MemoryStore
) -> None:
    """One whose run was deleted is refused and named."""
    run_id = str(uuid4())
    dead_run(store, run_id)
    bury(redis_db, run_id)
    bury(redis_db, "unknown")
    report = admin.post("/api/v1/queue/dlq/requeue-all", json={}).json()
    assert report["requeued"] == [run_id]
    assert "was deleted" in report["refused"]["unknown"]
    assert admin.delete("/api/v1/queue/dlq/unknown").json()["success"] is True
    assert admin.delete("/api/v1/queue/dlq/unknown").status_code == 404


def test_a_paused_queue_gives_nothing_until_it_is_resumed(admin: httpx.Client, redis_db: Redis) -> None:
    """Each says whether it changed anything."""
    add(redis_db, "run-1")
    paused = admin.post(f"/api/v1/queue/{QUEUE}/pause").json()
    assert paused == {"queue": QUEUE, "paused": True, "changed": True}
    assert admin.post(f"/api/v1/queue/{QUEUE}/pause").json()["changed"] is False
    assert take_all(redis_db) == []
    assert admin.post(f"/api/v1/queue/{QUEUE}/resume").json()["changed"] is True
    assert take_all(redis_db) == ["run-1"]
    assert admin.post("/api/v1/queue/other/pause").status_code == 422


def test_ended_jobs_are_deleted_by_kind(admin: httpx.Client, redis_db: Redis) -> None:
    """Only those of the kind asked for."""
    bury(redis_db, "dead")
    url = f"/api/v1/queue/{QUEUE}/clean"
    assert admin.post(url, json={}).json() == {"deleted": []}
    assert admin.post(url, json={"kind": "failed"}).json() == {"deleted": ["dead"]}
    assert manager(redis_db).get_queue_stats(QUEUE)[QUEUE].dlq == 0


@pytest.mark.parametrize("path", ["dlq", "dlq/requeue-all", f"{QUEUE}/pause", f"{QUEUE}/resume", f"{QUEUE}/clean"])
def test_changing_queues_is_for_administrators(runner: httpx.Client, path: str) -> None:
    """The role run is not enough."""
    assert runner.post(f"/api/v1/queue/{path}", json={"jobId": "x"} if path == "dlq" else {}).status_code == 403
