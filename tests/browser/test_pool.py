"""The warm browser: isolation of sessions, and what happens when it dies."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NoReturn

import psutil
import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext

from processors.browser.launching import BrowserKind
from processors.browser.pool import WarmBrowserPool
from processors.browser.protocol import SessionOptions
from qa_queue.cases.environment import Use
from qa_queue.errors import BrowserCrashedError, BrowserMissingError, InputError
from qa_queue.models import Viewport
from tests.browser.conftest import TIMEOUT_MS, Opener, Visit
from tests.support.poll import async_wait_until
from tests.support.site import Site
from tests.support.steps import goto, on


@pytest_asyncio.fixture(loop_scope="session")
async def own_pool(browser_path: Path) -> AsyncIterator[WarmBrowserPool]:
    """A browser of the test's own, to be killed."""
    pool = WarmBrowserPool(lambda: browser_path)
    yield pool
    await pool.close()


async def browser_pid(pool: WarmBrowserPool) -> int:
    """The process of the pool's browser."""
    session = await pool._browsers[BrowserKind()].new_browser_cdp_session()
    processes = (await session.send("SystemInfo.getProcessInfo"))["processInfo"]
    return int(next(process["id"] for process in processes if process["type"] == "browser"))


async def test_sessions_share_nothing(visit: Opener) -> None:
    """Cookies and storage of one session are not seen in another."""
    html = "<script>document.cookie ||= 'who=me'; localStorage.who ||= Math.random()</script>"
    one, two = await asyncio.gather(visit(html), visit(html))
    assert await one.js("document.cookie") == "who=me"
    assert await one.js("localStorage.who") != await two.js("localStorage.who")
    await one.js("document.cookie = 'more=1'")
    assert "more" not in await two.js("document.cookie")


async def test_a_start_whose_answer_is_lost_with_the_browser_ends(
    own_pool: WarmBrowserPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Playwright may never answer a call that it was making when the browser died; the run must not wait for it."""

    async def lost(_: BrowserContext) -> NoReturn:
        os.kill(await browser_pid(own_pool), signal.SIGKILL)
        await asyncio.Event().wait()
        raise AssertionError

    with monkeypatch.context() as patch:
        patch.setattr(BrowserContext, "new_page", lost)
        with pytest.raises(BrowserCrashedError, match="while a run was starting: its process has ended"):
            async with own_pool.session(SessionOptions()):
                pass
    async with own_pool.session(SessionOptions()) as session:
        assert await session.page.evaluate("1") == 1
    assert own_pool.restarts == 1


async def test_many_sessions_at_once(visit: Opener) -> None:
    """Sessions at the same time each see their own page."""
    pages = await asyncio.gather(*(visit(f"<p>{n}</p>") for n in range(6)))
    assert [await page.js("document.querySelector('p').textContent") for page in pages] == list("012345")


@pytest.mark.parametrize(
    ("options", "width"),
    [
        ({}, 1280),
        ({"viewport": Viewport(width=500, height=400)}, 500),
        ({"device": "iPhone 13"}, 390),
        ({"device": "iPhone 13", "viewport": Viewport(width=500, height=400)}, 500),
    ],
)
async def test_size_of_the_page(visit: Opener, options: dict[str, object], width: int) -> None:
    """A viewport wins over the device's, which wins over the default."""
    page = await visit("<meta name=viewport content='width=device-width'><p>", **options)
    assert await page.js("innerWidth") == width


async def test_an_unknown_device_is_refused(pool: WarmBrowserPool) -> None:
    """The message names the device."""
    with pytest.raises(InputError, match="device 'Abacus' is unknown"):
        async with pool.session(SessionOptions(use=Use(device="Abacus"))):
            pass


async def test_a_missing_browser_is_named(tmp_path: Path) -> None:
    """No browser at the path: the message says what to set."""
    with pytest.raises(BrowserMissingError, match=r"no browser at .*set QA_BROWSER_PATH"):
        await WarmBrowserPool(lambda: tmp_path / "chromium").start()


async def test_a_browser_that_does_not_start(tmp_path: Path) -> None:
    """A program that is not a browser is an error of the infrastructure."""
    fake = tmp_path / "chromium"
    fake.write_text("#!/bin/sh\nexit 7\n")
    fake.chmod(0o755)
    pool = WarmBrowserPool(lambda: fake)
    with pytest.raises(BrowserCrashedError, match="does not start"):
        await pool.start()
    await pool.close()


@pytest.fixture
def launches(tmp_path: Path) -> Path:
    """A file with one line for each start of the browser of `counted_pool`."""
    return tmp_path / "launches"


@pytest_asyncio.fixture(loop_scope="session")
async def counted_pool(browser_path: Path, launches: Path) -> AsyncIterator[WarmBrowserPool]:
    """A browser that leaves a line when it starts."""
    script = launches.with_name("chromium")
    script.write_text(f'#!/bin/sh\necho started >> "{launches}"\nexec "{browser_path}" "$@"\n')
    script.chmod(0o755)
    pool = WarmBrowserPool(lambda: script)
    yield pool
    await pool.close()


async def test_a_killed_browser_ends_its_sessions_and_is_replaced(
    counted_pool: WarmBrowserPool, launches: Path, site: Site
) -> None:
    """The step that was on it raises BrowserCrashedError; sessions after that have a new browser, one for all."""
    path = site.page("/killed", "<p>")
    async with counted_pool.session(SessionOptions(base_url=site.url)) as session:
        await Visit(session).passes(goto(path))
        waiting = asyncio.create_task(session.perform(on("click", "#none"), timeout_ms=TIMEOUT_MS))
        os.kill(await browser_pid(counted_pool), signal.SIGKILL)
        with pytest.raises(BrowserCrashedError):
            await waiting
    await asyncio.gather(*(_opens(counted_pool, site, path) for _ in range(3)))
    assert lines(launches) == ["started", "started"]
    assert counted_pool.restarts == 1


async def test_a_killed_driver_is_replaced(own_pool: WarmBrowserPool, site: Site) -> None:
    """Playwright's own process can die too; the next session starts it again."""
    path = site.page("/driver", "<p>")
    before = {child.pid for child in psutil.Process().children()}
    await own_pool.start()
    driver = next(child for child in psutil.Process().children() if child.pid not in before)
    driver.kill()
    await async_wait_until(lambda: not driver.is_running() or driver.status() == psutil.STATUS_ZOMBIE)
    await _opens(own_pool, site, path)


async def test_a_closed_pool_starts_again(own_pool: WarmBrowserPool, site: Site) -> None:
    """Closing lets go of everything, and it can start again."""
    path = site.page("/again", "<p>")
    await _opens(own_pool, site, path)
    await own_pool.close()
    await _opens(own_pool, site, path)


def lines(file: Path) -> list[str]:
    return file.read_text().splitlines()


async def _opens(pool: WarmBrowserPool, site: Site, path: str) -> None:
    async with pool.session(SessionOptions(base_url=site.url)) as session:
        await Visit(session).passes(goto(path))
