"""Cases by HTTP: stored, replaced, copied, looked at and deleted with all that is theirs."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from redis import Redis

from qa_queue.models import RunStatus
from qa_queue.store.memory import MemoryStore
from tests.support.queueing import take_all, waiting
from tests.support.records import case_record, finished_run, run_record

CASE = {"version": 1, "name": "Open the shop", "base_url": "http://127.0.0.1:1", "steps": [{"goto": "/"}]}
RECORDING = {
    "title": "Log in",
    "steps": [
        {"type": "navigate", "url": "http://127.0.0.1:1/login"},
        {"type": "click", "selectors": [["#go"]], "offsetX": 1, "offsetY": 1},
        {"type": "customStep", "name": "other", "parameters": {}},
    ],
}


def stored(client: httpx.Client, **overrides: Any) -> dict[str, Any]:
    answer = client.post("/api/v1/cases", json={"case": CASE | overrides})
    assert answer.status_code == 201
    return answer.json()


def test_a_case_is_stored_once_and_found_again(runner: httpx.Client) -> None:
    """A second one of the same name is a conflict."""
    case = stored(runner)
    assert runner.get(f"/api/v1/cases/{case['id']}").json() == case
    assert case["definition"]["steps"] == CASE["steps"]
    again = runner.post("/api/v1/cases", json={"case": CASE})
    assert again.status_code == 409
    assert case["id"] in again.json()["detail"]


def test_replacing_a_case_makes_its_next_version(runner: httpx.Client) -> None:
    """The same definition changes nothing; another case's is refused."""
    case = stored(runner)
    url = f"/api/v1/cases/{case['id']}"
    assert runner.put(url, json={"case": CASE}).json()["version"] == 1
    changed = runner.put(url, json={"case": CASE | {"steps": [{"goto": "/x"}]}})
    assert (changed.json()["version"], changed.json()["definition"]["steps"]) == (2, [{"goto": "/x"}])
    assert runner.put(url, json={"case": CASE | {"name": "Other"}}).status_code == 409
    assert runner.put("/api/v1/cases/none", json={"case": CASE}).status_code == 404


def test_a_copy_has_the_steps_and_another_name(runner: httpx.Client) -> None:
    """And an id of its own."""
    case = stored(runner)
    url = f"/api/v1/cases/{case['id']}/duplicate"
    copy = runner.post(url, json={"name": "Copy"})
    assert copy.status_code == 201
    assert (copy.json()["name"], copy.json()["definition"]["steps"]) == ("Copy", CASE["steps"])
    assert copy.json()["id"] != case["id"]
    assert runner.post(url, json={"name": "Copy"}).status_code == 409


def test_cases_are_listed_by_name_page_and_tag(runner: httpx.Client) -> None:
    """Without their steps."""
    for name in "dacb":
        stored(runner, name=name, tags=["odd"] if name in "ac" else [])
    first = runner.get("/api/v1/cases", params={"limit": 3}).json()
    rest = runner.get("/api/v1/cases", params={"limit": 3, "cursor": first["next"]}).json()
    assert [case["name"] for case in first["cases"] + rest["cases"]] == ["a", "b", "c", "d"]
    assert rest["next"] is None
    assert "definition" not in first["cases"][0]
    assert [case["name"] for case in runner.get("/api/v1/cases", params={"tag": "odd"}).json()["cases"]] == [
        "a",
        "c",
    ]


def test_looking_at_a_case_finds_everything_and_stores_nothing(reader: httpx.Client, store: MemoryStore) -> None:
    """Also a variable that no one sets."""
    bad = {"case": CASE | {"steps": [{"goto": 1}, {"clik": "#a"}]}}
    verdict = reader.post("/api/v1/cases/validate", json=bad).json()
    assert verdict["valid"] is False
    assert [problem["path"].split(".")[0] for problem in verdict["problems"]] == ["steps[0]", "steps[1]"]
    asking = {"case": CASE | {"steps": [{"goto": "/${env.PAGE}"}]}}
    assert "PAGE" in reader.post("/api/v1/cases/validate", json=asking).json()["problems"][0]["message"]
    good = reader.post("/api/v1/cases/validate", json=asking | {"env": {"PAGE": "x"}}).json()
    assert good == {"valid": True, "name": "Open the shop", "steps": 1, "problems": []}
    assert store.list_cases() == []


def test_a_recording_becomes_a_case_with_notes(runner: httpx.Client, store: MemoryStore) -> None:
    """As JSON and as YAML, both of which can be stored; what was not carried over is said."""
    made = runner.post("/api/v1/cases/import", json={"recording": RECORDING}).json()
    assert [next(iter(step)) for step in made["case"]["steps"]] == ["goto", "click"]
    assert any("customStep" in note for note in made["notes"])
    assert store.list_cases() == []
    assert made["case"]["notes"] == made["notes"]
    for document in (made["case"], made["yaml"]):
        assert runner.post("/api/v1/cases/validate", json={"case": document}).json()["valid"] is True
    assert runner.post("/api/v1/cases/import", json={"recording": {"a": 1}}).status_code == 422


@pytest.mark.parametrize("document", [{"a": {}}, "- 1", "a: [", "", {"steps": []}, {"steps": "x", "title": 1}])
def test_what_is_not_a_case_is_refused_and_never_breaks_anything(runner: httpx.Client, document: Any) -> None:
    """As a case and as a recording."""
    assert runner.post("/api/v1/cases", json={"case": document}).status_code == 422
    assert runner.post("/api/v1/cases/import", json={"recording": document}).status_code == 422


def test_a_document_nested_without_end_is_refused(runner: httpx.Client) -> None:
    """Before anything recursive sees it."""
    deep: Any = {}
    for _ in range(200):
        deep = {"within": deep}
    answer = runner.post("/api/v1/cases", json={"case": CASE | {"steps": [{"click": deep}]}})
    assert answer.status_code == 422
    assert "deep" in answer.json()["detail"]


def test_deleting_a_case_takes_its_runs_along(
    admin: httpx.Client, runner: httpx.Client, store: MemoryStore, redis_db: Redis
) -> None:
    """Those that wait are cancelled first; the answer counts them all."""
    case = stored(runner)
    store.save([finished_run(case["id"])])
    waits = runner.post("/api/v1/runs", json={"case_id": case["id"]}).json()["run_id"]
    assert runner.delete(f"/api/v1/cases/{case['id']}").status_code == 403
    assert admin.delete(f"/api/v1/cases/{case['id']}").json() == {"case_id": case["id"], "runs": 2}
    assert (store.get_case(case["id"]), store.get_run(waits), waiting(redis_db)) == (None, None, [])
    assert admin.delete(f"/api/v1/cases/{case['id']}").status_code == 404


def test_a_case_with_a_running_run_stays(admin: httpx.Client, store: MemoryStore, redis_db: Redis) -> None:
    """By its row, or because a worker has just taken the job."""
    case = case_record()
    store.save([case, run_record(case, status=RunStatus.RUNNING)])
    assert admin.delete(f"/api/v1/cases/{case.id}").status_code == 409
    taken = stored(admin)
    admin.post("/api/v1/runs", json={"case_id": taken["id"]})
    take_all(redis_db)
    assert admin.delete(f"/api/v1/cases/{taken['id']}").status_code == 409
    assert store.get_case(taken["id"]) is not None
