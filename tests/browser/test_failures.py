"""What goes wrong on a page or on the way to it: the right kind, one line, no call log."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from qa_queue.models import ErrorKind
from tests.browser.conftest import Opener, closed_port, crashing_page
from tests.support.site import Site
from tests.support.steps import expect, goto, on, step

HERE = Path(__file__)


@pytest.mark.parametrize(
    ("html", "action", "args", "kind", "message"),
    [
        ("<p>", "click", {}, ErrorKind.NOT_FOUND, "`#x` was not found in 1000 ms"),
        (
            "<b id=x hidden>x</b>",
            "click",
            {},
            ErrorKind.NOT_ACTIONABLE,
            "cannot be used: it is hidden, for 1000 ms",
        ),
        ("<button id=x disabled>x", "click", {}, ErrorKind.NOT_ACTIONABLE, "cannot be used: it is disabled"),
        (
            "<input id=x readonly>",
            "fill",
            {"value": "a"},
            ErrorKind.NOT_ACTIONABLE,
            "cannot be used: it is read-only",
        ),
        (
            "<button id=x>x</button><div class=veil style='position:fixed;inset:0'></div>",
            "click",
            {},
            ErrorKind.NOT_ACTIONABLE,
            'cannot be used: it is covered by <div class="veil"></div>',
        ),
        ("<h1 id=x>x</h1>", "fill", {"value": "a"}, ErrorKind.NOT_ACTIONABLE, "Element is not an <input>"),
        ("<p id=x>", "upload", {"files": [HERE.name]}, ErrorKind.NOT_ACTIONABLE, "Node is not an HTMLInputElement"),
        ("<select id=x><option>a", "select", {"value": "z"}, ErrorKind.NOT_ACTIONABLE, "it has no such option"),
        ("<input id=x>", "press", {"key": "Foo"}, ErrorKind.INPUT, 'Unknown key: "Foo"'),
    ],
)
async def test_unusable_elements(
    visit: Opener, html: str, action: str, args: dict[str, Any], kind: ErrorKind, message: str
) -> None:
    """The message names the element and the one reason."""
    page = await visit(html, upload_root=HERE.parent)
    outcome = await page.do(on(action, "#x", **args), timeout_ms=1000)
    assert outcome.kind is kind, outcome.error
    assert message in (outcome.error or "")
    assert "\n" not in (outcome.error or "")


async def test_a_selector_that_cannot_be_parsed_is_the_cases_fault(visit: Opener) -> None:
    """Bad CSS is input, not a missing element."""
    page = await visit("<p>")
    outcome = await page.do(on("click", "#x[["))
    assert outcome.kind is ErrorKind.INPUT
    assert "parsing css selector" in (outcome.error or "")


async def test_site_down(visit: Opener) -> None:
    """The message names the URL and that nothing listens there."""
    page = await visit(None, base_url=f"http://127.0.0.1:{closed_port()}")
    outcome = await page.do(goto("/login"))
    assert outcome.kind is ErrorKind.NAVIGATION
    assert "/login: nothing listens there; is the site up? (ERR_CONNECTION_REFUSED)" in (outcome.error or "")


async def test_unknown_host(visit: Opener) -> None:
    """A host name that does not exist is said so."""
    page = await visit(None)
    outcome = await page.do(goto("http://nothing.invalid/"))
    assert outcome.kind is ErrorKind.NAVIGATION
    assert "cannot open http://nothing.invalid/" in (outcome.error or "")


async def test_redirect_loop(visit: Opener, site: Site) -> None:
    """A loop of redirects is named."""
    site.redirects |= {"/round": "/about", "/about": "/round"}
    page = await visit(None)
    outcome = await page.do(goto("/round"))
    assert outcome.kind is ErrorKind.NAVIGATION
    assert "the site redirects in a loop (ERR_TOO_MANY_REDIRECTS)" in (outcome.error or "")


async def test_tls_to_a_plain_server(visit: Opener, site: Site) -> None:
    """A broken TLS handshake is named."""
    page = await visit(None)
    outcome = await page.do(goto(site.url.replace("http://", "https://")))
    assert outcome.kind is ErrorKind.NAVIGATION
    assert "TLS failed" in (outcome.error or "")


async def test_a_page_that_never_loads(visit: Opener, site: Site) -> None:
    """A page that does not answer in time is a navigation error."""
    site.held["/slow"] = threading.Event()
    page = await visit(None)
    outcome = await page.do(goto("/slow"), timeout_ms=300)
    assert (outcome.kind, outcome.error) == (ErrorKind.NAVIGATION, f"{site.url}/slow did not load in 300 ms")


async def test_a_link_to_a_dead_site_is_blamed_on_the_way(visit: Opener) -> None:
    """After a click that led nowhere, the next step speaks of the navigation and not of a missing element."""
    page = await visit(f'<a id=x href="http://127.0.0.1:{closed_port()}/next">next</a>')
    await page.passes(on("click", "#x"))
    outcome = await page.do(on("click", "#y"), timeout_ms=1000)
    assert outcome.kind is ErrorKind.NAVIGATION
    assert "/next: nothing listens there" in (outcome.error or "")


async def test_page_crash(visit: Opener, site: Site) -> None:
    """A page whose process dies is a page crash, in the step that met it and in the next."""
    page = await visit("<p>")
    first = await page.do(goto(crashing_page(site)))
    second = await page.do(on("click", "#x"))
    assert first.kind is second.kind is ErrorKind.PAGE_CRASH
    assert "the page crashed" in (second.error or "")


async def test_a_page_that_closes_itself(visit: Opener) -> None:
    """A page that goes away by its own script is not a crash of the browser."""
    page = await visit("<p>")
    await page.page.close()
    outcome = await page.do(on("click", "#x"))
    assert (outcome.kind, outcome.error) == (ErrorKind.PAGE_CRASH, "the page was closed")


async def test_a_busy_page_does_not_hold_the_run(visit: Opener) -> None:
    """A script that never ends makes the step fail in its time, even where Playwright itself would wait."""
    page = await visit("<p>")
    await page.js("void setTimeout(() => { for (;;); })")
    outcome = await page.do(on("click", {"css": "#y", "fallbacks": [{"css": "#z"}]}), timeout_ms=200)
    assert outcome.kind is ErrorKind.TIMEOUT
    assert "a script keeps it busy" in (outcome.error or "")


async def test_dialogs_are_dismissed_and_noted(visit: Opener) -> None:
    """A dialog that no one expected does not stop the run, and is in the log."""
    page = await visit("<button id=x onclick='this.textContent = confirm(\"Sure?\")'>x</button>")
    await page.passes(on("click", "#x"), expect("#x", text="false"))
    assert [(e["type"], e["text"]) for e in page.session.events] == [("dialog", "confirm dismissed: Sure?")]


async def test_what_the_page_says_is_logged(visit: Opener) -> None:
    """Console messages and page errors are kept with where they came from."""
    page = await visit(
        "<p id=x><script>console.warn('careful'); setTimeout(() => { throw Error('oops') })</script>"
    )
    await page.passes(step("wait_for", args={"target": {"css": "#x"}, "state": "attached"}))
    await page.js("new Promise(done => setTimeout(done))")
    entries = {entry["type"]: entry for entry in page.session.events}
    assert (entries["console"]["level"], entries["console"]["text"]) == ("warning", "careful")
    assert "oops" in entries["pageerror"]["text"]
