"""Schedules start only what the caller who set them may start: attacks with a run token."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from bs4 import BeautifulSoup
from redis import Redis

from qa_queue.auth.tokens import Role, TokenStore
from qa_queue.extensions import queue_names
from qa_queue.models import QueueName
from qa_queue.producer.planning import case_record
from qa_queue.store.memory import MemoryStore
from tests.support.queueing import run_request
from tests.support.records import run_record
from tests.support.schedulers import jobs_on
from tests.support.schedules import schedule_record

PATH = "/api/v1/schedules"
WIPE = {"name": "wipe", "queue": "cleanup", "data": {"keep_days": 0, "keep_failed_days": 0}, "every": "24h"}
OTHER_QUEUES = sorted(set(queue_names()) - {QueueName.TEST_EXECUTION.value})


@pytest.fixture
def tests_only(runner: httpx.Client, store: MemoryStore) -> dict[str, Any]:
    """A schedule of a stored case, made with a run token."""
    (case,) = store.save_cases([case_record(run_request("Sign in"))])
    store.save([run_record(case)])
    answer = runner.post(PATH, json={"name": "tests", "cases": [case.id], "every": "1h"})
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.fixture
def tidy(admin: httpx.Client) -> dict[str, Any]:
    """A clean-up of old runs, made by an administrator."""
    answer = admin.post(PATH, json=WIPE | {"name": "tidy", "data": {"keep_days": 30}})
    assert answer.status_code == 201, answer.text
    return answer.json()


def refused(answer: httpx.Response) -> bool:
    """Return whether the role was the reason for a refusal."""
    return answer.status_code == 403 and "needs the role admin, not run" in answer.json()["detail"]


def test_a_run_token_cannot_schedule_the_deletion_of_every_run(runner, tests_only, redis_db: Redis) -> None:
    """The attack: create the schedule, then run it now."""
    assert refused(runner.post(PATH, json=WIPE))
    assert runner.post(f"{PATH}/wipe/run-now").status_code == 404
    assert jobs_on(redis_db, QueueName.CLEANUP) == []
    assert [one["name"] for one in runner.get(PATH).json()["schedules"]] == ["tests"]


@pytest.mark.parametrize("queue", OTHER_QUEUES)
def test_a_run_token_schedules_runs_only(runner, tests_only, queue: str) -> None:
    """Neither a new schedule nor a changed one can start jobs of another queue."""
    job = {"queue": queue, "data": {}, "cases": [], "tag": None}
    assert refused(runner.post(PATH, json={"name": "new", "queue": queue, "every": "1h"}))
    assert refused(runner.patch(f"{PATH}/tests", json=job))
    assert refused(runner.put(f"{PATH}/tests", json={"name": "tests", "queue": queue, "every": "1h"}))
    assert runner.get(f"{PATH}/tests").json() == tests_only


def test_a_run_token_cannot_use_the_schedule_of_an_administrator(runner, tidy, tests_only, redis_db) -> None:
    """Not to change its payload or times, to stop it, to start it, or to turn it into a schedule of runs."""
    runs = {"queue": None, "data": None, "cases": tests_only["cases"]}
    attempts = [
        runner.patch(f"{PATH}/tidy", json={"data": WIPE["data"]}),
        runner.patch(f"{PATH}/tidy", json={"every": "1s"}),
        runner.patch(f"{PATH}/tidy", json=runs),
        runner.put(f"{PATH}/tidy", json={"name": "tidy", "cases": tests_only["cases"], "every": "1h"}),
        runner.post(f"{PATH}/tidy/pause"),
        runner.post(f"{PATH}/tidy/resume"),
        runner.post(f"{PATH}/tidy/run-now"),
    ]
    assert [refused(answer) for answer in attempts] == [True] * len(attempts)
    assert runner.get(f"{PATH}/tidy").json() == tidy
    assert jobs_on(redis_db, QueueName.CLEANUP) == []


def test_no_one_sets_the_role_of_a_schedule_directly(runner, admin, tests_only) -> None:
    """It is always the caller's; `role` is not a field of the body."""
    for client in (runner, admin):
        assert client.post(PATH, json=WIPE | {"role": "admin"}).status_code == 422
        assert client.patch(f"{PATH}/tests", json={"role": "admin"}).status_code == 422


def test_a_change_makes_the_role_that_of_the_caller(runner, admin, tests_only) -> None:
    """In both directions; pausing and resuming change nothing of what is started."""
    assert admin.post(f"{PATH}/tests/pause").json()["role"] == "run"
    assert admin.post(f"{PATH}/tests/resume").json()["role"] == "run"
    assert admin.patch(f"{PATH}/tests", json={"every": "2h"}).json()["role"] == "admin"
    assert runner.patch(f"{PATH}/tests", json={"every": "3h"}).json()["role"] == "run"
    whole = {"name": "tests", "cases": tests_only["cases"], "every": "1h"}
    assert admin.put(f"{PATH}/tests", json=whole).json()["role"] == "admin"


def test_the_page_has_buttons_for_what_the_caller_may_start(url, redis_db, tidy, tests_only, store) -> None:
    """A request without a button is refused as over the API."""
    store.schedules.add(schedule_record(name="hidden", queue="cleanup", tag=None))
    _, token = TokenStore(redis_db).create("bob", Role.RUN)
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}) as client:
        page = BeautifulSoup(client.get("/schedules").text, "html.parser")
        labels = {button["aria-label"] for button in page.select("table.schedules button")}
        assert labels == {"Pause tests", "Run now tests"}
        for action in ("pause", "resume", "run-now"):
            assert client.post(f"/schedules/{tidy['id']}/{action}").status_code == 403
    assert jobs_on(redis_db, QueueName.CLEANUP) == []
