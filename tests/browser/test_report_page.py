"""The HTML report in a real browser: complete, accessible, safe and without requests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from PIL import Image
from playwright.async_api import Browser, Page, async_playwright, expect

from qa_queue.models.outcomes import Outcome
from qa_queue.reports.html import html_report
from qa_queue.reports.model import Adaptation, Evidence, LogEntry, Report
from tests.support.report_values import (
    attempt,
    failed_step,
    failed_test,
    flaky_test,
    make_report,
    passed_test,
    step,
)

HOSTILE = "</script><img src=x onerror=\"document.title='owned'\"><b>bold</b>"
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
AXE_RULES = {"runOnly": WCAG, "resultTypes": ["violations"]}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium(browser_path: Path) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=browser_path)
        yield browser
        await browser.close()


@pytest.fixture
def picture(tmp_path: Path) -> Callable[..., Evidence]:
    """Makes a screenshot of one colour."""

    def make(name: str = "step-002-failed.png", **fields: object) -> Evidence:
        path = tmp_path / name
        Image.new("RGB", (320, 180), "#3b7").save(path, "PNG")
        values = {
            "kind": "screenshot",
            "name": name,
            "content_type": "image/png",
            "size_bytes": path.stat().st_size,
            "attempt": 1,
            "step": "2",
            "path": str(path),
        }
        return Evidence(**values | fields)  # type: ignore[arg-type]

    return make


def rich_report(picture: Callable[..., Evidence]) -> Report:
    """A report with something in every part of the page."""
    log = (LogEntry(type="console", level="error", text="TypeError: no cart", source="app.js:3"),)
    healed = Adaptation(reason="healed", old={"css": "#buy"}, new={"role": "button", "name": "Buy"}, score=0.93)
    tries = (
        attempt(
            outcome=Outcome.FAILED,
            steps=(step(outcome=Outcome.ADAPTED, adaptation=healed), failed_step()),
            log=log,
            evidence=(picture(), picture("trace.zip", kind="trace", content_type="application/zip", step=None)),
            snapshot='- heading "Sorry"',
            sections={"Traceback": "AssertionError: ..."},
        ),
    )
    return make_report(
        failed_test(attempts=tries),
        flaky_test(worker="worker-2"),
        *(passed_test(f"Passed {number}") for number in range(5)),
        passed_test("Dead", outcome=Outcome.ERROR, error="Redis is unavailable", error_kind="infrastructure"),
        environment={"qa-queue": "1.0", "python": "3.11"},
    )


async def open_report(
    browser: Browser, report: Report, tmp_path: Path, *, width: int = 1280, dark: bool = False
) -> Page:
    """Open the report from a file and fail on any request, error or console message."""
    path = tmp_path / "report.html"
    path.write_text(html_report(report), encoding="utf-8")
    page = await browser.new_page(
        viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", offline=True
    )
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: wrong.append(request.url) if request.url.startswith("http") else None)
    await page.goto(path.as_uri())
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert wrong == []
    return page


async def test_the_first_failure_is_open_and_complete(chromium, picture, tmp_path):
    """Message, both sides of the check, the picture at its step, console, page, adaptation."""
    page = await open_report(chromium, rich_report(picture), tmp_path)
    failures = page.get_by_role("region", name="step 2: expected text")
    for text in ("'Sorry'", "Element found by another locator", "healed, 93 %"):
        await expect(failures.get_by_text(text).first).to_be_visible()
    await expect(failures.get_by_alt_text("step-002-failed.png of step 2")).to_be_visible()
    await failures.get_by_text("Console, requests and dialogs (1)").click()
    await expect(failures.get_by_text("TypeError: no cart")).to_be_visible()
    await expect(page.get_by_role("heading", name="Failures by cause")).to_be_visible()
    await expect(page.get_by_role("region", name="Timeline of workers")).to_be_visible()


async def test_tests_are_filtered_by_outcome_and_text_with_the_keyboard(chromium, picture, tmp_path):
    """Buttons and the search field narrow the list and say how many are shown."""
    page = await open_report(chromium, rich_report(picture), tmp_path)
    status = page.get_by_role("status")
    await expect(status).to_have_text("8 of 8 shown")
    await page.get_by_role("button", name="flaky 1").press("Enter")
    await expect(status).to_have_text("1 of 8 shown")
    await page.get_by_role("button", name="all 8").press("Enter")
    await page.get_by_role("searchbox", name="Filter tests").fill("passed 3")
    await expect(status).to_have_text("1 of 8 shown")


async def test_attempts_stand_side_by_side(chromium, tmp_path):
    """A flaky test shows both, at the same height on a wide screen."""
    page = await open_report(chromium, make_report(flaky_test()), tmp_path)
    await page.get_by_text("2 attempts").click()
    first, second = page.get_by_role("group", name="Attempt 1"), page.get_by_role("group", name="Attempt 2")
    boxes = [await one.bounding_box() for one in (first, second)]
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] < boxes[1]["x"]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
async def test_the_page_is_accessible_and_fits(chromium, picture, tmp_path, width, dark):
    """axe finds nothing with every test opened, and the page does not scroll sideways."""
    page = await open_report(chromium, rich_report(picture), tmp_path, width=width, dark=dark)
    await page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    await expect(page.get_by_role("group", name="Attempt 2")).to_be_visible()
    found = await Axe().run(page, options=AXE_RULES)
    assert found.response["violations"] == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= width


async def test_texts_of_a_tested_page_never_become_markup(chromium, tmp_path):
    """Names, messages, log and snapshot with markup are shown as they are."""
    log = (LogEntry(type="console", level="error", text=HOSTILE),)
    tries = (
        attempt(
            outcome=Outcome.FAILED,
            steps=(failed_step(name=HOSTILE, error=HOSTILE),),
            log=log,
            snapshot=HOSTILE,
            sections={HOSTILE: HOSTILE},
        ),
    )
    report = make_report(failed_test(HOSTILE, suite=HOSTILE, error=HOSTILE, attempts=tries), title=HOSTILE)
    page = await open_report(chromium, report, tmp_path)
    assert "owned" not in (await page.title()).split(":")[0][:5]
    await expect(page.locator("img, b:not(.compare b)")).to_have_count(0)
    await expect(page.get_by_text("onerror=").first).to_be_visible()


async def test_five_hundred_tests_are_one_quick_page(chromium, tmp_path):
    """Details are built when a test is opened, so the page holds few nodes until then."""
    steps = tuple(step(str(number)) for number in range(1, 31))
    tests = [passed_test(f"Test {number}", attempts=(attempt(steps=steps),)) for number in range(500)]
    page = await open_report(chromium, make_report(*tests), tmp_path)
    await expect(page.get_by_role("status")).to_have_text("500 of 500 shown")
    assert await page.evaluate("document.querySelectorAll('*').length") < 6_000


async def test_pictures_stop_at_the_size_cap(picture):
    """Pictures of failed tests are embedded first; the page states what was left out."""
    tries = (attempt(outcome=Outcome.FAILED, steps=(step(), failed_step()), evidence=(picture(),)),)
    passed = passed_test(attempts=(attempt(evidence=(picture("other.png", step="1"),)),))
    report = make_report(passed, failed_test(attempts=tries))
    whole = html_report(report)
    assert whole.count("data:image/webp;base64,") == 2
    one_picture = len(whole.split("data:image/webp;base64,")[1].split('"')[0])
    page = html_report(report, pictures_bytes=one_picture)
    assert page.count("data:image/webp;base64,") == 1
    assert '"pictures_left_out":1' in page
    assert page.index("step-002-failed.png") < page.index("data:image/webp;base64,")
