"""Batches by HTTP: made whole or not at all, seen as one, cancelled and made again."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
from redis import Redis

from qa_queue.models import RunStatus
from qa_queue.store.memory import MemoryStore
from tests.support.queueing import take_all, waiting


def case(name: str) -> dict[str, Any]:
    return {"version": 1, "name": name, "base_url": "http://127.0.0.1:1", "steps": [{"goto": "/"}]}


def submit(client: httpx.Client, *names: str, key: str | None = None) -> dict[str, Any]:
    headers = {"Idempotency-Key": key} if key else {}
    body = {"runs": [{"case": case(name)} for name in names]}
    answer = client.post("/api/runs/batch", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_batch_has_one_verdict_and_one_progress(runner: httpx.Client, store: MemoryStore) -> None:
    """While its runs wait, and when all have ended."""
    batch = submit(runner, "one", "two")
    ids = [run["run_id"] for run in batch["runs"]]
    url = f"/api/v1/batches/{batch['batch_id']}"
    waits = runner.get(url).json()
    assert (waits["verdict"], waits["total"], waits["ended"], waits["percentage"]) == ("running", 2, 0, 0)
    assert (set(waits["run_ids"]), waits["counts"]["queued"]) == (set(ids), 2)
    store.update_run(ids[0], status=RunStatus.COMPLETED)
    assert runner.get(url).json()["percentage"] == 50
    store.update_run(ids[1], status=RunStatus.FAILED)
    ended = runner.get(url).json()
    assert (ended["verdict"], ended["counts"]["failed"], ended["percentage"]) == ("failed", 1, 100)


def test_batches_are_listed_page_by_page(runner: httpx.Client) -> None:
    """The newest first; a run without a batch is in none."""
    made = [submit(runner, "one", "two")["batch_id"], submit(runner, "three")["batch_id"]]
    runner.post("/api/v1/runs", json={"case": case("alone")})
    first = runner.get("/api/v1/batches", params={"limit": 1}).json()
    assert [one["id"] for one in first["batches"]] == [made[1]]
    second = runner.get("/api/v1/batches", params={"limit": 1, "cursor": first["next"]}).json()
    assert [(one["id"], one["total"]) for one in second["batches"]] == [(made[0], 2)]
    assert second["next"] is None


def test_a_batch_with_bad_runs_makes_nothing(runner: httpx.Client, redis_db: Redis, store: MemoryStore) -> None:
    """Each of them is named by its place."""
    bodies = [{"case": case("good")}, {"case": {"version": 1}}, {"case_id": str(uuid4())}]
    answer = runner.post("/api/v1/runs/batch", json={"runs": bodies})
    assert answer.status_code == 422
    assert {problem["index"] for problem in answer.json()["problems"]} == {1, 2}
    assert (waiting(redis_db), store.list_runs(), runner.get("/api/v1/batches").json()["batches"]) == ([], [], [])


def test_a_batch_sent_again_with_its_key_is_the_one_made_before(runner: httpx.Client, redis_db: Redis) -> None:
    """The same id and the same runs."""
    first = submit(runner, "one", "two", key="nightly-1")
    again = submit(runner, "one", "two", key="nightly-1")
    assert again["batch_id"] == first["batch_id"]
    assert [run["run_id"] for run in again["runs"]] == [run["run_id"] for run in first["runs"]]
    assert not any(run["created"] for run in again["runs"])
    assert len(waiting(redis_db)) == 2


def test_a_batch_is_cancelled_as_one(runner: httpx.Client, redis_db: Redis, store: MemoryStore) -> None:
    """What waits never starts and says who cancelled it; asked again, nothing is left to cancel."""
    batch = submit(runner, "one", "two")
    url = f"/api/v1/batches/{batch['batch_id']}/cancel"
    assert set(runner.post(url).json()["outcomes"].values()) == {"removed"}
    assert take_all(redis_db) == []
    run = store.get_run(batch["runs"][0]["run_id"])
    assert run is not None
    assert (run.status, run.error) == (RunStatus.CANCELLED, "cancelled by run")
    assert runner.post(url).json()["outcomes"] == {}
    assert runner.get(f"/api/v1/batches/{batch['batch_id']}").json()["verdict"] == "cancelled"


def test_all_runs_of_a_batch_are_pinned_and_unpinned(runner: httpx.Client, store: MemoryStore) -> None:
    """And no other run."""
    batch, other = submit(runner, "one", "two"), submit(runner, "three", "four")
    ids = {run["run_id"] for run in batch["runs"]}
    for word, pinned in (("pin", ids), ("unpin", set())):
        answer = runner.post(f"/api/v1/batches/{batch['batch_id']}/{word}").json()
        assert (set(answer["run_ids"]), answer["pinned"]) == (ids, word == "pin")
        assert {run.id for run in store.list_runs() if run.pinned} == pinned
    assert other["batch_id"] != batch["batch_id"]


def test_only_the_failed_runs_of_a_batch_are_made_again(runner: httpx.Client, store: MemoryStore) -> None:
    """As a batch of their own; 409 when none failed."""
    batch = submit(runner, "good", "bad", "broken")
    url = f"/api/v1/batches/{batch['batch_id']}/rerun"
    assert runner.post(url).status_code == 409
    ends = (RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.DEAD)
    for run, status in zip(batch["runs"], ends, strict=True):
        store.update_run(run["run_id"], status=status)
    again = runner.post(url)
    assert again.status_code == 201
    assert {run["case"] for run in again.json()["runs"]} == {"bad", "broken"}
    assert again.json()["batch_id"] != batch["batch_id"]
    every = runner.post(url, json={"only_failed": False}).json()
    assert len(every["runs"]) == 3


def test_an_unknown_batch_is_reported(runner: httpx.Client, reader: httpx.Client) -> None:
    """And a reader cannot cancel any."""
    for path in (f"/api/v1/batches/{uuid4()}", "/api/v1/batches/nonsense"):
        assert runner.get(path).status_code == 404
        assert runner.post(f"{path}/cancel").status_code == runner.post(f"{path}/rerun").status_code == 404
        assert runner.post(f"{path}/pin").status_code == runner.post(f"{path}/unpin").status_code == 404
        assert reader.post(f"{path}/cancel").status_code == reader.post(f"{path}/pin").status_code == 403
