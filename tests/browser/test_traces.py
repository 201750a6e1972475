"""A trace opens from the report, from the service's pages and by `qa-queue trace`, without external requests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect
from redis import Redis

from qa_queue.api.app import create_app
from qa_queue.auth.logins import Logins
from qa_queue.models import ArtifactKind, RunStatus
from qa_queue.reports.trace_viewer import serving_trace
from qa_queue.services import Backend
from qa_queue.settings import load_settings
from qa_queue.store.memory import MemoryStore
from qa_queue.store.records import RunRecord
from tests.support.records import artifact_record, case_record, finished_run
from tests.support.serving import serving
from tests.support.site import Site


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium(browser_path: Path) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=browser_path)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def trace(chromium: Browser, site: Site, tmp_path: Path) -> Path:
    """A trace of one page."""
    site.page("/traced", "<h1>Recorded heading</h1>")
    path = tmp_path / "artifacts" / "trace.zip"
    context = await chromium.new_context()
    await context.tracing.start(snapshots=True)
    page = await context.new_page()
    await page.goto(f"{site.url}/traced")
    await page.get_by_role("heading").click()
    await context.tracing.stop(path=path)
    await context.close()
    return path


@dataclass
class Watched:
    """A page, and the requests that it sent elsewhere than to `url`."""

    page: Page
    wrong: list[str]


@pytest_asyncio.fixture(loop_scope="session")
async def opened(chromium: Browser) -> AsyncIterator[Callable[[str], Watched]]:
    """A page whose requests are watched, those of service workers among them."""
    context = await chromium.new_context()
    page = await context.new_page()

    def watch(url: str) -> Watched:
        watched = Watched(page, [])
        context.on(
            "request",
            lambda one: watched.wrong.append(one.url) if not one.url.startswith((url, "data:", "blob:")) else None,
        )
        context.on("weberror", lambda error: watched.wrong.append(str(error.error)))
        context.on("console", lambda one: watched.wrong.append(one.text) if one.type == "error" else None)
        return watched

    yield watch
    await context.close()


async def shows_the_trace(watched: Watched) -> None:
    """The viewer lists the calls and shows the page as it was; nothing went elsewhere."""
    page = watched.page
    calls = page.get_by_role("treeitem")
    await expect(calls.filter(has_text="Navigate")).to_be_visible(timeout=30_000)
    await calls.filter(has_text="Click").click()
    snapshot = page.frame_locator("iframe.snapshot-visible")
    await expect(snapshot.get_by_role("heading", name="Recorded heading")).to_be_visible(timeout=30_000)
    assert watched.wrong == []


async def test_a_trace_is_served_on_loopback_for_the_command(opened: Callable[[str], Watched], trace: Path) -> None:
    """Under an address that cannot be guessed; no other file is served."""
    with serving_trace(trace) as url:
        watched = opened(url.partition("/index.html")[0])
        await watched.page.goto(url)
        await shows_the_trace(watched)
        base = url.partition("index.html")[0]
        outside = await watched.page.request.get(f"{base}../../package.json")
        guessed = await watched.page.request.get(base.rsplit("/", 2)[0] + "/trace.zip")
        assert (outside.status, guessed.status) == (404, 404)


@pytest.fixture
def service(redis_db: Redis, redis_url: str, tmp_path: Path, trace: Path) -> Iterator[tuple[str, RunRecord]]:
    """The service with a run that has a trace."""
    store, case = MemoryStore(), case_record(name="Traced")
    run = finished_run(case, RunStatus.FAILED, error="no", attempt=1)
    row = artifact_record(
        run, "trace.zip", kind=ArtifactKind.TRACE, path="trace.zip", content_type="application/zip"
    )
    store.save([case, run, row])
    settings = load_settings(redis_url=redis_url, qa_home=tmp_path)
    with serving(create_app(Backend(settings, store))) as url:
        yield url, run


async def test_a_trace_opens_from_a_page_and_from_the_report(
    opened: Callable[[str], Watched], redis_db: Redis, service: tuple[str, RunRecord]
) -> None:
    """For a user who has logged in, under the host of the login."""
    url, run = service
    watched = opened("http://")
    page = watched.page
    await page.goto(f"{url}/login?ticket={Logins(redis_db).invite()}&next=/runs/{run.id}")
    await page.get_by_role("button").click()
    await expect(page.get_by_role("heading", name="Traced")).to_be_visible()
    host = page.url.partition("/runs/")[0]
    await page.get_by_role("link", name="Open trace.zip").click()
    await shows_the_trace(watched)
    assert page.url.startswith(f"{host}/trace-viewer/")
    await page.goto(f"{host}/runs/{run.id}")
    await page.get_by_role("link", name="Report", exact=True).click()
    async with page.expect_popup() as popup:
        await page.get_by_role("link", name="Open the trace trace.zip").first.click()
    await shows_the_trace(Watched(await popup.value, watched.wrong))
