"""Several pages in one run: new tabs and windows, and the evidence of each."""

from __future__ import annotations

import asyncio
import threading

import pytest

from qa_queue.models import ErrorKind
from tests.browser.conftest import Opener
from tests.support.poll import async_wait_until
from tests.support.running import ExecutionHarness
from tests.support.site import Site
from tests.support.steps import case, expect, goto, on, step

FAST_MS = 400


@pytest.fixture
def windows(site: Site) -> str:
    """A page whose links open others, at once or later; returns its path."""
    site.page("/receipt", "<title>Receipt</title><h1>Receipt</h1><button onclick=window.close()>Close</button>")
    site.page("/terms", "<title>Terms</title><h1>Terms</h1>")
    return site.page(
        "/windows",
        """<title>Shop</title><h1>Shop</h1><a id=tab target=_blank href=/receipt>tab</a>
        <a id=terms target=_blank href=/terms>terms</a><button id=late
        onclick="setTimeout(() => open('/receipt', '', 'popup'), 300)">late</button>""",
    )


@pytest.mark.parametrize("opener", ["#tab", "#late"])
async def test_a_page_that_a_click_opens_is_followed(visit: Opener, windows: str, opener: str) -> None:
    """A tab or a window, opened at once or later; steps before the switch act on the page in front."""
    page = await visit(None)
    await page.passes(goto(windows), on("click", opener), expect("h1", text="Shop"))
    await page.passes(step("switch_page", args={"newest": True}), expect("h1", text="Receipt"))


@pytest.mark.parametrize("args", [{"title": "Receipt"}, {"url": "**/receipt"}, {"index": 1}])
async def test_a_page_is_chosen(visit: Opener, windows: str, args: dict[str, object]) -> None:
    """By title, URL or index, and it is waited for."""
    page = await visit(None)
    await page.passes(goto(windows), on("click", "#tab"), step("switch_page", args=args))
    await page.passes(
        expect("h1", text="Receipt"), step("switch_page", args={"index": 0}), expect("h1", text="Shop")
    )
    await page.passes(step("switch_page", args={"index": -1}), expect("h1", text="Receipt"))


async def test_newest_is_a_page_that_no_step_has_used(visit: Opener, windows: str) -> None:
    """After a return to the first page, a second click opens another one, which is waited for."""
    page = await visit(None)
    await page.passes(goto(windows), on("click", "#terms"), step("switch_page", args={"newest": True}))
    await page.passes(step("switch_page", args={"index": 0}), on("click", "#late"))
    await page.passes(step("switch_page", args={"newest": True}), expect("h1", text="Receipt"))


async def test_no_such_page(visit: Opener, windows: str) -> None:
    """The message lists the pages that are open."""
    page = await visit(None)
    await page.passes(goto(windows), on("click", "#tab"), step("switch_page", args={"newest": True}))
    for args, wanted in (
        ({"newest": True}, "opened last"),
        ({"title": "Receipts"}, "with title 'Receipts'"),
        ({"url": "**/bill"}, "with URL **/bill"),
        ({"index": 2}, "with index 2"),
    ):
        outcome = await page.do(step("switch_page", args=args), timeout_ms=FAST_MS)
        assert outcome.kind is ErrorKind.NOT_FOUND
        assert outcome.error is not None
        assert outcome.error.startswith(
            f"no page {wanted} was there in 400 ms; open pages: 0) 'Shop' http".replace("\\", "")
        )
        assert "/windows; 1) 'Receipt' http" in outcome.error


async def test_two_pages_with_one_title_are_ambiguous(visit: Opener, windows: str) -> None:
    """A choice is strict, as a target is."""
    page = await visit(None)
    await page.passes(goto(windows), on("click", "#tab"), step("switch_page", args={"newest": True}))
    await page.passes(step("switch_page", args={"index": 0}), on("click", "#tab"))
    await page.passes(step("switch_page", args={"newest": True}))
    outcome = await page.do(step("switch_page", args={"title": "Receipt"}))
    assert outcome.kind is ErrorKind.AMBIGUOUS
    assert "2 pages with title 'Receipt' are open: 0) 'Receipt' http" in (outcome.error or "")
    assert "Use `index` or `newest`." in (outcome.error or "")


async def test_a_new_page_is_opened(visit: Opener, windows: str) -> None:
    """Empty, or at a URL of the site; the others stay open."""
    page = await visit(None)
    await page.passes(goto(windows), step("new_page", args={"url": "/receipt"}), expect("h1", text="Receipt"))
    await page.passes(step("new_page"), goto("/terms"), expect("h1", text="Terms"))
    assert len(page.page.context.pages) == 3


@pytest.mark.parametrize("url", ["file:///etc/passwd", "chrome://version", "view-source:http://127.0.0.1/"])
async def test_a_new_page_opens_pages_of_the_web_only(visit: Opener, url: str) -> None:
    """As `goto` does, also with a URL that came from a value."""
    made = step("new_page")
    unchecked = made.model_copy(update={"args": made.args.model_copy(update={"url": url})})
    page = await visit(None)
    outcome = await page.do(unchecked)
    assert outcome.kind is ErrorKind.INPUT
    assert "which a case may not open" in (outcome.error or "")


async def test_a_new_page_that_does_not_open(visit: Opener) -> None:
    """The step fails as `goto` does."""
    outcome = await (await visit(None)).do(step("new_page", args={"url": "http://127.0.0.1:9/"}))
    assert outcome.kind is ErrorKind.NAVIGATION
    assert "browsers refuse this port" in (outcome.error or "")


async def test_a_closed_page_leads_back(visit: Opener, windows: str) -> None:
    """To the page used before it, whether a step closes it or the page itself."""
    page = await visit(None)
    await page.passes(goto(windows), on("click", "#tab"), step("switch_page", args={"newest": True}))
    await page.passes(step("close_page"), expect("h1", text="Shop"))
    await page.passes(on("click", "#tab"), step("switch_page", args={"newest": True}))
    await page.passes(on("click", "button"), expect("h1", text="Shop"))


async def test_the_last_page_is_closed(visit: Opener, windows: str) -> None:
    """Steps on it fail; a new page is one to continue on."""
    page = await visit(None)
    await page.passes(goto(windows), step("close_page"))
    outcome = await page.do(on("click", "#tab"))
    assert (outcome.kind, outcome.error) == (ErrorKind.PAGE_CRASH, "the page was closed")
    await page.passes(step("new_page", args={"url": windows}), expect("h1", text="Shop"))


async def test_evidence_of_every_page(visit: Opener, site: Site) -> None:
    """Console, script errors and failed requests of another page are in the log, with the page's URL."""
    noisy = site.page(
        "/noisy-window",
        """<p id=x>a</p><script>console.log('hello'); setTimeout(() => { throw Error('boom') })
        fetch('http://127.0.0.1:1/gone').catch(() => {})</script>""",
    )
    page = await visit(f"<script>console.log('first')</script><a id=x target=_blank href={noisy}>next</a>")
    await page.passes(on("click", "#x"))
    expected = {
        ("console", "hello"),
        ("pageerror", "boom"),
        ("requestfailed", "GET http://127.0.0.1:1/gone: net::ERR_UNSAFE_PORT"),
    }

    def entries() -> set[tuple[str, str]]:
        return {(e["type"], e["text"]) for e in page.session.events if e.get("page") == f"{site.url}{noisy}"}

    await async_wait_until(lambda: expected <= entries(), what="the log of the second page")
    (first,) = [entry for entry in page.session.events if entry["text"] == "first"]
    assert "page" not in first


async def test_a_page_that_crashes_fails_no_step_on_another(visit: Opener, windows: str) -> None:
    """Steps on the crashed page fail; the log says that it crashed."""
    page = await visit(None)
    await page.passes(goto(windows), step("new_page", args={"url": "/receipt"}))
    devtools = await page.page.context.new_cdp_session(page.page)
    crash = asyncio.ensure_future(devtools.send("Page.crash"))
    await async_wait_until(lambda: page.session.events, what="the crash in the log")
    outcome = await page.do(on("click", "button"))
    assert (outcome.kind, outcome.error) == (ErrorKind.PAGE_CRASH, f"the page crashed at {page.page.url}")
    await page.passes(step("switch_page", args={"index": 0}), expect("h1", text="Shop"))
    crash.cancel()


async def test_a_pop_up_that_never_answers_breaks_nothing(visit: Opener, site: Site) -> None:
    """The run goes on beside it; a switch to it fails in its time and lists what is open."""
    site.held["/hung-window"] = threading.Event()
    page = await visit("<a id=x target=_blank href=/hung-window>next</a><h1>here</h1>")
    await page.passes(on("click", "#x"), expect("h1", text="here"))
    outcome = await page.do(step("switch_page", args={"newest": True}), timeout_ms=FAST_MS)
    assert outcome.kind is ErrorKind.NOT_FOUND
    assert "no page opened last was there in 400 ms; open pages: 0) " in (outcome.error or "")
    await page.passes(expect("h1", text="here"))
    site.held["/hung-window"].set()


async def test_a_case_with_several_pages(harness: ExecutionHarness, site: Site, windows: str) -> None:
    """The step's picture and the failure are those of the page in front."""
    steps = (
        goto(windows),
        on("click", "#tab"),
        step("switch_page", args={"newest": True}),
        expect("h1", text="Bill").model_copy(update={"timeout_ms": FAST_MS}),
    )
    result = await harness.test(case(*steps, base_url=site.url))
    assert (result.error or "").startswith("step 4: expected text 'Bill', found 'Receipt' in 400 ms")
