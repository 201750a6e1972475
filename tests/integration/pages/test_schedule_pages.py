"""The page of schedules, over a real Redis and the store's twin."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import httpx
from bs4 import BeautifulSoup
from redis import Redis

from qa_queue.api.app import create_app
from qa_queue.auth.tokens import Role, TokenStore
from qa_queue.models import RunStatus
from qa_queue.producer.planning import case_record
from qa_queue.services import Backend
from qa_queue.settings import load_settings
from tests.support.queueing import run_request
from tests.support.records import run_record
from tests.support.schedulers import jobs_on
from tests.support.schedules import schedule_record
from tests.support.serving import serving

BATCH = "7d1d7a9e-0c3e-4c0a-9a55-2f4f8a1f7c11"
EVIL = "<script>alert(1)</script>"


def rows(page: httpx.Response) -> list[str]:
    """The text of each row of the page's table."""
    assert page.status_code == 200
    body = BeautifulSoup(page.text, "html.parser").select("table.schedules tbody tr")
    return [" ".join(row.get_text(" ").split()) for row in body]


def test_an_empty_page_says_how_to_make_one(pages: httpx.Client) -> None:
    """And every page links to it."""
    assert "qa-queue schedule add" in pages.get("/schedules").text
    assert 'href="/schedules"' in pages.get("/").text


def test_a_schedule_shows_its_next_time_in_its_zone_and_its_last_outcome(pages: httpx.Client, store) -> None:
    """02:30 in Berlin is 01:30 UTC in winter; the outcome links to the run."""
    case = store.save_cases([case_record(run_request())])[0]
    run = run_record(case, status=RunStatus.FAILED, batch_id=BATCH)
    store.save([run])
    moment = datetime(2037, 1, 5, 1, 30, tzinfo=UTC)
    store.schedules.add(
        schedule_record(
            name="nightly",
            cron="30 2 * * *",
            time_zone="Europe/Berlin",
            next_fire_at=moment,
            next_run_at=moment,
            last_fire_at=moment,
            last_run_id=run.id,
            last_batch_id=BATCH,
            last_error="1 of its cases are gone",
        )
    )
    page = pages.get("/schedules")
    (row,) = rows(page)
    for text in ("nightly", "cases tagged smoke", "30 2 * * *", "Europe/Berlin", "Mon 2037-01-05 02:30:00", "CET"):
        assert text in row
    assert "failed" in row
    assert "1 of its cases are gone" in row
    assert f'href="/runs/{run.id}"' in page.text


def test_a_name_is_escaped(pages: httpx.Client, store) -> None:
    """No script can run."""
    store.schedules.add(schedule_record(name=EVIL, last_error=EVIL))
    page = pages.get("/schedules")
    assert len(rows(page)) == 1
    assert EVIL not in page.text


def test_buttons_pause_resume_and_start(pages: httpx.Client, store, redis_db: Redis) -> None:
    """And lead back to the page."""
    case = store.save_cases([case_record(run_request())])[0]
    schedule = schedule_record(tag=None, cases=(case.id,))
    store.schedules.add(schedule)
    for act, shown in (("pause", "paused"), ("resume", "Pause"), ("run-now", "running")):
        answer = pages.post(f"/schedules/{schedule.id}/{act}", headers={"Origin": str(pages.base_url).rstrip("/")})
        assert (answer.status_code, answer.headers["Location"]) == (303, "/schedules")
        assert shown in rows(pages.get("/schedules"))[0]
    assert len(jobs_on(redis_db)) == 1


def test_readers_see_no_buttons_and_may_not_push_them(
    redis_db: Redis, redis_url: str, store, tmp_path: Path
) -> None:
    """By their role."""
    schedule = schedule_record()
    store.schedules.add(schedule)
    settings = load_settings(redis_url=redis_url, qa_home=tmp_path)
    _, token = TokenStore(redis_db).create("ann", Role.READ)
    headers = {"Authorization": f"Bearer {token}"}
    with (
        serving(create_app(Backend(settings, store))) as url,
        httpx.Client(base_url=url, headers=headers) as client,
    ):
        page = client.get("/schedules")
        assert len(rows(page)) == 1
        assert "Pause" not in page.text
        assert client.post(f"/schedules/{schedule.id}/pause").status_code == 403
    assert store.schedules.get(schedule.id) == schedule
