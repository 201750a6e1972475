"""Points that belong to an ancestor of the element, or to its label."""

from __future__ import annotations

import pytest

from processors.browser.pointing import closed_by_action
from qa_queue.models import ErrorKind, StepStatus
from tests.browser.conftest import Opener
from tests.support.running import ExecutionHarness
from tests.support.site import Site
from tests.support.steps import case, goto, on

CUP = """<style>.milk { width: 80px; height: 40px; pointer-events: none }</style>
<div class=cup onclick="this.n = (this.n || 0) + 1" ondblclick="this.d = 1" onmousemove="this.m = 1">
<div class=milk>Milk</div></div>"""
BOX = """<style>label { position: relative; display: inline-block; width: 90px; height: 30px }
input { position: absolute; left: 0; opacity: 0 } span { position: absolute; inset: 0 }</style>
<label><input type=checkbox id=box><span>Offers</span></label>"""


@pytest.mark.parametrize(
    ("html", "action", "where", "asked"),
    [
        (CUP, "click", "div.cup > div.milk", "document.querySelector('.cup').n === 1"),
        (CUP, "dblclick", ".milk", "document.querySelector('.cup').d === 1"),
        (CUP, "hover", ".milk", "document.querySelector('.cup').m === 1"),
        (BOX, "check", "#box", "box.checked"),
        (BOX, "click", "#box", "box.checked"),
    ],
)
async def test_the_ancestor_or_label_receives_the_action(
    visit: Opener, html: str, action: str, where: str, asked: str
) -> None:
    """As from a user, and the step says so."""
    page = await visit(html)
    outcome = await page.do(on(action, where))
    assert (outcome.error, outcome.adapted) == (None, True)
    assert "which received the action" in outcome.notes[0]
    assert await page.js(asked) is True


LABEL = "<label for=box style='display:block;width:300px;text-align:center'>I accept {}</label>"
HIDDEN = {
    "not displayed": "<input type=checkbox id=box style='display:none'>" + LABEL,
    "invisible radio": "<label><input type=radio id=box style='visibility:hidden'>Offers</label>",
    "without a size": "<label class=switch style='display:inline-block;width:60px;height:30px'>"
    "<input type=checkbox id=box style='opacity:0;width:0;height:0'><span></span></label>",
    "beside the page": "<input type=checkbox id=box style='position:absolute;left:-9999px'>" + LABEL,
    "with a link in its label": "<input type=checkbox id=box hidden>"
    + LABEL.format("<a href=/x>the terms</a> of it"),
}


@pytest.mark.parametrize(
    ("action", "html"), [*(("check", html) for html in HIDDEN.values()), ("click", HIDDEN["not displayed"])]
)
async def test_a_hidden_box_is_reached_by_its_label(visit: Opener, action: str, html: str) -> None:
    """As a user does; the step says so."""
    page = await visit(html)
    outcome = await page.do(on(action, "#box"))
    assert (outcome.error, outcome.adapted) == (None, True)
    assert outcome.notes == ("the element is not shown: its label received the action",)
    assert await page.js("box.checked") is True


async def test_a_hidden_box_that_is_right_is_left_alone(visit: Opener) -> None:
    """Nothing is clicked, and nothing was adapted."""
    page = await visit("<label><input type=checkbox id=box checked hidden onchange='this.n=1'>Offers</label>")
    outcome = await page.do(on("check", "#box"))
    assert (outcome.error, outcome.adapted, outcome.notes) == (None, False, ())
    assert await page.js("box.n") is None


@pytest.mark.parametrize(
    ("html", "message"),
    [
        ("<input type=checkbox id=box hidden>", "it is hidden"),
        ("<label hidden>Offers<input type=checkbox id=box></label>", "it is hidden"),
        (
            "<label onclick='event.preventDefault()'>Offers<input type=checkbox id=box hidden></label>",
            "`#box` is not shown, and a click on its label did not change its state",
        ),
    ],
)
async def test_a_hidden_box_that_its_label_does_not_tick_is_an_error(
    visit: Opener, html: str, message: str
) -> None:
    """There is no label to click, or it has no effect."""
    page = await visit(html)
    outcome = await page.do(on("check", "#box"), timeout_ms=1_500)
    assert message in (outcome.error or "")


@pytest.mark.parametrize("action", ["click", "dblclick", "hover", "check"])
async def test_anything_else_that_covers_the_element_is_an_error(visit: Opener, action: str) -> None:
    """A dialog in front would receive the click instead."""
    page = await visit(
        "<input type=checkbox id=x><div id=veil style='position:fixed;inset:0' onclick='this.n=1'></div>"
    )
    outcome = await page.do(on(action, "#x"), timeout_ms=3_000)
    assert outcome.kind is ErrorKind.NOT_ACTIONABLE
    assert "it is covered by <div" in (outcome.error or "")
    assert await page.js("veil.n") is None


async def test_such_a_step_and_its_run_are_adapted(harness: ExecutionHarness, site: Site) -> None:
    """The reason is a note; no other locator was used, so there is nothing to judge."""
    site.page("/cup", CUP)
    result = await harness.test(case(goto("/cup"), on("click", ".milk"), base_url=site.url))
    assert (result.status, result.error) == ("adapted", None)
    assert harness.steps(result.test_run_id)[1].status is StepStatus.ADAPTED
    assert harness.row(result.test_run_id).notes == (
        "step 2: the point belongs to an ancestor of the element, which received the action",
    )
    assert harness.store.list_adaptations([result.test_run_id]) == []


CLOSED = """Locator.click: Target page, context or browser has been closed
Call log:
  - waiting for locator("button")
  - attempting click action
    - done scrolling
"""


@pytest.mark.parametrize(
    ("text", "done"),
    [
        (CLOSED + "    - performing click action\n", True),
        (CLOSED + "    - performing click action\n    - click action done\n", True),
        (CLOSED, False),
        ("Locator.click: Timeout 500ms exceeded.\nCall log:\n    - performing click action\n", False),
    ],
)
def test_a_page_that_its_own_button_closes_is_not_a_failure(text: str, done: bool) -> None:
    """Playwright may see the page go before it has seen the end of the click."""
    assert closed_by_action(text) is done
