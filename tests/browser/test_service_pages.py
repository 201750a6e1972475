"""The service's own pages in a real browser: accessible, and no wider than a phone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, async_playwright
from redis import Redis

from qa_queue.api.app import create_app
from qa_queue.models import RunStatus, StepStatus
from qa_queue.services import Backend
from qa_queue.settings import load_settings
from qa_queue.store.memory import MemoryStore
from tests.support.records import (
    adaptation_row,
    artifact_record,
    case_record,
    finished_run,
    run_record,
    step_record,
)
from tests.support.serving import serving

AXE_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"]}
PHONE = 390
TEST = "tests/e2e/test_checkout_of_a_basket.py::test_login[chromium-ann]"
LONG = "A-name-without-any-space-" * 6
RUN, BATCH = str(uuid4()), str(uuid4())
PAGES = ("/", f"/runs/{RUN}", "/batches", f"/batches/{BATCH}", "/adaptations", "/schedules", "/audit")


@pytest.fixture(scope="module")
def rows() -> MemoryStore:
    """A batch with a healed, a failed and a waiting run, whose texts are long."""
    store, case = MemoryStore(), case_record(name=TEST)
    healed = finished_run(case, RunStatus.ADAPTED, batch_id=BATCH)
    failed = finished_run(case, RunStatus.FAILED, id=RUN, batch_id=BATCH, error=LONG, attempt=1, worker="w" * 32)
    steps = [
        step_record(healed, status=StepStatus.ADAPTED),
        step_record(failed, status=StepStatus.FAILED, name=LONG, error=LONG),
    ]
    files = [artifact_record(failed, name) for name in (f"{LONG}.png", "trace.zip")]
    store.save([case, healed, failed, run_record(case, batch_id=BATCH), *steps, *files, adaptation_row(healed)])
    return store


@pytest.fixture
def service(redis_db: Redis, redis_url: str, tmp_path: Path, rows: MemoryStore) -> Iterator[str]:
    settings = load_settings(redis_url=redis_url, qa_home=tmp_path, qa_api_open_on_loopback=True)
    with serving(create_app(Backend(settings, rows))) as url:
        yield url


@pytest_asyncio.fixture(loop_scope="session", params=["light", "dark"])
async def page(browser_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=browser_path)
        yield await browser.new_page(color_scheme=request.param)
        await browser.close()


async def test_every_page_is_accessible_and_fits_a_phone(page: Page, service: str) -> None:
    """axe finds nothing, and no page scrolls sideways; wide tables scroll by themselves."""
    for path in PAGES:
        for width in (PHONE, 1280):
            await page.set_viewport_size({"width": width, "height": 844})
            answer = await page.goto(f"{service}{path}")
            assert answer is not None
            assert answer.status == 200, path
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, (path, width)
            found = await Axe().run(page, options=AXE_RULES)
            problems = [(one["id"], one["nodes"][0]["html"]) for one in found.response["violations"]]
            assert (path, width, problems) == (path, width, [])


@pytest.mark.parametrize("path", ["/", f"/batches/{BATCH}"], ids=["runs", "batch"])
async def test_the_status_of_each_run_is_seen_on_a_phone(page: Page, service: str, path: str) -> None:
    """Without scrolling the table, however long the names of cases are."""
    await page.set_viewport_size({"width": PHONE, "height": 844})
    await page.goto(f"{service}{path}")
    badges = await page.locator("td .badge").all()
    boxes = [box for badge in badges if (box := await badge.bounding_box())]
    assert len(boxes) == 3
    assert [box for box in boxes if box["x"] + box["width"] > PHONE] == []
