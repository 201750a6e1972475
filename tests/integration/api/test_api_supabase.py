"""The API over a real Supabase: from a case to its deletion."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest
from redis import Redis

from qa_queue.auth.tokens import Role, TokenStore
from qa_queue.local.process import LocalServer
from qa_queue.store.supabase import SupabaseStore

CASE = {"version": 1, "name": "By HTTP", "base_url": "http://127.0.0.1:1", "steps": [{"goto": "/"}]}


@pytest.fixture
def store(supabase: LocalServer) -> Iterator[SupabaseStore]:
    opened = SupabaseStore(supabase.url, supabase.key)
    yield opened
    opened.close()


@pytest.fixture
def admin(store: SupabaseStore, serve: Callable[..., str], redis_db: Redis) -> Iterator[httpx.Client]:
    """An administrator of a service on this Supabase."""
    token = TokenStore(redis_db).create("ann", Role.ADMIN)[1]
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=serve(store=store), headers=headers, timeout=60) as client:
        yield client


def test_a_case_its_runs_and_their_end(admin: httpx.Client) -> None:
    """Stored, run, listed by page, cancelled, counted and deleted with all its runs."""
    case_id = admin.post("/api/v1/cases", json={"case": CASE}).json()["id"]
    batch = admin.post("/api/v1/runs/batch", json={"runs": [{"case_id": case_id}] * 3}).json()["runs"]
    ids = {run["run_id"] for run in batch}
    first = admin.get("/api/v1/runs", params={"case": case_id, "limit": 2, "user": "ann"}).json()
    rest = admin.get("/api/v1/runs", params={"case": case_id, "cursor": first["next"]}).json()
    assert {run["id"] for run in first["runs"] + rest["runs"]} == ids
    assert len(first["runs"]) == 2
    cancelled = batch[0]["run_id"]
    assert admin.post(f"/api/v1/runs/{cancelled}/cancel").json()["outcome"] == "removed"
    assert admin.get(f"/api/v1/runs/{cancelled}").json()["status"] == "cancelled"
    assert "qa_queue_store_up 1.0" in admin.get("/metrics").text
    assert admin.delete(f"/api/v1/cases/{case_id}").json() == {"case_id": case_id, "runs": 3}
    assert admin.get(f"/api/v1/runs/{cancelled}").status_code == 404
