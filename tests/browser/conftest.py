"""One warm browser and one site for all browser tests; each test has its own context and its own pages."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio
from playwright.async_api import Page
from pytest_asyncio import is_async_test

from processors.browser.egress.policy import EgressPolicy
from processors.browser.pool import WarmBrowserPool
from processors.browser.protocol import SessionOptions, StepOutcome
from processors.browser.session import Session
from qa_queue.cases.environment import Use
from qa_queue.cases.model import Step
from tests.conftest import file_of
from tests.support.processes import command_of
from tests.support.running import ExecutionHarness
from tests.support.site import Site, serve_site
from tests.support.steps import goto

TIMEOUT_MS = 5_000
_NUMBERS = count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The browser lives on one event loop, so its tests run there too."""
    for item in items:
        if file_of(item).startswith("tests/browser/") and is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    with serve_site() as served:
        yield served


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def pool(browser_path: Path) -> AsyncIterator[WarmBrowserPool]:
    running = WarmBrowserPool(lambda: browser_path, egress=EgressPolicy())
    await running.start()
    yield running
    await running.close()


def closed_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def crashing_page(site: Site, path: str = "/crashes") -> str:
    """Serve a page whose renderer is killed while it loads; returns its path."""

    def crash(_: dict[str, str]) -> str:
        for process in psutil.Process().children(recursive=True):
            if "--type=renderer" in command_of(process):
                process.kill()
        return ""

    site.page(f"{path}.js", crash)
    return site.page(path, f"<script src={path}.js></script>")


class Visit:
    """A session of a test, which does steps one by one."""

    def __init__(self, session: Session) -> None:
        self.session = session

    @property
    def page(self) -> Page:
        """The page itself, to ask it what a test needs to know."""
        return self.session.page

    async def do(self, step: Step, timeout_ms: int = TIMEOUT_MS) -> StepOutcome:
        """Do a step and give back what it came to."""
        return await self.session.perform(step, timeout_ms=timeout_ms)

    async def passes(self, *steps: Step, timeout_ms: int = TIMEOUT_MS) -> None:
        """Do steps that have to pass."""
        for step in steps:
            assert (await self.do(step, timeout_ms)).error is None

    async def js(self, script: str) -> Any:
        """Ask the page."""
        return await self.page.evaluate(script)


Opener = Callable[..., Awaitable[Visit]]


@pytest_asyncio.fixture(loop_scope="session")
async def visit(pool: WarmBrowserPool, site: Site) -> AsyncIterator[Opener]:
    """Open a page with this HTML in a fresh context: `page = await visit("<h1>Hi</h1>")`."""
    async with AsyncExitStack() as stack:

        async def open_page(html: str | None = None, **options: Any) -> Visit:
            use = {name: options.pop(name) for name in Use.model_fields if name != "viewport" and name in options}
            session = await stack.enter_async_context(
                pool.session(SessionOptions(**{"base_url": site.url, "use": Use(**use), **options}))
            )
            page = Visit(session)
            if html is not None:
                await page.passes(goto(site.page(f"/page-{next(_NUMBERS)}", html)))
            return page

        yield open_page


@pytest.fixture
def harness(pool: WarmBrowserPool, tmp_path: Path) -> Iterator[ExecutionHarness]:
    """A place to run whole cases in."""
    running = ExecutionHarness(browser=pool, artifacts_dir=tmp_path / "artifacts")
    yield running
    running.close()
