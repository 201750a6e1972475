"""Dialogs: answered by a step, by the case, or dismissed and noted."""

from __future__ import annotations

from typing import Any

import pytest

from processors.browser.dialogs import difference
from qa_queue.cases.actions import AnswerDialog
from qa_queue.models import ErrorKind
from tests.browser.conftest import Opener, Visit
from tests.support.poll import async_wait_until
from tests.support.running import ExecutionHarness
from tests.support.site import Site
from tests.support.steps import case, expect, goto, on, step

ASKS = """<button id=confirm onclick="x.textContent = confirm('Delete  Ann?')">Delete</button>
<button id=prompt onclick="x.textContent = prompt('Your name?', 'Bob')">Name</button>
<button id=alert onclick="alert('Saved'); x.textContent = 'on'">Save</button>
<button id=twice onclick="x.textContent = confirm('Sure?') + ' ' + confirm('Really?')">All</button>
<p id=x>?</p>"""
ACCEPT = "as `dialogs` of the case says: put `dialog: accept` before this step to accept it"
DISMISS = "as `dialogs` of the case says: put `dialog: dismiss` before this step to dismiss it"
HOW = "put `dialog: accept` before this step, or `dialogs: accept` in the case, to accept it"


def dialog(answer: str, **args: Any) -> Any:
    """A step that answers the next dialog."""
    return step("dialog", args={"answer": answer, **args})


@pytest.mark.parametrize(
    ("button", "prepared", "seen"),
    [
        ("confirm", [dialog("accept")], "true"),
        ("confirm", [dialog("dismiss")], "false"),
        ("confirm", [dialog("accept", message="Delete Ann?", kind="confirm")], "true"),
        ("confirm", [dialog("accept", contains="Ann")], "true"),
        ("prompt", [dialog("accept", prompt="Ann")], "Ann"),
        ("prompt", [dialog("accept", prompt="")], ""),
        ("prompt", [dialog("accept")], "Bob"),
        ("prompt", [dialog("dismiss")], ""),
        ("alert", [dialog("accept", message="Saved")], "on"),
        ("twice", [dialog("accept"), dialog("dismiss", message="Really?")], "true false"),
    ],
)
async def test_a_step_answers_the_next_dialog(visit: Opener, button: str, prepared: list[Any], seen: str) -> None:
    """Accepted or dismissed, with a text for a prompt; nothing is noted."""
    page = await visit(ASKS)
    await page.passes(*prepared)
    outcome = await page.do(on("click", f"#{button}"))
    assert (outcome.error, outcome.notes) == (None, ())
    await page.passes(expect("#x", text=seen))


@pytest.mark.parametrize(
    ("button", "policy", "seen", "note"),
    [
        (
            "confirm",
            None,
            "false",
            f"confirm 'Delete Ann?' appeared and was dismissed, because no step answers it: {HOW}",
        ),
        ("prompt", None, "", f"prompt 'Your name?' appeared and was dismissed, because no step answers it: {HOW}"),
        ("alert", None, "on", "alert 'Saved' appeared and was closed"),
        (
            "confirm",
            "accept",
            "true",
            f"confirm 'Delete Ann?' appeared and was accepted, {DISMISS}",
        ),
        (
            "confirm",
            "dismiss",
            "false",
            f"confirm 'Delete Ann?' appeared and was dismissed, {ACCEPT}",
        ),
        (
            "prompt",
            "accept",
            "Bob",
            f"prompt 'Your name?' appeared and was accepted, {DISMISS}",
        ),
    ],
)
async def test_a_dialog_that_no_step_answers_is_noted(
    visit: Opener, button: str, policy: str | None, seen: str, note: str
) -> None:
    """Dismissed unless the case says otherwise; the note says how to answer."""
    page = await visit(ASKS, dialogs=policy)
    outcome = await page.do(on("click", f"#{button}"))
    assert (outcome.error, outcome.notes) == (None, (note,))
    await page.passes(expect("#x", text=seen))


@pytest.mark.parametrize(
    ("prepared", "error"),
    [
        (
            dialog("accept", message="Delete Bob?"),
            "expected a dialog with the message 'Delete Bob?', found confirm 'Delete Ann?', which was dismissed",
        ),
        (
            dialog("accept", contains="Bob"),
            "expected a dialog whose message contains 'Bob', found confirm 'Delete Ann?', which was dismissed",
        ),
        (
            dialog("accept", kind="alert"),
            "expected a dialog of type alert, found confirm 'Delete Ann?', which was dismissed",
        ),
    ],
)
async def test_another_dialog_than_the_expected_one(visit: Opener, prepared: Any, error: str) -> None:
    """It is dismissed, so that nothing is deleted, and fails the step in which it appears."""
    page = await visit(ASKS)
    await page.passes(prepared)
    outcome = await page.do(on("click", "#confirm"))
    assert (outcome.kind, outcome.error) == (ErrorKind.ASSERTION, error)
    await page.passes(expect("#x", text="false"))


async def test_the_question_before_a_page_is_left(visit: Opener, site: Site) -> None:
    """By default the page is left; a step can stay on it."""
    asking = """<script>addEventListener('beforeunload', event => event.preventDefault())</script>
    <input id=x><a id=go href=/next>next</a>"""
    site.page("/next", "<h1>Next</h1>")
    page = await visit(asking)
    await page.passes(on("fill", "#x", value="typed"), on("click", "#x"))
    await page.passes(dialog("dismiss", kind="beforeunload"), on("click", "#go"))
    assert await page.js("document.querySelector('#x').value") == "typed"
    outcome = await page.do(on("click", "#go"))
    await page.passes(expect("h1", text="Next"))
    notes = [*outcome.notes, *page.session.unreported]
    assert notes == [
        "the page asked whether to leave it, and was left: put `dialog: dismiss` before this step to stay"
    ]


async def test_a_dialog_of_another_page(visit: Opener, site: Site) -> None:
    """It is answered and noted as those of the page in front are."""
    site.page("/asking-window", "<script>setTimeout(() => confirm('Allow?'))</script>")
    page = await visit("<a id=x target=_blank href=/asking-window>next</a>")
    await page.passes(on("click", "#x"))
    await async_wait_until(lambda: [e for e in page.session.events if e["type"] == "dialog"], what="the dialog")
    assert any("confirm 'Allow?' appeared" in note for note in page.session.unreported)


async def test_an_answer_that_is_not_needed_is_noted(harness: ExecutionHarness, site: Site) -> None:
    """At the end of the run: nothing shows that the case expected a dialog otherwise."""
    site.page("/no-dialog", "<p>")
    result = await harness.test(case(dialog("accept"), goto("/no-dialog"), base_url=site.url))
    assert harness.row(result.test_run_id).notes == ("`dialog: accept` was prepared, and no dialog appeared",)


async def test_a_run_states_its_dialogs(harness: ExecutionHarness, site: Site) -> None:
    """At the step and for the run, with the step's position; secrets in a message are masked."""
    site.page("/confirms", ASKS)
    steps = (goto("/confirms"), on("click", "#confirm"), expect("#x", text="false"))
    result = await harness.test(case(*steps, base_url=site.url))
    note = f"confirm 'Delete Ann?' appeared and was dismissed, because no step answers it: {HOW}"
    assert harness.row(result.test_run_id).notes == (f"step 2: {note}",)
    assert [one.notes for one in harness.steps(result.test_run_id)] == [(), (note,), ()]


async def test_the_dialogs_of_a_case(harness: ExecutionHarness, site: Site) -> None:
    """`dialogs: accept` confirms."""
    site.page("/confirmed", ASKS)
    steps = (goto("/confirmed"), on("click", "#confirm"), expect("#x", text="true"))
    result = await harness.test(case(*steps, base_url=site.url, dialogs="accept"))
    assert (result.status, result.error) == ("completed", None)


def test_what_differs() -> None:
    """White space is folded on both sides."""
    wanted = AnswerDialog(answer="accept", message="a b")
    assert difference(wanted, "alert", " a\n b ") is None
    assert difference(wanted, "alert", "a c") is not None


async def test_dialogs_of_a_busy_page_are_answered_in_order(visit: Opener) -> None:
    """Each prepared answer is used once, for the dialog that appears first."""
    page: Visit = await visit(ASKS)
    await page.passes(dialog("accept"), dialog("dismiss"))
    await page.passes(on("click", "#confirm"), expect("#x", text="true"))
    await page.passes(on("click", "#confirm"), expect("#x", text="false"))
    assert page.session.unreported == ()
