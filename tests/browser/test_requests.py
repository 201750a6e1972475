"""Requests of a case: sent with the browser's cookies, and by the same rules as the browser's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from examples.reference import serve
from processors.browser.egress.policy import EgressPolicy, endpoints
from processors.browser.pool import WarmBrowserPool
from processors.browser.protocol import SessionOptions, StepOutcome
from qa_queue.cases.hosts import HostList
from qa_queue.models import ErrorKind
from tests.browser.conftest import Opener, Visit
from tests.support.site import Site
from tests.support.steps import step


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    with serve() as url:
        yield url


async def request(page: Visit, **args: object) -> StepOutcome:
    return await page.do(step("request", args=dict(args)))


async def test_cookies_go_both_ways(visit: Opener, api: str) -> None:
    """The browser sees the session of a request, and a request the session of the browser."""
    page = await visit(base_url=api)
    assert (await request(page, post="/api/login", form={"user": "Ann", "password": "espresso"})).error is None
    outcome = await request(page, get="/api/me", save={"user": "$.user"})
    assert outcome.saved == {"user": "Ann"}
    await page.session._context.clear_cookies()
    assert "got 401 Unauthorized" in str((await request(page, get="/api/me")).error)


async def test_a_redirect_changes_a_post_into_a_get_and_drops_its_login(
    visit: Opener, api: str, site: Site
) -> None:
    """As browsers do; another host does not receive the login of the first."""
    site.redirects["/moved"] = f"{api}/api/echo"
    page = await visit(base_url=site.url)
    outcome = await request(
        page,
        post="/moved",
        json={"a": 1},
        auth={"user": "Ann", "password": "espresso"},
        save={"echo": "$"},
    )
    echo = outcome.saved["echo"]
    assert (echo["method"], echo["body"]) == ("GET", "")
    assert not {"authorization", "content-type"} & echo["headers"].keys()


async def test_a_loop_of_redirects_ends(visit: Opener, site: Site) -> None:
    site.redirects["/loop"] = "/loop"
    outcome = await request(await visit(), get="/loop")
    assert outcome.kind is ErrorKind.NAVIGATION
    assert "more than 20 redirects" in str(outcome.error)


@pytest.mark.parametrize("written", ["http://127.0.0.1:8600/", "http://0x7f.1:8600/", "http://LOCALHOST:8600/x"])
async def test_addresses_of_the_service_are_refused(
    pool: WarmBrowserPool, site: Site, visit: Opener, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    """However they are written, and after a redirect; nothing is sent."""
    monkeypatch.setattr(pool, "_egress", EgressPolicy(own=endpoints(["http://127.0.0.1:8600"])))
    site.redirects["/away"] = written
    page = await visit()
    for url in (written, "/away"):
        outcome = await request(page, get=url)
        assert "the service refuses this address" in str(outcome.error)


async def test_only_addresses_of_the_web_are_requested(visit: Opener, site: Site) -> None:
    """A redirect may not lead to a file of the worker either."""
    site.redirects["/file"] = "file:///etc/passwd"
    page = await visit()
    assert "cannot be sent" in str((await request(page, get="/file")).error)
    assert "cannot be sent" in str((await request(page, get="about:blank")).error)


async def test_a_secret_is_sent_to_its_hosts_alone(pool: WarmBrowserPool, api: str, site: Site) -> None:
    """Also when a permitted host redirects to another one."""
    site.redirects["/elsewhere"] = f"{api}/api/echo"
    own = HostList.parse(site.url.removeprefix("http://"))
    options = SessionOptions(base_url=site.url, secrets=("espresso",), secret_hosts={"PASSWORD": own})
    async with pool.session(options) as session:
        for url in (f"{api}/api/echo", "/elsewhere"):
            sent = step("request", args={"get": url, "headers": {"X-Key": "espresso"}})
            outcome = await session.perform(sent, timeout_ms=5000, secrets=frozenset({"PASSWORD"}))
            assert f"the secret PASSWORD may not be used at {api}/api/echo" in str(outcome.error)


async def test_a_file_outside_the_folder_of_the_case_is_not_sent(visit: Opener, api: str, tmp_path: object) -> None:
    page = await visit(base_url=api, upload_root=tmp_path)
    outcome = await request(page, post="/api/echo", files={"menu": "../menu.txt"})
    assert "only files in the folder of the case" in str(outcome.error)
    for name in ("a\0b.txt", "x" * 300):
        outcome = await request(page, post="/api/echo", files={"menu": name})
        assert "cannot upload a file: " in str(outcome.error)
        assert "is not a file that can be read" in str(outcome.error)
