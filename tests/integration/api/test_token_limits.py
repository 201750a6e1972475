"""Tokens that are limited to cases, tags or hosts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi.routing import APIRoute
from redis import Redis
from rq.job import Job
from rq.serializers import JSONSerializer

from qa_queue.api.pages import routes as pages
from qa_queue.auth.tokens import Role, TokenScope, TokenStore
from qa_queue.models import ArtifactKind, RunStatus
from qa_queue.services import Backend
from qa_queue.services.limited import _UNCHANGED, LimitedStore
from qa_queue.settings import load_settings
from qa_queue.store.mapping import IDS_PER_CALL
from qa_queue.store.memory import MemoryStore
from qa_queue.store.protocol import RunStore
from qa_queue.store.records import CaseRecord
from tests.support.records import (
    adaptation_row,
    artifact_record,
    case_record,
    finished_run,
    run_record,
    step_record,
)

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
        ("POST", "/schedules/x/run-now", None),
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


def test_a_token_reads_its_cases_only(
    limited: Limited, admin: httpx.Client, cases: dict[str, CaseRecord], store: MemoryStore, tmp_path: Path
) -> None:
    """Every operation and page that reads: what belongs to another case is in no list, and refused alone."""
    own, other = (_with_everything(store, admin, cases[name], tmp_path) for name in ("tagged", "other"))
    client = limited(tags=["smoke"])
    for template in _reading(admin):
        refused = client.get(path := template.format(**other))
        assert not [one for one in other.values() if one in refused.text and one not in path], template
        if "{" in template:
            assert refused.status_code == (404 if "batch" in template else 403), template
            assert client.get(template.format(**own)).status_code == _OWN.get(template, 200), template
    for listed, kind in _LISTS.items():
        assert own[kind] in client.get(listed).text, listed
        assert other[kind] in admin.get(listed).text, listed


def test_a_batch_shows_the_runs_of_its_cases_only(
    limited: Limited, cases: dict[str, CaseRecord], store: MemoryStore
) -> None:
    """With the verdict and the numbers of these."""
    batch, filler = str(uuid4()), [case_record(tags=("smoke",)) for _ in range(IDS_PER_CALL)]
    store.save_cases(filler)  # more than are read in one call
    own = finished_run(cases["tagged"], batch_id=batch)
    store.save([own, finished_run(cases["other"], RunStatus.FAILED, batch_id=batch)])
    for limits in ({"tags": ["smoke"]}, {"cases": ["tagged"]}):
        client = limited(**limits)
        found = client.get(f"/api/v1/batches/{batch}").json()
        assert (found["run_ids"], found["verdict"]) == ([own.id], "passed")
        (listed,) = client.get("/api/v1/batches").json()["batches"]
        assert (listed["total"], listed["verdict"]) == (1, "passed")
        assert [run["id"] for run in client.get("/api/v1/runs").json()["runs"]] == [own.id]


@pytest.mark.parametrize("prefix", ["/api/v1", ""])
def test_a_token_changes_batches_of_its_cases_only(
    limited: Limited, cases: dict[str, CaseRecord], store: MemoryStore, redis_db: Redis, prefix: str
) -> None:
    """If it covers every run of them, over the API as on the pages; its hosts go with a batch that it reruns."""
    own, mixed, foreign = (str(uuid4()) for _ in range(3))
    runs = {
        batch: [finished_run(cases[name], RunStatus.FAILED, batch_id=batch) for name in names]
        for batch, names in ((own, ["tagged"]), (mixed, ["tagged", "other"]), (foreign, ["other"]))
    }
    store.save(run for ones in runs.values() for run in ones)
    client = limited(tags=["smoke"], hosts=["shop.example"])
    for change in ("cancel", "pin", "unpin", "rerun"):
        made = client.post(f"{prefix}/batches/{own}/{change}")
        assert made.status_code < 400, made.text
        refused = client.post(f"{prefix}/batches/{mixed}/{change}")
        assert refused.status_code == 403
        assert f"does not cover every run of the batch {mixed}" in refused.text
        assert client.post(f"{prefix}/batches/{foreign}/{change}").status_code == 404
    untouched = [run.id for run in (*runs[mixed], *runs[foreign])]
    assert [store.get_run(run_id) for run_id in untouched] == [*runs[mixed], *runs[foreign]]
    (again,) = [run for run in store.list_runs() if run.batch_id not in runs]
    data = Job.fetch(again.id, connection=redis_db, serializer=JSONSerializer).kwargs["data"]
    assert (again.test_case_id, data["allowed_hosts"]) == (cases["tagged"].id, ["shop.example"])


def test_a_token_changes_runs_of_its_cases_on_the_pages(
    limited: Limited, cases: dict[str, CaseRecord], store: MemoryStore
) -> None:
    """As over the API."""
    own, other = (finished_run(cases[name], RunStatus.FAILED) for name in ("tagged", "other"))
    store.save([own, other])
    client = limited(tags=["smoke"])
    for change in ("cancel", "pin", "unpin", "rerun"):
        assert client.post(f"/runs/{own.id}/{change}").status_code == 303
        assert client.post(f"/runs/{other.id}/{change}").status_code == 403
    assert store.get_run(other.id) == other


def test_a_limited_administrator_has_no_rq_dashboard(url: str, redis_db: Redis) -> None:
    """It shows the jobs of all."""
    for scope, status in ((TokenScope(hosts=("shop.example",)), 403), (None, 200)):
        _, text = TokenStore(redis_db).create("root", Role.ADMIN, scope=scope)
        answer = httpx.get(f"{url}/rq/", headers={"Authorization": f"Bearer {text}"}, timeout=60)
        assert answer.status_code == status


def test_every_read_of_a_store_is_limited_or_named() -> None:
    """A method of the store is limited, named as one that tells of no case, or not to be had."""
    closed = {"count_rows", "count_runs", "delete_cases", "delete_patterns", "delete_runs", "knowledge",
              "knowledge_of_steps", "list_patterns", "save_learned"}  # fmt: skip
    every = {name for name in vars(RunStore) if not name.startswith("_")}
    assert every == {name for name in every if name in vars(LimitedStore)} | closed | set(_UNCHANGED)
    whole = LimitedStore(Backend(load_settings(), MemoryStore()), "ann", TokenScope(tags=("smoke",)))
    for name in closed:
        with pytest.raises(AttributeError, match=name):
            getattr(whole, name)


_OWN = {  # answers other than 200
    "/api/v1/runs/{run_id}/place": 404,  # it has ended
    "/runs/{run_id}/artifacts/{artifact_id}/trace": 303,  # to the viewer
    "/api/v1/queue/jobs/{job_id}": 403,  # of any queue
}
_LISTS = {
    "/api/v1/cases": "case_id",
    "/api/v1/runs": "run_id",
    "/api/v1/batches": "batch_id",
    "/api/v1/adaptations": "adaptation_id",
    "/api/v1/schedules": "schedule",
    "/": "run_id",
    "/batches": "batch_id",
    "/adaptations": "run_id",
    "/schedules": "schedule",
}
_ELSEWHERE = ("/api/v1/files/", "/api/v1/events", "/health", "/login", "/static", "/audit")


def _with_everything(store: MemoryStore, admin: httpx.Client, case: CaseRecord, folder: Path) -> dict[str, str]:
    """Store whatever may belong to a case; return the ids by the names of their parameters."""
    run = finished_run(case, RunStatus.FAILED, batch_id=str(uuid4()), error=f"error of {case.id}")
    row, trace = adaptation_row(run), artifact_record(run, kind=ArtifactKind.TRACE)
    store.save([run, step_record(run), trace, row])
    path = folder / "artifacts" / trace.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    made = admin.post("/api/v1/schedules", json={"name": f"of {case.id}", "cases": [case.id], "every": "9h"})
    ids = {"case_id": case.id, "run_id": run.id, "artifact_id": trace.id, "adaptation_id": row.id}
    return ids | {"batch_id": str(run.batch_id), "schedule": made.json()["id"], "job_id": run.id}


def _reading(admin: httpx.Client) -> Iterator[str]:
    """Yield the paths that only read: those of the API's document, and those of the pages."""
    for path, methods in admin.get("/api/v1/openapi.json").json()["paths"].items():
        if "get" in methods and not path.startswith(_ELSEWHERE):
            yield path
    for route in pages.routes.routes:
        if isinstance(route, APIRoute) and "GET" in route.methods and not route.path.startswith(_ELSEWHERE):
            yield route.path
