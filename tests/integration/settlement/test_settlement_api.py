"""The operation that the example adds: behind the same tokens, in the same document, with the same errors."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from qa_queue.api.app import create_app
from qa_queue.auth.tokens import Role, TokenStore
from qa_queue.extensions import catalogue
from qa_queue.services import Backend
from qa_queue.settings import Settings, load_settings
from qa_queue.store.memory import MemoryStore
from tests.support.packages import install, spec_module
from tests.support.queueing import manager
from tests.support.serving import serving

PATH = "/api/scan/verify"
ROUTER = """
from fastapi import APIRouter

def clash(backend):
    routes = APIRouter()
    routes.post("/runs")(lambda: None)
    return routes

def other(backend):
    return "no router"

def fails(backend):
    raise RuntimeError("no luck")

def nowhere(backend):
    routes = APIRouter()
    routes.get("")(lambda: None)
    return routes

def good(backend):
    routes = APIRouter(prefix="/parcels")
    routes.post("")(lambda: {"sent": True})
    routes.get("")(lambda: {"parcels": 0})
    return routes
"""


@pytest.fixture
def url(installed: Path, redis_db: Redis, redis_url: str, tmp_path: Path) -> Iterator[str]:
    settings = load_settings(redis_url=redis_url, qa_home=tmp_path)
    with serving(create_app(Backend(settings, MemoryStore()))) as found:
        yield found


@pytest.fixture
def client_of(url: str, redis_db: Redis) -> Any:
    def make(role: Role) -> httpx.Client:
        _, text = TokenStore(redis_db).create(role.value, role)
        return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {text}"}, timeout=20)

    return make


def body(key: str, **overrides: Any) -> dict[str, Any]:
    fields = {"user_id": "ann", "place_id": "cafe-7", "mission_id": "m-3", "amount": "12.50"}
    return fields | {"idempotency_key": key} | overrides


def test_a_scan_enqueues_its_settlement_once(client_of: Any, redis_db: Redis, key: str) -> None:
    """202, then 200 with the same job, then 409 for another settlement; the job can be looked at."""
    with client_of(Role.RUN) as runner:
        made, again = runner.post(PATH, json=body(key)), runner.post(PATH, json=body(key))
        assert (made.status_code, again.status_code) == (202, 200)
        assert again.json() == made.json() | {"created": False}
        assert runner.post(PATH, json=body(key, amount="12.51")).status_code == 409
        job = runner.get(made.headers["Location"]).json()
        assert (job["queue"], job["status"], job["data"]["amount"]) == ("settlement", "waiting", "12.50")
        assert job["name"] == "Settlement of 12.50 for ann"
    assert manager(redis_db).get_queue_stats("settlement")["settlement"].waiting == 1


@pytest.mark.parametrize("change", [{"amount": 12.5}, {"amount": "0"}, {"user_id": ""}, {"extra": 1}])
def test_a_scan_that_cannot_be_one_is_a_problem_document(client_of: Any, key: str, change: dict[str, Any]) -> None:
    """With the field that is wrong."""
    with client_of(Role.RUN) as runner:
        answer = runner.post(PATH, json=body(key, **change))
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["problems"][0]["path"] == next(iter(change))


def test_a_scan_needs_a_token_that_may_run(client_of: Any, url: str, key: str) -> None:
    """As every operation that makes something does."""
    assert httpx.post(f"{url}{PATH}", json=body(key)).status_code == 401
    with client_of(Role.READ) as reader:
        assert reader.post(PATH, json=body(key)).status_code == 403


def test_the_queue_is_steered_by_http_as_the_service_s_own(client_of: Any, redis_db: Redis, key: str) -> None:
    """Paused, counted, cleaned and resumed by its name."""
    with client_of(Role.ADMIN) as admin:
        assert admin.post("/api/v1/queue/settlement/pause").json()["paused"] is True
        admin.post(PATH, json=body(key))
        assert admin.get("/api/v1/queue/stats").json()["stats"]["waiting"] == 1
        assert 'qa_queue_jobs{queue="settlement",state="waiting"} 1.0' in admin.get("/metrics").text
        assert admin.post("/api/v1/queue/settlement/clean", json={}).json() == {"deleted": []}
        assert admin.post("/api/v1/queue/settlement/resume").json()["changed"] is True
        assert "settlement" in admin.get("/").text


def test_the_api_s_document_has_the_operation(url: str) -> None:
    """With its statuses, and the queue's name where names of queues are asked for."""
    document = httpx.get(f"{url}/api/v1/openapi.json").json()
    operation = document["paths"]["/api/v1/scan/verify"]["post"]
    assert {"200", "202", "401", "403", "409", "422", "429", "503"} <= operation["responses"].keys()
    assert operation["security"]
    (queue,) = document["paths"]["/api/v1/queue/{queue}/pause"]["post"]["parameters"]
    assert "settlement" in queue["schema"]["enum"]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("clash", "POST /runs is another operation already"),
        ("other", "made a str"),
        ("fails", "RuntimeError: no luck"),
        ("missing", "AttributeError"),
        ("nowhere", "cannot be documented"),
    ],
)
def test_a_router_that_cannot_be_used_is_reported_and_the_service_works_on(
    name: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With its package; the service's own operations are as they were."""
    document = _document_with(name, tmp_path, monkeypatch, caplog)
    assert f"The package post-{name} adds no operations" in caplog.text
    assert problem in caplog.text
    assert "Submit a run" in document["paths"]["/api/v1/runs"]["post"]["summary"]
    assert not any("parcels" in path for path in document["paths"])


def test_operations_of_a_package_that_names_no_role_need_one_all_the_same(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    redis_db: Redis,
    redis_url: str,
) -> None:
    """`read` to look, `run` to change anything; what they change is in the audit log."""
    document = _document_with("good", tmp_path, monkeypatch, caplog)
    assert document["paths"]["/api/v1/parcels"]["get"]["security"]
    store = MemoryStore()
    app = create_app(Backend(load_settings(redis_url=redis_url, qa_home=tmp_path), store))
    _, text = TokenStore(redis_db).create("reader", Role.READ)
    _, run_text = TokenStore(redis_db).create("runner", Role.RUN)
    with serving(app) as url, httpx.Client(base_url=url, headers={"Authorization": f"Bearer {text}"}) as reader:
        assert reader.get("/api/parcels").json() == {"parcels": 0}
        assert reader.post("/api/parcels").status_code == 403
        assert store.audit.list() == []
        assert reader.post("/api/parcels", headers={"Authorization": f"Bearer {run_text}"}).status_code == 200
    (row,) = store.audit.list()
    assert (row.actor, row.kind.value, row.object) == ("runner", "package.change", "POST /api/parcels")
    catalogue.cache_clear()


def _document_with(
    name: str, site: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> dict[str, Any]:
    """The API's document, with a package whose router is made by this function."""
    module = f"post_{name}"
    source = spec_module("parcels", module).replace("payload=", f'router="{module}:{name}", payload=') + ROUTER
    install(site, f"post-{name}", {"parcels": f"{module}:QUEUE"}, **{module: source})
    monkeypatch.syspath_prepend(site)
    catalogue.cache_clear()
    with caplog.at_level(logging.WARNING):
        document: dict[str, Any] = create_app(Backend(Settings(_env_file=None), MemoryStore())).openapi()
    if name != "good":
        catalogue.cache_clear()
    return document
