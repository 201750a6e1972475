"""The environment of a case's browser (`use`), and the browsers that a session can have."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, get_args

import psutil
import pytest
import pytest_asyncio
from playwright._impl._driver import compute_driver_executable

from processors.browser.egress.schemes import denied_addresses
from processors.browser.launching import BrowserKind
from processors.browser.pool import WarmBrowserPool
from processors.browser.protocol import SessionOptions
from qa_queue.cases.environment import Channel, Connect, Geolocation, HttpCredentials, Use
from qa_queue.cases.hosts import HostList
from qa_queue.errors import BrowserMissingError, InputError
from tests.browser.conftest import Opener, Visit
from tests.support.poll import async_wait_until
from tests.support.running import ExecutionHarness
from tests.support.site import Site, serve_site
from tests.support.steps import case, expect, goto, step

REPORT = """<script>
const media = query => matchMedia(query).matches;
const place = new Promise(done => navigator.geolocation.getCurrentPosition(
  ({coords}) => done([coords.latitude, coords.longitude]), error => done(error.code)));
</script>"""
BERLIN = Geolocation(latitude=52.5, longitude=13.4)


@pytest.mark.parametrize(
    ("use", "asked", "seen"),
    [
        ({"locale": "de-DE"}, "[navigator.language, (1.5).toLocaleString()]", ["de-DE", "1,5"]),
        ({"time_zone": "Asia/Tokyo"}, "Intl.DateTimeFormat().resolvedOptions().timeZone", "Asia/Tokyo"),
        ({"clock": "2030-01-31T09:00"}, "new Date().toISOString().slice(0, 16)", "2030-01-31T09:00"),
        (
            {"clock": "2030-01-31T09:00", "time_zone": "Asia/Tokyo"},
            "new Date().toISOString().slice(0, 16)",
            "2030-01-31T00:00",
        ),
        ({"geolocation": BERLIN, "permissions": ("geolocation",)}, "place", [52.5, 13.4]),
        ({"geolocation": BERLIN}, "place", 1),
        ({"color_scheme": "dark"}, "media('(prefers-color-scheme: dark)')", True),
        ({"reduced_motion": "reduce"}, "media('(prefers-reduced-motion: reduce)')", True),
        ({"forced_colors": "active"}, "media('(forced-colors: active)')", True),
        ({"contrast": "more"}, "media('(prefers-contrast: more)')", True),
        ({"user_agent": "Robot/1"}, "navigator.userAgent", "Robot/1"),
        ({"has_touch": True}, "navigator.maxTouchPoints > 0", True),
        ({"device": "iPhone 15"}, "/iPhone/.test(navigator.userAgent)", True),
    ],
)
async def test_a_page_sees_the_environment(visit: Opener, use: dict[str, Any], asked: str, seen: object) -> None:
    """Each key of `use` reaches the page."""
    page = await visit(REPORT, **use)
    assert await page.js(asked) == seen


async def test_headers_and_offline(visit: Opener, site: Site) -> None:
    """Every request has the headers; an offline run opens nothing."""
    page = await visit("<p>", headers={"X-Branch": "main"})
    request = await page.page.request.get(site.url)
    assert request.status == 404
    async with page.page.expect_request("**") as sent:
        await page.passes(step("reload"))
    assert (await (await sent.value).all_headers())["x-branch"] == "main"
    cut = await visit(None, offline=True)
    outcome = await cut.do(goto("/"))
    assert "there is no network (ERR_INTERNET_DISCONNECTED)" in (outcome.error or "")


async def test_without_scripts(visit: Opener) -> None:
    """A page is shown as it came."""
    page = await visit("<p id=x>plain</p><script>x.textContent = 'scripted'</script>", java_script_enabled=False)
    await page.passes(expect("#x", text="plain"))


@pytest.mark.parametrize(
    ("use", "message"),
    [
        ({"device": "iPhone 15 pro"}, "device 'iPhone 15 pro' is unknown: did you mean 'iPhone 15 Pro'?"),
        ({"device": "Abacus"}, "device 'Abacus' is unknown: use a name from Playwright's list, such as 'Pixel 7'."),
        ({"time_zone": "${env.X}"}, "chromium refuses the setup of the case (`use`): "),
        (
            {"http_credentials": HttpCredentials(username="ann", password="x")},
            "use.http_credentials belong to one site: set base_url, or `origin` beside them",
        ),
    ],
)
async def test_an_environment_that_cannot_be_had(pool: WarmBrowserPool, use: dict[str, Any], message: str) -> None:
    """The message names it, and the warm browser goes on."""
    before = pool.restarts
    with pytest.raises(InputError, match=re.escape(message)):
        async with pool.session(SessionOptions(use=Use(**use))):
            pass
    assert pool.restarts == before


_NOT_BY_PLAYWRIGHT = ("chrome-dev", "chrome-canary", "msedge-canary")


async def test_every_browser_that_is_not_installed_has_its_own_message(
    pool: WarmBrowserPool, browser_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the command that installs it, where there is one; the warm browser goes on."""
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))  # for the driver that is started here
    lacking = WarmBrowserPool(lambda: browser_path)
    uses = [Use(browser="firefox"), Use(browser="webkit")]
    uses += [Use(channel=channel) for channel in get_args(Channel) if not _is_installed(channel)]
    try:
        for use in uses:
            name = use.channel or use.browser
            key = "channel" if use.channel else "browser"
            with pytest.raises(BrowserMissingError) as caught:
                await _open(lacking, use)
            by_playwright = f"run `playwright install {name}` as the worker's user"
            advice = "install it from its maker" if name in _NOT_BY_PLAYWRIGHT else by_playwright
            wanted = f"{name} is not installed on this worker: {advice}, or leave out `use: {{{key}: {name}}}`."
            assert str(caught.value) == wanted
        await _open(lacking, Use())
    finally:
        await lacking.close()


async def _open(pool: WarmBrowserPool, use: Use) -> None:
    async with pool.session(SessionOptions(use=use)):
        pass


def _is_installed(channel: str) -> bool:
    return any(Path("/opt").glob(f"*/{channel.replace('chrome-dev', 'chrome-unstable')}/*"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest_asyncio.fixture(loop_scope="session")
async def devtools(browser_path: Path, tmp_path: Path) -> AsyncIterator[str]:
    """A Chromium that runs elsewhere, by its DevTools address."""
    port = free_port()
    flags = ["--no-sandbox"] if psutil.Process().uids().real == 0 else []
    process = await asyncio.create_subprocess_exec(
        browser_path,
        *flags,
        "--headless",
        f"--remote-debugging-port={port}",
        f"--user-data-dir={tmp_path}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    await async_wait_until(lambda: _listens(port), what="DevTools")
    yield f"http://127.0.0.1:{port}"
    os.killpg(process.pid, signal.SIGKILL)  # the command may be a script that starts the browser
    await process.wait()


@pytest_asyncio.fixture(loop_scope="session")
async def server(browser_path: Path, tmp_path: Path) -> AsyncIterator[str]:
    """A Playwright server that runs elsewhere, by its WebSocket address."""
    port, config = free_port(), tmp_path / "server.json"
    config.write_text(json.dumps({"executablePath": str(browser_path), "port": port, "wsPath": "/pw"}))
    command = (*compute_driver_executable(), "launch-server", "--browser", "chromium", "--config", config)
    silent = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdout=silent, stderr=silent)
    await async_wait_until(lambda: _listens(port), what="the server")
    yield f"ws://127.0.0.1:{port}/pw"
    process.terminate()
    await process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _no_browser() -> Path:
    raise AssertionError("a remote browser needs none of this machine")


async def test_a_remote_browser_by_devtools(devtools: str, site: Site) -> None:
    """Nothing is started here, and sessions share nothing."""
    await _visit_remote(Connect(cdp=devtools), site)


async def test_a_remote_browser_by_websocket(server: str, site: Site) -> None:
    """As by DevTools."""
    await _visit_remote(Connect(websocket=server), site)


async def _visit_remote(connect: Connect, site: Site) -> None:
    path = site.page("/remote", "<h1>here</h1><script>document.cookie ||= 'a=1'</script>")
    pool = WarmBrowserPool(_no_browser, remote=HostList.parse("127.0.0.1"))
    try:
        for _ in range(2):
            async with pool.session(SessionOptions(base_url=site.url, use=Use(connect=connect))) as session:
                assert await session.page.context.cookies() == []
                await Visit(session).passes(goto(path), expect("h1", text="here"))
                assert len(await session.page.context.cookies()) == 1
    finally:
        await pool.close()


@pytest.mark.parametrize("allowed", ["", "browsers.example", "127.0.0.1:1"])
async def test_the_operator_allows_remote_browsers(allowed: str) -> None:
    """A case cannot connect to a host that is not on the list."""
    pool = WarmBrowserPool(_no_browser, remote=HostList.parse(allowed))
    with pytest.raises(InputError, match=r"ws://127.0.0.1:9999/ is not allowed: QA_CONNECT_HOSTS of the worker"):
        async with pool.session(SessionOptions(use=Use(connect=Connect(websocket="ws://127.0.0.1:9999/")))):
            pass


@pytest.mark.parametrize(("protocol", "scheme"), [("cdp", "http"), ("websocket", "ws")])
async def test_nothing_answers_at_the_address(protocol: str, scheme: str) -> None:
    """The message has the address, and the commands that start a browser there."""
    address = f"{scheme}://127.0.0.1:{free_port()}"
    pool = WarmBrowserPool(_no_browser, remote=HostList.parse("127.0.0.1"))
    try:
        with pytest.raises(
            BrowserMissingError, match=rf"no browser answers at {address} \(use.connect\): .*run-server"
        ):
            async with pool.session(SessionOptions(use=Use(connect=Connect(**{protocol: address})))):
                pass
    finally:
        await pool.close()


async def test_one_warm_browser_of_each_kind(pool: WarmBrowserPool, site: Site) -> None:
    """Sessions of one kind share a browser."""
    for _ in range(2):
        async with pool.session(SessionOptions(base_url=site.url)) as session:
            await Visit(session).passes(goto(site.page("/kind", "<p>")))
    assert list(pool._browsers) == [BrowserKind()]


async def test_addresses_are_refused_without_devtools(visit: Opener, site: Site) -> None:
    """By a route, and after a redirect by closing the context."""
    with serve_site() as own:
        own.page("/", "own")
        site.redirects["/to-own"] = f"{own.url}/"
        page = await visit("<p>")
        await page.session.refuse_addresses(denied_addresses([own.url]))
        outcome = await page.do(goto(f"{own.url}/"))
        assert "the service refuses this address" in (outcome.error or "")
        outcome = await page.do(goto("/to-own"))
        assert f"the site redirected to {own.url}/, which the service refuses" in (outcome.error or "")
        await async_wait_until(page.page.is_closed, what="the end of the context")


@pytest.fixture
def guarded(site: Site) -> str:
    """A page behind HTTP authentication; returns its path."""
    site.logins["/guarded"] = "ann:s3cret"
    return site.page("/guarded", "<h1>Welcome</h1>")


async def test_http_credentials_as_a_secret(
    harness: ExecutionHarness, site: Site, guarded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The site's host receives them; another host fails the run before its first step."""
    monkeypatch.setenv("QA_SECRET_SITE", "s3cret")
    use = Use(http_credentials=HttpCredentials(username="ann", password="${secret.SITE}"))
    steps = (goto(guarded), expect("h1", text="Welcome"))
    monkeypatch.setenv("QA_SECRET_SITE_HOSTS", "127.0.0.1")
    good = await harness.test(case(*steps, base_url=site.url, use=use))
    monkeypatch.setenv("QA_SECRET_SITE_HOSTS", "other.example")
    bad = await harness.test(case(*steps, base_url=site.url, use=use))
    assert (good.status, good.error) == ("completed", None)
    assert "use.http_credentials: the secret SITE may not be used at http://127.0.0.1" in (bad.error or "")


async def test_http_credentials_go_to_their_site_alone(visit: Opener, site: Site, guarded: str) -> None:
    """Another origin that asks for a login gets none."""
    login = HttpCredentials(username="ann", password="s3cret", origin="http://127.0.0.1:1/")
    page = await visit(None, http_credentials=login)
    outcome = await page.do(goto(guarded))
    assert outcome.error is not None or await page.js("document.body.textContent") == "login first"


async def test_values_in_the_environment(harness: ExecutionHarness, site: Site) -> None:
    """They are filled in and checked before the first step."""
    site.page("/zone", "<p></p><script>document.querySelector('p').textContent = navigator.language</script>")
    use = Use(locale="${env.LOCALE}")
    steps = (goto("/zone"), expect("p", text="fr-FR"))
    good = await harness.test(case(*steps, base_url=site.url, use=use), env={"LOCALE": "fr-FR"})
    bad = await harness.test(case(*steps, base_url=site.url, use=use), env={"LOCALE": "french!"})
    assert (good.status, good.error) == ("completed", None)
    assert "use.locale: 'french!' is not a locale" in (bad.error or "")
