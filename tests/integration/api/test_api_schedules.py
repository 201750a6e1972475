"""Schedules over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from redis import Redis

from qa_queue.models import utc_now
from qa_queue.producer.planning import case_record
from qa_queue.store.memory import MemoryStore
from qa_queue.store.records import CaseRecord
from tests.support.queueing import run_request
from tests.support.schedulers import jobs_on, runs_of

PATH = "/api/v1/schedules"


@pytest.fixture
def case(store: MemoryStore) -> CaseRecord:
    return store.save_cases([case_record(run_request("Sign in"))])[0]


@pytest.fixture
def nightly(runner: httpx.Client, case: CaseRecord) -> dict[str, Any]:
    """A schedule of the case, made over HTTP."""
    answer = runner.post(PATH, json=body())
    assert answer.status_code == 201, answer.text
    return answer.json()


def body(**changes: Any) -> dict[str, Any]:
    return {
        "name": "nightly",
        "cases": ["Sign in"],
        "cron": "30 2 * * mon-fri",
        "time_zone": "Europe/Berlin",
    } | changes


def test_null_resets_a_field_to_its_default(runner, admin, case) -> None:
    """Any field except the required ones."""
    plain = runner.post(PATH, json=body(name="plain")).json()
    given = {
        "overlap": "replace",
        "missed": "all",
        "grace_s": 90,
        "jitter_s": 5,
        "priority": "urgent",
        "attempts": 2,
        "env": {"USER": "ann"},
        "base_url": "https://shop.example",
        "config": {"timeout": 5000},
        "paused": True,
        "max_runs": 7,
        "start_at": "2026-01-01T00:00:00Z",
        "time_zone": "Asia/Tokyo",
        "queue": "test-execution",
    }
    assert runner.post(PATH, json=body(**given)).status_code == 201
    answer = runner.patch(f"{PATH}/nightly", json=dict.fromkeys(given))
    assert answer.status_code == 200, answer.text
    expected = plain | {"time_zone": "UTC"}
    assert {name: answer.json()[name] for name in given} == {name: expected[name] for name in given}
    onto = admin.patch(f"{PATH}/nightly", json={"cases": None, "data": {}, "queue": "cleanup"})
    assert (onto.status_code, onto.json()["cases"]) == (200, [])
    for required in ("name", "cron"):
        assert admin.patch(f"{PATH}/nightly", json={required: None}).status_code == 422


def test_a_schedule_is_made_found_and_listed(runner, reader, nightly, case) -> None:
    """By its id and by its name; the case by its name too."""
    assert nightly["cases"] == [case.id]
    assert (nightly["created_by"], nightly["role"]) == ("run", "run")
    assert (nightly["fired"], nightly["last_outcome"]) == (0, None)
    next_run = datetime.fromisoformat(nightly["next_run_at"])
    assert next_run > utc_now()
    for ref in (nightly["id"], "nightly"):
        assert reader.get(f"{PATH}/{ref}").json() == nightly
    assert reader.get(PATH).json() == {"schedules": [nightly]}
    assert reader.get("/api/schedules").json() == {"schedules": [nightly]}


@pytest.mark.parametrize(
    ("changes", "path", "said"),
    [
        ({"cron": "61 * * * *"}, "cron", "'61' cannot be the minute (field 1). Allowed are 0 to 59"),
        ({"time_zone": "Berlin"}, "time_zone", "Did you mean Europe/Berlin?"),
        ({"every": "5m"}, "", "give either cron or every"),
        ({"cron": None, "every": "5 minutes"}, "every", "write days, hours, minutes and seconds"),
        ({"env": {"QA_SECRET_X": "1"}}, "env", "QA_SECRET_X is a secret"),
        ({"overlap": "forbid"}, "overlap", "'forbid' is not one of skip, allow, replace"),
        ({"time_zon": "UTC"}, "time_zon", "did you mean 'time_zone'?"),
        ({"grace_s": 0}, "grace_s", "0 is out of range: 1 to 604800"),
    ],
)
def test_a_field_that_cannot_be_used_is_reported(runner, case, changes, path, said) -> None:
    """In a problem document, with its path."""
    answer = runner.post(PATH, json=body(**changes))
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    (fault,) = answer.json()["problems"]
    assert fault["path"] == path
    assert said in fault["message"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cases": ["Sing in"]}, "there is no case 'Sing in'. Did you mean 'Sign in'?"),
        ({"cases": [], "queue": "cleanupp"}, "cleanup"),
        (
            {"cases": [], "queue": "cleanup", "data": {"keep_days": -1}},
            "data is not a payload of cleanup: keep_days",
        ),
    ],
)
def test_a_schedule_that_could_not_be_started_is_refused(admin, case, changes, said) -> None:
    """Nothing is stored."""
    answer = admin.post(PATH, json=body(**changes))
    assert answer.status_code == 422
    assert said in answer.json()["detail"]
    assert admin.get(PATH).json() == {"schedules": []}


def test_a_case_whose_values_are_missing_is_refused(runner, store) -> None:
    """A scheduler has no environment of its own to take them from."""
    store.save_cases([case_record(run_request("Needs", fields={"base_url": "https://${env.SITE}/"}))])
    answer = runner.post(PATH, json=body(cases=["Needs"]))
    assert answer.status_code == 422
    assert "env.SITE" in answer.json()["detail"]
    assert runner.post(PATH, json=body(cases=["Needs"], env={"SITE": "shop.example"})).status_code == 201


def test_a_name_that_is_taken_is_a_conflict(runner, nightly) -> None:
    """For a new one and for a renamed one."""
    assert runner.post(PATH, json=body()).status_code == 409
    assert runner.post(PATH, json=body(name="other")).status_code == 201
    answer = runner.patch(f"{PATH}/other", json={"name": "nightly"})
    assert answer.status_code == 409
    assert "there is a schedule 'nightly' already" in answer.json()["detail"]


def test_a_change_leaves_the_other_fields_alone(runner, nightly) -> None:
    """And takes effect at once."""
    answer = runner.patch(f"{PATH}/nightly", json={"cron": None, "every": "15m", "priority": "high"})
    assert answer.status_code == 200, answer.text
    changed = answer.json()
    assert (changed["every"], changed["cron"], changed["priority"]) == ("15m", None, "high")
    assert (changed["time_zone"], changed["cases"]) == (nightly["time_zone"], nightly["cases"])
    ahead = datetime.fromisoformat(changed["next_run_at"]) - utc_now()
    assert timedelta() < ahead <= timedelta(minutes=15)


def test_a_change_with_a_contradiction_changes_nothing(runner, reader, nightly) -> None:
    """Both cron and every."""
    answer = runner.patch(f"{PATH}/nightly", json={"every": "15m"})
    assert answer.status_code == 422
    assert "give either cron or every" in answer.json()["detail"]
    assert reader.get(f"{PATH}/nightly").json() == nightly


def test_replacing_sets_every_field(runner, nightly) -> None:
    """A field that is not given gets its default."""
    answer = runner.put(f"{PATH}/nightly", json=body(name="hourly", cron="@hourly", time_zone="UTC"))
    assert answer.status_code == 200, answer.text
    assert (answer.json()["id"], answer.json()["name"], answer.json()["cron"]) == (
        nightly["id"],
        "hourly",
        "@hourly",
    )


def test_pausing_and_resuming(runner, nightly) -> None:
    """A paused one has no next time; doing it twice is harmless."""
    for _ in range(2):
        paused = runner.post(f"{PATH}/nightly/pause").json()
        assert (paused["paused"], paused["next_run_at"]) == (True, None)
    for _ in range(2):
        resumed = runner.post(f"{PATH}/nightly/resume").json()
        assert (resumed["paused"], resumed["next_run_at"]) == (False, nightly["next_run_at"])


def test_running_it_now(runner, nightly, store: MemoryStore, redis_db: Redis) -> None:
    """Besides its times."""
    answer = runner.post(f"{PATH}/nightly/run-now")
    assert answer.status_code == 200, answer.text
    started = answer.json()
    (run,) = runs_of(store, store.schedules.get(nightly["id"]))
    assert (started["last_run_id"], started["last_batch_id"]) == (run.id, run.batch_id)
    assert (started["last_outcome"], started["next_run_at"]) == ("running", nightly["next_run_at"])
    assert jobs_on(redis_db) == [run.id]


def test_deleting_is_for_admins_and_leaves_the_runs(runner, admin, nightly, store) -> None:
    """As for cases."""
    runner.post(f"{PATH}/nightly/run-now")
    assert runner.delete(f"{PATH}/nightly").status_code == 403
    assert admin.delete(f"{PATH}/nightly").json()["id"] == nightly["id"]
    assert admin.delete(f"{PATH}/nightly").status_code == 404
    assert len(store.list_runs()) == 1


def test_readers_can_change_nothing(reader, nightly) -> None:
    """By their role."""
    assert reader.post(PATH, json=body(name="x")).status_code == 403
    assert reader.post(f"{PATH}/nightly/pause").status_code == 403
    assert reader.post(f"{PATH}/nightly/run-now").status_code == 403
    assert reader.patch(f"{PATH}/nightly", json={"name": "x"}).status_code == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [("get", ""), ("put", ""), ("patch", ""), ("post", "/pause"), ("post", "/run-now"), ("get", "/preview")],
)
def test_an_unknown_schedule_is_reported_with_the_nearest(runner, nightly, method: str, path: str) -> None:
    """With status 404."""
    sent = {"json": body()} if method == "put" else {"json": {}} if method == "patch" else {}
    answer = runner.request(method, f"{PATH}/nightley{path}", **sent)
    assert answer.status_code == 404
    assert "Did you mean 'nightly'?" in answer.json()["detail"]


def test_the_next_times_are_shown_in_its_zone(reader: httpx.Client, nightly) -> None:
    """With summer and winter time."""
    found = reader.get(f"{PATH}/nightly/preview", params={"count": 3}).json()
    assert found["time_zone"] == "Europe/Berlin"
    assert len(found["times"]) == 3
    assert all(time["local"][10:16] == "T02:30" or time["local"][10:16] == "T03:00" for time in found["times"])
    assert found["times"][0]["at"] == nightly["next_run_at"]


def test_times_can_be_previewed_without_a_schedule(reader: httpx.Client) -> None:
    """By readers, too; nothing is stored, and a mistake is reported."""
    sent = {"cron": "30 2 29 3 *", "time_zone": "Europe/Berlin", "start_at": "2037-01-01T00:00:00Z", "count": 1}
    found = reader.post(f"{PATH}/preview", json=sent).json()
    assert [time["local"] for time in found["times"]] == ["2037-03-29T03:00:00+02:00"]
    assert len(reader.post(f"{PATH}/preview", json={"every": "1h", "max_runs": 2}).json()["times"]) == 2
    bad = reader.post(f"{PATH}/preview", json={"cron": "* * * * 9"})
    assert bad.status_code == 422
    assert "day of the week" in bad.json()["detail"]
    assert reader.get(PATH).json() == {"schedules": []}


@pytest.mark.parametrize("moment", [datetime.min, datetime.max])
def test_a_date_at_the_end_of_the_calendar_is_listed_and_its_preview_refused(
    reader, runner, nightly, store, moment: datetime
) -> None:
    """As rows of older versions may have; a change repairs it."""
    moment = moment.replace(tzinfo=UTC)
    row = store.schedules.get(nightly["id"])
    odd = row.model_copy(update={"next_fire_at": moment, "next_run_at": moment, "start_at": moment})
    assert store.schedules.replace(odd)
    assert len(reader.get(PATH).json()["schedules"]) == 1
    assert reader.get("/schedules").status_code == 200
    answer = reader.get(f"{PATH}/nightly/preview")
    assert (answer.status_code, "at the end of the calendar" in answer.json()["detail"]) == (422, True)
    assert runner.patch(f"{PATH}/nightly", json={"start_at": None}).status_code == 200
    assert len(reader.get(f"{PATH}/nightly/preview").json()["times"]) == 5
