"""Runs by HTTP: made, listed, followed by their parts, cancelled and made again."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from redis import Redis
from rq.job import Job
from rq.serializers import JSONSerializer

from qa_queue.auth.tokens import Role, TokenStore
from qa_queue.models import Priority, RunStatus
from qa_queue.store.memory import MemoryStore
from tests.support.queueing import take_all, waiting
from tests.support.records import NOON, artifact_record, case_record, finished_run, run_record, step_record

CASE = {"version": 1, "name": "Open the shop", "base_url": "http://127.0.0.1:1", "steps": [{"goto": "/"}]}
HALF = "\ud800"
YAML = "version: 1\nname: In words\nsteps:\n- goto: http://127.0.0.1:1/\n- clik: '#go'\n"


def body(**overrides: Any) -> dict[str, Any]:
    return {"case": CASE, **overrides}


def payload(redis_db: Redis, run_id: str) -> dict[str, Any]:
    """What the run's job carries."""
    return Job.fetch(run_id, connection=redis_db, serializer=JSONSerializer).kwargs["data"]


def test_a_run_is_made_with_its_row_and_its_job(runner: httpx.Client, store: MemoryStore, redis_db: Redis) -> None:
    """The answer names both, and where to look."""
    answer = runner.post("/api/v1/runs", json=body(priority="urgent", config={"trace": "on"}))
    assert answer.status_code == 201
    made = answer.json()
    assert made == {"run_id": made["run_id"], "job_id": made["run_id"], "case": "Open the shop", "created": True}
    assert answer.headers["location"] == f"/api/v1/runs/{made['run_id']}"
    run = store.get_run(made["run_id"])
    assert run is not None
    assert (run.user_id, run.priority, run.config["trace"]) == ("run", Priority.URGENT, "on")
    assert waiting(redis_db) == [made["run_id"]]
    assert runner.get(answer.headers["location"]).json()["status"] == "queued"


def test_the_originals_paths_lead_to_the_same_operations(runner: httpx.Client) -> None:
    """Without the version prefix."""
    run_id = runner.post("/api/runs", json=body()).json()["run_id"]
    assert runner.get(f"/api/runs/{run_id}").json() == runner.get(f"/api/v1/runs/{run_id}").json()


def test_a_case_is_taken_as_yaml_too_and_its_mistakes_have_lines(runner: httpx.Client, store: MemoryStore) -> None:
    """Every problem has its path and line; nothing is written."""
    answer = runner.post("/api/v1/runs", json={"case": YAML})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()["problems"][0]
    assert (problem["path"], problem["line"], problem["index"]) == ("steps[1].clik", 5, 0)
    assert "did you mean 'click'?" in problem["message"]
    assert store.list_cases() == []
    good = runner.post("/api/v1/runs", json={"case": YAML.replace("clik", "click")})
    assert good.json()["case"] == "In words"


def test_a_stored_case_is_run_by_its_id(runner: httpx.Client, store: MemoryStore) -> None:
    """And one that is not there is refused."""
    case_id = runner.post("/api/v1/cases", json={"case": CASE}).json()["id"]
    run_id = runner.post("/api/v1/runs", json={"case_id": case_id}).json()["run_id"]
    assert store.get_run(run_id).test_case_id == case_id
    unknown = runner.post("/api/v1/runs", json={"case_id": "no such"})
    assert unknown.status_code == 422
    assert "there is no case 'no such'" in unknown.json()["problems"][0]["message"]


def test_a_run_takes_a_seed_and_one_row_of_its_data(runner: httpx.Client, redis_db: Redis) -> None:
    """A row by its number or its name; a case with several rows needs one, and an unknown row is refused."""
    case = {**CASE, "data": [{"user": "ann"}, {"name": "Bob", "user": "bob"}]}
    for row, name in ((1, "user=ann"), ("Bob", "Bob")):
        answer = runner.post("/api/v1/runs", json=body(case=case, row=row, seed="5eed"))
        assert answer.status_code == 201
        data = payload(redis_db, answer.json()["run_id"])
        assert (data["data_row"]["name"], data["seed"]) == (name, "5eed")
    refused = runner.post("/api/v1/runs", json=body(case=case))
    assert (refused.status_code, "give a `row`" in refused.text) == (422, True)
    for wanted, words in ((3, "; known are Bob, user=ann"), ("Bop", "; did you mean 'Bob'?")):
        missing = runner.post("/api/v1/runs", json=body(case=case, row=wanted))
        assert missing.status_code == 422
        assert (
            f"row '{wanted}' is not a row of data of Open the shop{words}"
            in missing.json()["problems"][0]["message"]
        )
    alone = runner.post("/api/v1/runs", json=body(row=1))
    assert "it has no rows" in alone.json()["problems"][0]["message"]


def test_one_idempotency_key_makes_one_run_however_many_race(runner: httpx.Client, store: MemoryStore) -> None:
    """One answer is 201, the others are 200 with the same run."""
    headers = {"Idempotency-Key": "deploy-1"}
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: runner.post("/api/v1/runs", json=body(), headers=headers), range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert len({answer.json()["run_id"] for answer in answers}) == 1
    assert len(store.list_runs()) == 1


def test_an_idempotency_key_of_another_request_is_a_conflict(runner: httpx.Client) -> None:
    """The first run stays; a request that was refused leaves its key free."""
    headers = {"Idempotency-Key": "k"}
    assert runner.post("/api/v1/runs", json=body(case="nothing"), headers=headers).status_code == 422
    assert runner.post("/api/v1/runs", json=body(), headers=headers).status_code == 201
    other = runner.post("/api/v1/runs", json=body(priority="low"), headers=headers)
    assert other.status_code == 409
    assert "used for another submission" in other.json()["detail"]


def test_a_batch_is_all_or_nothing_and_names_every_bad_item(
    runner: httpx.Client, store: MemoryStore, redis_db: Redis
) -> None:
    """By index, each with what is wrong."""
    bad = [body(), {"case": {"name": "x"}}, body(), {"case_id": "none"}]
    answer = runner.post("/api/v1/runs/batch", json={"runs": bad})
    assert answer.status_code == 422
    assert {problem["index"] for problem in answer.json()["problems"]} == {1, 3}
    assert (store.list_runs(), waiting(redis_db)) == ([], [])
    good = runner.post("/api/v1/runs/batch", json={"runs": [body(), body(priority="high")]})
    assert good.status_code == 201
    assert [run["created"] for run in good.json()["runs"]] == [True, True]
    assert set(waiting(redis_db)) == {run["run_id"] for run in good.json()["runs"]}


def test_the_services_environment_and_files_are_not_for_callers(
    runner: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`${env.X}` takes the request's values alone, and an upload of the worker's files is refused."""
    monkeypatch.setenv("CLOUD_KEY", "not for anyone")
    asking = {**CASE, "steps": [{"goto": "/${env.CLOUD_KEY}"}]}
    refused = runner.post("/api/v1/runs", json={"case": asking})
    assert refused.status_code == 422
    assert "CLOUD_KEY" in refused.json()["problems"][0]["message"]
    assert runner.post("/api/v1/runs", json={"case": asking, "env": {"CLOUD_KEY": "mine"}}).status_code == 201
    uploading = {**CASE, "steps": [{"upload": {"target": "#f", "files": ["/etc/passwd"]}}]}
    assert (
        "submit it with" in runner.post("/api/v1/runs", json={"case": uploading}).json()["problems"][0]["message"]
    )


@pytest.mark.parametrize(
    "change",
    [
        {"steps": [{"goto": "file:///etc/passwd"}]},
        {"base_url": "file:///etc/"},
        {"steps": [{"goto": "chrome://gpu"}]},
    ],
)
def test_a_case_with_a_local_scheme_is_refused(
    runner: httpx.Client, store: MemoryStore, redis_db: Redis, change: dict[str, Any]
) -> None:
    """Whether it is to run, to be stored or to be checked: nothing is written."""
    case = {**CASE, **change}
    answers = [
        runner.post("/api/v1/runs", json={"case": case}),
        runner.post("/api/v1/runs/batch", json={"runs": [{"case": case}]}),
        runner.post("/api/v1/cases", json={"case": case}),
    ]
    for answer in answers:
        assert answer.status_code == 422
        assert "which a case may not open" in answer.json()["problems"][0]["message"]
    assert not runner.post("/api/v1/cases/validate", json={"case": case}).json()["valid"]
    assert runner.post("/api/v1/runs", json={"case": CASE, "base_url": "file:///etc/"}).status_code == 422
    assert (store.list_runs(), store.list_cases(), waiting(redis_db)) == ([], [], [])


def test_runs_are_listed_by_filter_and_page(reader: httpx.Client, store: MemoryStore) -> None:
    """A cursor meets each run once, also where two were queued at the same moment."""
    cases = [case_record(), case_record()]
    runs = [
        run_record(cases[n % 2], queued_at=NOON + timedelta(seconds=n // 2), user_id=f"user {n % 3}")
        for n in range(7)
    ]
    store.save([*cases, *runs, finished_run(cases[0], RunStatus.FAILED, queued_at=NOON - timedelta(days=1))])
    met: list[str] = []
    page = reader.get("/api/v1/runs", params={"limit": 3, "status": "queued"}).json()
    while True:
        met += [run["id"] for run in page["runs"]]
        if page["next"] is None:
            break
        page = reader.get("/api/v1/runs", params={"limit": 3, "status": "queued", "cursor": page["next"]}).json()
    assert met == [run.id for run in sorted(runs, key=lambda run: (run.queued_at, run.id), reverse=True)]

    def ids(**params: Any) -> set[str]:
        return {run["id"] for run in reader.get("/api/v1/runs", params=params).json()["runs"]}

    assert ids(user="user 1") == {run.id for run in runs[1::3]}
    assert ids(case=cases[1].id) == {run.id for run in runs[1::2]}
    assert ids(since="2026-01-08T13:00:02+01:00") == {run.id for run in runs[4:]}
    assert len(ids(status=["queued", "failed"])) == 8
    assert reader.get("/api/v1/runs", params={"cursor": "x"}).status_code == 422
    assert reader.get("/api/v1/runs", params={"since": "yesterday"}).status_code == 422


def test_steps_and_files_of_a_run(reader: httpx.Client, store: MemoryStore, tmp_path: Path) -> None:
    """Pictures are shown in place; what could be a page is only ever saved."""
    case = case_record()
    run = run_record(case)
    picture = artifact_record(run, "a.png")
    page = artifact_record(run, "b.html", content_type="text/html", kind="report")
    outside = artifact_record(run, "c.png", path="../secret")
    store.save([case, run, step_record(run, 2), step_record(run, 1), picture, page, outside])
    folder = tmp_path / "artifacts" / run.id / "1"
    folder.mkdir(parents=True)
    (folder / "a.png").write_bytes(b"picture")
    (folder / "b.html").write_text("<script>")
    (tmp_path / "secret").write_text("s")
    steps = reader.get(f"/api/v1/runs/{run.id}/steps").json()["steps"]
    assert [step["number"] for step in steps] == [1, 2]
    listed = {one["name"]: one["url"] for one in reader.get(f"/api/v1/runs/{run.id}/artifacts").json()["artifacts"]}
    assert reader.get(listed["a.png"]).content == b"picture"
    shown, saved = reader.get(listed["a.png"]).headers, reader.get(listed["b.html"]).headers
    assert shown["content-disposition"].startswith("inline")
    assert saved["content-disposition"].startswith("attachment")
    assert saved["content-type"] == "application/octet-stream"
    assert reader.get(listed["c.png"]).status_code == 404
    assert reader.get(f"/api/v1/runs/{run.id}/artifacts/other").status_code == 404


def test_a_link_to_a_file_needs_no_login_until_it_expires(
    reader: httpx.Client, url: str, store: MemoryStore, redis_db: Redis, tmp_path: Path
) -> None:
    """Only this file, and a text that Redis does not know opens nothing."""
    case = case_record()
    run = run_record(case)
    picture = artifact_record(run, "a.png")
    store.save([case, run, picture])
    folder = tmp_path / "artifacts" / run.id / "1"
    folder.mkdir(parents=True)
    (folder / "a.png").write_bytes(b"picture")
    at = f"/api/v1/runs/{run.id}/artifacts/{picture.id}/links"
    link = reader.post(at, params={"expires_in_s": 60}).json()
    assert httpx.get(link["url"]).content == b"picture"
    assert httpx.get(f"{url}/api/v1/runs/{run.id}/artifacts/{picture.id}").status_code == 401
    assert httpx.get(f"{url}/api/v1/files/{'x' * 43}").status_code == 404
    ticket = link["url"].rsplit("/", 1)[1]
    (key,) = redis_db.keys("qa:file:*")
    assert ticket not in key.decode()
    assert 0 < redis_db.ttl(key) <= 60
    redis_db.expire(key, 0)
    assert httpx.get(link["url"]).status_code == 404
    assert reader.post(at, params={"expires_in_s": 1}).status_code == 422
    assert reader.post(at.replace(picture.id, "other")).status_code == 404


def test_a_file_of_another_machine_comes_from_the_artifact_store(
    serve: Callable[..., str], redis_db: Redis, store: MemoryStore, tmp_path: Path
) -> None:
    """An unavailable store is an outage, not a missing file."""
    share = tmp_path / "share"
    case = case_record()
    run = run_record(case)
    picture = artifact_record(run, "a.png")
    store.save([case, run, picture])
    url = serve(qa_artifacts=share.as_uri())
    _, token = TokenStore(redis_db).create("someone", Role.READ)
    at = f"{url}/api/v1/runs/{run.id}/artifacts/{picture.id}"
    headers = {"Authorization": f"Bearer {token}"}
    answer = httpx.get(at, headers=headers)
    assert (answer.status_code, str(share) in answer.text) == (503, True)
    (share / run.id / "1").mkdir(parents=True)
    (share / run.id / "1" / "a.png").write_bytes(b"picture")
    assert httpx.get(at, headers=headers).content == b"picture"


@pytest.mark.parametrize("part", ["", "/steps", "/artifacts", "/events", "/artifacts/x"])
def test_an_unknown_run_is_not_found(reader: httpx.Client, part: str) -> None:
    """Whatever of it is asked for."""
    answer = reader.get(f"/api/v1/runs/nothing{part}")
    assert (answer.status_code, answer.json()["title"]) == (404, "Not Found")
    assert "there is no run 'nothing'" in answer.json()["detail"]


def test_a_waiting_run_is_cancelled_for_good(runner: httpx.Client, store: MemoryStore, redis_db: Redis) -> None:
    """Its row says by whom; asking again does no harm; a running one is asked to stop."""
    waits = runner.post("/api/v1/runs", json=body()).json()["run_id"]
    url = f"/api/v1/runs/{waits}/cancel"
    assert runner.post(url).json() == {"run_id": waits, "outcome": "removed"}
    assert runner.post(url).json()["outcome"] == "already_finished"
    run = store.get_run(waits)
    assert (run.status, run.error) == (RunStatus.CANCELLED, "cancelled by run")
    taken = runner.post("/api/v1/runs", json=body()).json()["run_id"]
    assert take_all(redis_db) == [taken]
    assert runner.post(f"/api/v1/runs/{taken}/cancel").json()["outcome"] == "signalled"


def test_a_run_is_pinned_and_unpinned(runner: httpx.Client, reader: httpx.Client, store: MemoryStore) -> None:
    """As often as one likes; the run says which it is."""
    run_id = runner.post("/api/v1/runs", json=body()).json()["run_id"]
    url = f"/api/v1/runs/{run_id}"
    for word, pinned in (("pin", True), ("pin", True), ("unpin", False)):
        assert runner.post(f"{url}/{word}").json() == {"run_ids": [run_id], "pinned": pinned}
        assert reader.get(url).json()["pinned"] is pinned
        assert reader.post(f"{url}/{word}").status_code == 403
        assert runner.post(f"/api/v1/runs/{uuid4()}/{word}").status_code == 404


def test_a_run_is_made_again_as_it_was(runner: httpx.Client, store: MemoryStore, redis_db: Redis) -> None:
    """Same host, settings, priority and values of its variables; once those are gone they must be given."""
    case = {**CASE, "steps": [{"goto": "/${env.PAGE}"}]}
    asked = {"case": case, "env": {"PAGE": "a"}, "priority": "high", "base_url": "http://127.0.0.1:2"}
    first = runner.post("/api/v1/runs", json=asked).json()["run_id"]
    again = runner.post(f"/api/v1/runs/{first}/rerun")
    assert again.status_code == 201
    run = store.get_run(again.json()["run_id"])
    assert (run.base_url, run.priority) == ("http://127.0.0.1:2", Priority.HIGH)
    assert payload(redis_db, run.id)["env"] == {"PAGE": "a"}
    redis_db.delete(f"rq:job:{first}")
    assert runner.post(f"/api/v1/runs/{first}/rerun").status_code == 422
    given = runner.post(f"/api/v1/runs/{first}/rerun", json={"env": {"PAGE": "b"}}).json()["run_id"]
    assert payload(redis_db, given)["env"] == {"PAGE": "b"}


def test_a_changed_case_gets_no_values_of_an_earlier_run(
    runner: httpx.Client, admin: httpx.Client, redis_db: Redis
) -> None:
    """It could send them to a server of the caller's; an unchanged one sends them where the user did."""
    case = {**CASE, "steps": [{"goto": "/${env.PAGE}"}]}
    first = admin.post("/api/v1/runs", json={"case": case, "env": {"PAGE": "theirs"}}).json()["run_id"]
    same = runner.post(f"/api/v1/runs/{first}/rerun").json()["run_id"]
    assert payload(redis_db, same)["env"] == {"PAGE": "theirs"}
    changed = {**case, "base_url": "http://127.0.0.1:9"}
    case_id = runner.get(f"/api/v1/runs/{first}").json()["test_case_id"]
    assert runner.put(f"/api/v1/cases/{case_id}", json={"case": changed}).json()["version"] == 2
    for attack in (
        runner.post(f"/api/v1/runs/{first}/rerun"),
        runner.post(f"/api/v1/runs/{same}/rerun"),
        runner.post("/api/v1/runs/rerun", json={"run_ids": [first], "only_failed": False}),
    ):
        assert (attack.status_code, "env.PAGE" in attack.text) == (422, True)
    given = runner.post(f"/api/v1/runs/{first}/rerun", json={"env": {"PAGE": "own"}}).json()["run_id"]
    assert payload(redis_db, given)["env"] == {"PAGE": "own"}


def test_of_many_runs_only_the_failed_are_made_again(runner: httpx.Client, store: MemoryStore) -> None:
    """Or all of them, when asked; an unknown one stops all."""
    case_id = runner.post("/api/v1/cases", json={"case": CASE}).json()["id"]
    ends = [RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.DEAD, RunStatus.CANCELLED]
    runs = [finished_run(case_id, status) for status in ends]
    store.save(runs)
    ids = [run.id for run in runs]
    assert len(runner.post("/api/v1/runs/rerun", json={"run_ids": ids}).json()["runs"]) == 2
    assert len(runner.post("/api/v1/runs/rerun", json={"run_ids": ids, "only_failed": False}).json()["runs"]) == 4
    assert runner.post("/api/v1/runs/rerun", json={"run_ids": ids[:1]}).json() == {"runs": []}
    before = len(store.list_runs())
    bad = runner.post("/api/v1/runs/rerun", json={"run_ids": [*ids, "x"]})
    assert (bad.status_code, bad.json()["problems"][0]["index"]) == (422, 4)
    assert len(store.list_runs()) == before


def test_who_may_only_read_makes_nothing(client_of: Callable[[Role], httpx.Client], store: MemoryStore) -> None:
    """403 says which role is needed."""
    reader = client_of(Role.READ)
    answer = reader.post("/api/v1/runs", json=body())
    assert answer.status_code == 403
    assert "needs run" in answer.json()["detail"]
    assert store.list_runs() == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("runs", {"case": CASE, "env": {"X": HALF}}),
        ("runs", {"case": CASE | {"steps": [{"goto": f"/{HALF}"}]}}),
        ("runs", {"case": CASE, "base_url": f"http://{HALF}"}),
        ("runs/batch", {"runs": [{"case": CASE | {"name": HALF}}]}),
        ("cases", {"case": CASE | {"name": HALF}}),
        (
            "cases/import",
            {"recording": {"title": HALF, "steps": [{"type": "navigate", "url": "http://a.example"}]}},
        ),
    ],
)
def test_half_a_character_is_refused(runner: httpx.Client, path: str, body: dict[str, Any]) -> None:
    """JSON can name it, no database can hold it."""
    answer = runner.post(f"/api/v1/{path}", content=json.dumps(body), headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert "half a character" in answer.text


def test_a_fault_of_a_rerun_names_its_place_in_what_was_sent(runner: httpx.Client, store: MemoryStore) -> None:
    """Also where some of the runs passed and are left out."""
    case = case_record(definition=CASE | {"steps": [{"goto": "/${env.GONE}"}]})
    passed, failed = finished_run(case), finished_run(case, RunStatus.FAILED)
    store.save([case, passed, failed])
    answer = runner.post("/api/v1/runs/rerun", json={"run_ids": [passed.id, failed.id]})
    assert answer.status_code == 422
    assert [one["index"] for one in answer.json()["problems"]] == [1]
