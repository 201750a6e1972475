"""The dashboard's pages in a real browser while real workers work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import ConsoleMessage, Page, Response, async_playwright, expect
from redis import Redis

from qa_queue.models import QueueName
from tests.integration.dashboard.conftest import LOGIN
from tests.support.poll import async_wait_until, wait_until
from tests.support.workers import QUEUE, WorkerProcess, ended, enqueue


class Watched:
    """A page, and everything that went wrong on it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.wrong: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.wrong.append(f"console: {message.text}")

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self.wrong.append(f"{response.status}: {response.url}")


@pytest.fixture
async def watched(dashboard: str, browser_path: Path) -> AsyncIterator[Watched]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=browser_path)
        context = await browser.new_context(
            base_url=dashboard, http_credentials={"username": LOGIN[0], "password": LOGIN[1]}
        )
        yield Watched(await context.new_page())
        await browser.close()


async def test_pages_load_while_two_workers_work_forty_jobs(watched, redis_db, redis_url, tmp_path):
    """Queues, jobs, workers, and the pages of a running, a failed and a finished job: no error anywhere."""
    page = watched.page
    running = enqueue(redis_db, "gate", meta={"percentage": 40})
    failed = enqueue(redis_db, "buggy", description="A failing one")
    finished = enqueue(redis_db, "echo", {"n": 1})
    env = {"REDIS_URL": redis_url, "QUEUE_CONCURRENCY": "2"}
    with WorkerProcess(tmp_path / "a.log", **env) as first, WorkerProcess(tmp_path / "b.log", **env):
        assert (ended(failed), ended(finished)) == ("failed", "finished")
        wait_until(lambda: redis_db.exists(f"running:{running.id}"))
        jobs = [enqueue(redis_db, "echo", {"n": n}) for n in range(37)]
        await page.goto("/")
        await expect(page.get_by_role("row", name=QUEUE)).to_be_visible()
        await page.goto("/0/view/workers")
        await expect(page.locator("tr[data-role=worker]")).to_have_count(2)
        await expect(page.locator("#workers")).to_contain_text("jobs.gate")
        for registry in ("queued", "started", "finished", "failed", "scheduled", "deferred", "canceled"):
            await page.goto(f"/0/view/jobs/{QUEUE}/{registry}/8/asc/1")
            await expect(page.locator("[data-role=loading-placeholder]")).to_have_count(0)
        for job, words in (
            (running, "started"),
            (failed, "ZeroDivisionError: oops"),
            (finished, '"status": "completed"'),
        ):
            await page.goto(f"/0/view/job/{job.id}")
            await expect(page.locator("#job-data")).to_contain_text(words)
        redis_db.set("open", 1)
        await async_wait_until(lambda: all(job.get_status().value == "finished" for job in [running, *jobs]), 30)
        assert first.popen.poll() is None
        await page.goto("/0/view/workers")
        await expect(page.locator("tr[data-role=worker]").first).to_contain_text("idle")
    assert watched.wrong == []


PAYLOAD = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"


async def test_what_a_job_says_is_text(watched, redis_db):
    """Description, metadata and result of a job never become part of the page."""
    job = enqueue(redis_db, "echo", {"x": PAYLOAD}, description=PAYLOAD, meta={"message": PAYLOAD})
    page = watched.page
    await page.goto(f"/0/view/job/{job.id}")
    await expect(page.locator(".description-scroll")).to_have_text(PAYLOAD)
    await page.goto(f"/0/view/jobs/{QUEUE}/queued/8/asc/1")
    await expect(page.locator(".description")).to_have_text(PAYLOAD)
    assert await page.title() == "RQ dashboard"
    assert watched.wrong == []


async def test_a_name_in_the_address_is_not_a_script(watched):
    """A link with a script for a queue's name leads nowhere."""
    page = watched.page
    response = await page.goto("/0/view/jobs/x');document.title='taken';('/queued/8/asc/1")
    assert response is not None
    assert response.status == 404
    assert await page.title() != "taken"


async def test_a_failed_job_is_requeued_by_its_button(watched, redis_db, redis_url, tmp_path):
    """The page's own scripts pass the guard."""
    job = enqueue(redis_db, "buggy")
    with WorkerProcess(tmp_path / "a.log", "--burst", REDIS_URL=redis_url):
        assert ended(job) == "failed"
    await watched.page.goto(f"/0/view/job/{job.id}")
    await watched.page.get_by_role("button", name="Requeue").click()
    await async_wait_until(lambda: job.get_status(refresh=True).value == "queued")
    assert watched.wrong == []


def test_every_queue_of_the_service_is_a_name_for_the_dashboard(redis_db: Redis):
    """Or its pages would not open."""
    assert all(name.replace("-", "").isalpha() for name in QueueName)
