"""Pages that flood the browser with events fail their own run and no other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from processors.browser.flood import Budget
from processors.browser.page_log import MAX_ENTRIES
from processors.browser.pool import WarmBrowserPool
from processors.browser.protocol import SessionOptions, StepOutcome
from processors.browser.session import Session
from qa_queue.cases.model import Step
from qa_queue.errors import BrowserCrashedError
from qa_queue.models import ErrorKind
from tests.browser.conftest import TIMEOUT_MS, Opener
from tests.support.site import Site
from tests.support.steps import expect, goto, on

OFTEN = "(function again() { for (let i = 0; i < 2000; i++) %s; setTimeout(again, 10) })()"
LINE = "'message ' + i + 'y'.repeat(200)"
FLOODS = {
    "console": OFTEN % f"console.log({LINE})",
    "a logger of its own": f"const log = console.log.bind(console); {OFTEN % f'log({LINE})'}",
    "a worker": f"new Worker(URL.createObjectURL(new Blob([`{OFTEN % f'console.log({LINE})'}`])))",
    "errors": OFTEN % "Promise.reject(new Error(i))",
    "requests": OFTEN % "fetch('http://127.0.0.1:1/' + i).catch(() => 0)",
    "long lines": "setTimeout(() => { for (let i = 0; i < 200000; i++) console.log(i + 'y'.repeat(5000)) })",
}
MEMORY_BYTES = 2 << 30  # beyond what the browser had before; unlimited, the long lines used 7 GB


@pytest_asyncio.fixture(loop_scope="session")
async def own_pool(browser_path: Path) -> AsyncIterator[WarmBrowserPool]:
    """A browser of the test's own, to be flooded."""
    pool = WarmBrowserPool(lambda: browser_path)
    await pool.start()
    yield pool
    await pool.close()


@pytest.mark.parametrize("flood", FLOODS)
async def test_a_flood_fails_its_own_run_alone(own_pool: WarmBrowserPool, site: Site, flood: str) -> None:
    """The context of the noisy run is closed; the run beside it passes each of its steps, on the same browser."""
    noisy = site.page("/noisy", f"<button>Go</button><script>{FLOODS[flood]}</script>")
    calm = site.page("/calm", "<button id=x onclick='this.textContent = 1 + +this.textContent'>0</button>")
    before = memory()
    async with (
        own_pool.session(SessionOptions(base_url=site.url)) as one,
        own_pool.session(SessionOptions(base_url=site.url)) as other,
    ):
        flooding = asyncio.create_task(until_it_fails(one, noisy))
        await perform(other, goto(calm))
        clicks, peak = 0, 0
        while not flooding.done() or clicks < 3:
            await perform(other, on("click", "#x"))
            clicks += 1
            peak = max(peak, memory())
        await perform(other, expect("#x", text=str(clicks)))
        outcome = await flooding
    assert (outcome.kind, own_pool.restarts) == (ErrorKind.PAGE_FLOOD, 0), outcome.error
    assert "its context was closed" in (outcome.error or "")
    assert peak - before < MEMORY_BYTES


async def until_it_fails(session: Session, path: str) -> StepOutcome:
    """Open a page and click on it until something goes wrong."""
    outcome = await session.perform(goto(path), timeout_ms=TIMEOUT_MS)
    while outcome.error is None:
        outcome = await session.perform(on("click", "button"), timeout_ms=TIMEOUT_MS)
    return outcome


async def perform(session: Session, step: Step) -> None:
    outcome = await session.perform(step, timeout_ms=TIMEOUT_MS)
    assert outcome.error is None, outcome.error


def memory() -> int:
    """Bytes in memory of this process and its children."""
    return sum(one.memory_info().rss for one in [psutil.Process(), *psutil.Process().children(recursive=True)])


async def test_a_burst_of_messages_is_not_a_flood(visit: Opener) -> None:
    """The first ones are recorded with their place in the page's script; that some are missing is noted."""
    page = await visit("<p id=x>a</p><script>\nfor (let i = 0; i < 3000; i++) console.log(i);\n</script>")
    await page.passes(expect("#x", text="a"))
    kept = [entry for entry in page.session.events if entry["type"] == "console"]
    assert [entry["text"] for entry in kept[:3]] == ["0", "1", "2"]
    assert all(entry["source"].endswith(":2") for entry in kept)
    assert 900 < len(kept) <= MAX_ENTRIES
    assert any("messages are missing" in entry["text"] for entry in page.session.events)


async def test_the_page_keeps_its_console(visit: Opener) -> None:
    """Pages that put methods of their own in its place, or pass its methods on, go on working."""
    page = await visit(
        """<script>const native = console.info; console.log = (...all) => native.apply(console, ['own', ...all]);
        console.log('a'); [1].forEach(console.warn)</script>"""
    )
    await page.js("0")
    assert [(entry["level"], entry["text"].split()[0]) for entry in page.session.events] == [
        ("info", "own"),
        ("warning", "1"),
    ]


def test_a_budget_is_refilled() -> None:
    """Up to what it held at first."""
    budget = Budget(10, 1, now=0)
    assert [budget.spend(5, now) for now in (0, 0, 0)] == [True, True, False]
    assert [budget.spend(10, now) for now in (15, 16, 100)] == [True, False, True]


async def test_a_frozen_browser_is_dead(own_pool: WarmBrowserPool, site: Site) -> None:
    """One that neither answers nor works is not waited for."""
    path = site.page("/frozen", "<p>")
    async with own_pool.session(SessionOptions(base_url=site.url)) as session:
        await perform(session, goto(path))
        frozen = [child for child in psutil.Process().children(recursive=True) if "chrom" in child.name()]
        for child in frozen:
            child.suspend()
        try:
            with pytest.raises(BrowserCrashedError, match="the browser does not answer"):
                await session.perform(on("click", "#x"), timeout_ms=300)
        finally:
            for child in frozen:
                child.resume()


async def test_a_tab_that_never_opens_disturbs_no_other_run(own_pool: WarmBrowserPool, site: Site) -> None:
    """Its request has no frame yet when it fails, with the end of its run."""
    opener = site.page("/opener", "<a id=x target=_blank href=/never>next</a>")
    calm = site.page("/beside", "<p id=x>a</p>")
    site.held["/never"] = threading.Event()
    async with own_pool.session(SessionOptions(base_url=site.url)) as other:
        await perform(other, goto(calm))
        for _ in range(3):
            async with own_pool.session(SessionOptions(base_url=site.url)) as one:
                await perform(one, goto(opener))
                await perform(one, on("click", "#x"))
            for _ in range(5):
                await perform(other, goto(calm))
    assert own_pool.restarts == 0
