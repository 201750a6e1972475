"""A tested site on this machine that wants the operator's session, in a real browser."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import BrowserContext, async_playwright
from redis import Redis

from qa_queue.auth.logins import login_link


class _Listener(BaseHTTPRequestHandler):
    """Notes the headers of every request, and leads the browser on to each name of the service."""

    def do_GET(self) -> None:
        self.server.heard.append((self.headers["Host"], str(self.headers)))  # type: ignore[attr-defined]
        port = self.server.server_address[1]
        names = ("127.0.0.1", "localhost", "qa-queue.localhost", "x.qa-queue.localhost")
        frames = "".join(f'<img src="http://{name}:{port}/picture">' for name in names)
        body = f"<title>Shop</title>{frames}".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def listener() -> Iterator[ThreadingHTTPServer]:
    """A site on another port of 127.0.0.1."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Listener) as server:
        server.heard = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
async def operator(browser_path: Path) -> AsyncIterator[BrowserContext]:
    """The operator's own browser."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=browser_path)
        yield await browser.new_context()
        await browser.close()


async def test_a_tested_site_on_this_machine_never_receives_the_session(
    operator: BrowserContext, url: str, redis_db: Redis, listener: ThreadingHTTPServer
) -> None:
    """Under no name of loopback, by navigation or by pictures; the pages go on working."""
    port = urlsplit(url).port
    assert port is not None
    page = await operator.new_page()
    await page.goto(login_link(redis_db, port))
    await page.get_by_role("button", name="Log in").click()
    await page.get_by_role("heading", name="Queues").wait_for()
    (cookie,) = [one for one in await operator.cookies() if one["name"] == "qa_session"]
    home = page.url
    for name in ("127.0.0.1", "localhost", "qa-queue.localhost", "x.qa-queue.localhost"):
        await page.goto(f"http://{name}:{listener.server_address[1]}/")
    heard = listener.heard  # type: ignore[attr-defined]
    assert {host.rpartition(":")[0] for host, _ in heard} == {
        "127.0.0.1",
        "localhost",
        "qa-queue.localhost",
        "x.qa-queue.localhost",
    }
    assert not [headers for _, headers in heard if cookie["value"] in headers or cookie["domain"] in headers]
    await page.goto(home)
    await page.get_by_role("heading", name="Queues").wait_for()


async def test_the_bare_address_leads_to_a_host_of_its_own(operator: BrowserContext, url: str) -> None:
    """A browser follows it on its own, without an entry in any file."""
    page = await operator.new_page()
    await page.goto(url)
    assert (urlsplit(page.url).hostname or "").endswith(".qa-queue.localhost")
    await page.get_by_label("Token").wait_for()
