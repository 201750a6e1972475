"""Tokens that are limited to cases, tags or hosts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from redis import Redis
from rq.job import Job
from rq.serializers import JSONSerializer

from qa_queue.auth.tokens import Role, TokenScope, TokenStore
from qa_queue.store.memory import MemoryStore
from qa_queue.store.records import CaseRecord
from tests.support.records import case_record, run_record

INLINE = {
    "version": 1,
    "name": "Own",
    "base_url": "http://127.0.0.1:1",
    "tags": ["smoke"],
    "steps": [{"goto": "/"}],
}
Limited = Callable[..., httpx.Client]


@pytest.fixture
def limited(url: str, redis_db: Redis) -> Iterator[Limited]:
    """Returns a client whose token has these limits."""
    with ExitStack() as stack:

        def make(**limits: Any) -> httpx.Client:
            _, text = TokenStore(redis_db).create("ann", Role.RUN, scope=TokenScope(**limits))
            headers = {"Authorization": f"Bearer {text}"}
            return stack.enter_context(httpx.Client(base_url=url, headers=headers, timeout=20))

        yield make


@pytest.fixture
def cases(store: MemoryStore) -> dict[str, CaseRecord]:
    """A case with the tag and one without."""
    found = {
        name: case_record(key=name, tags=tags, definition={**INLINE, "name": name, "tags": list(tags)})
        for name, tags in (("tagged", ("smoke",)), ("other", ()))
    }
    store.save_cases(list(found.values()))
    return found


@pytest.mark.parametrize("limits", [{"tags": ["smoke"]}, {"cases": ["tagged"]}])
def test_a_token_starts_runs_of_its_cases_only(
    limited: Limited, cases: dict[str, CaseRecord], store: MemoryStore, limits: dict[str, Any]
) -> None:
    """Submitted alone, in a batch or again; a case of its own could have any name and tag, so it has none."""
    client, good, bad = limited(**limits), cases["tagged"].id, cases["other"].id
    made = client.post("/api/v1/runs", json={"case_id": good})
    assert made.status_code == 201
    assert client.post("/api/v1/runs", json={"case_id": bad}).status_code == 403
    refused = client.post("/api/v1/runs", json={"case": INLINE})
    assert (refused.status_code, refused.json()["detail"]) == (
        403,
        "The token of ann is limited to stored cases: give a `case_id`.",
    )
    both = {"runs": [{"case_id": good}, {"case_id": bad}]}
    assert client.post("/api/v1/runs/batch", json=both).status_code == 403
    run = run_record(cases["other"])
    store.save([run])
    assert client.post(f"/api/v1/runs/{run.id}/rerun").status_code == 403
    assert client.post("/api/v1/runs/rerun", json={"run_ids": [run.id]}).status_code == 403
    assert client.post(f"/api/v1/runs/{run.id}/cancel").status_code == 403
    assert client.post(f"/api/v1/runs/{run.id}/pin").status_code == 403
    own = made.json()["run_id"]
    assert client.post(f"/api/v1/runs/{own}/cancel").status_code == 200
    assert client.post(f"/api/v1/runs/{own}/rerun").status_code == 201


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/v1/cases", {"case": INLINE}),
        ("PUT", "/api/v1/cases/{id}", {"case": INLINE}),
        ("POST", "/api/v1/cases/{id}/duplicate", {"name": "copy"}),
        ("POST", "/api/v1/schedules", {"name": "often", "tag": "smoke", "every": "1h"}),
        ("POST", "/api/v1/adaptations/x/accept", {}),
        ("POST", "/batches/x/rerun", None),
    ],
)
def test_a_limited_token_changes_nothing_else(
    limited: Limited, cases: dict[str, CaseRecord], method: str, path: str, body: dict[str, Any] | None
) -> None:
    """Cases that it could change, and schedules, would start runs beyond its limits."""
    client = limited(tags=["smoke"])
    answer = client.request(method, path.format(id=cases["tagged"].id), json=body)
    assert answer.status_code == 403
    assert client.get("/api/v1/runs").status_code == 200


def test_the_hosts_of_a_token_travel_with_its_runs(
    limited: Limited, cases: dict[str, CaseRecord], redis_db: Redis
) -> None:
    """Also with those that it submits again; a worker applies them."""
    client = limited(hosts=["shop.example", "10.0.0.0/8"])
    made = client.post("/api/v1/runs", json={"case": INLINE}).json()["run_id"]
    again = client.post(f"/api/v1/runs/{made}/rerun").json()["run_id"]
    for run_id in (made, again):
        data = Job.fetch(run_id, connection=redis_db, serializer=JSONSerializer).kwargs["data"]
        assert data["allowed_hosts"] == ["shop.example", "10.0.0.0/8"]
