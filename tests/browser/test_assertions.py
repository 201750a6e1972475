"""Every check of `expect`: it passes, it fails with what was there, and `not` turns it round."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from processors.browser.accessibility import Violation
from processors.browser.action_context import CHECKERS
from processors.browser.checks import page as page_checks
from qa_queue.cases.checks import CHECKS
from qa_queue.cases.checks.base import FORMS
from qa_queue.models import ErrorKind
from tests.browser.conftest import Opener
from tests.support.steps import expect

PAGE = """<title>Sign in</title><h1 id=x>Sign  in</h1><input id=f value=ann><input id=on type=checkbox checked>
<input id=off type=checkbox><button id=dead disabled>No</button><p id=gone hidden>gone</p><li></li><li></li>
<input id=partly type=checkbox><input id=fixed readonly value=1><i id=blank></i><a id=a href="/home"
class="btn main" style="color: rgb(1, 2, 3)" title="Opens the page" aria-label="Go home">Go</a>
<select id=m multiple><option selected>Tea<option>Oat<option selected>Rye</select>
<s class=d>Tea</s><s class=d>Oat</s><u id=under>u</u>
<style>#under { position: absolute; top: 4000px } #under::after { content: "x" }</style>
<script>partly.indeterminate = true; f.focus()</script>"""

# check, target, what holds, what does not hold, the message then
TABLE: list[tuple[str, str | None, Any, Any, str]] = [
    ("text", "#x", "Sign in", "Welcome", "expected text 'Welcome', found 'Sign in' in 200 ms on `#x`"),
    ("contains_text", "#x", "Sign", "Out", "expected to contain text 'Out', found 'Sign in' in 200 ms on `#x`"),
    ("value", "#f", "ann", "bob", "expected value 'bob', found 'ann' in 200 ms on `#f`"),
    ("count", "li", 2, 3, "expected count 3, found '2' in 200 ms on `li`"),
    ("count", "li", {"at_least": 2}, {"greater": 2}, "expected count greater 2, found '2' in 200 ms on `li`"),
    (
        "count",
        "li",
        {"at_least": 1, "less": 3},
        {"at_most": 1},
        "expected count at most 1, found '2' in 200 ms on `li`",
    ),
    ("text", "#x", "/^sign/i", "/^in/", "expected text /^in/, found 'Sign in' in 200 ms on `#x`"),
    (
        "text",
        "s.d",
        ["Tea", "/oat/i"],
        ["Oat", "Tea"],
        "expected text ['Oat', 'Tea'], found ['Tea', 'Oat'] in 200 ms on `s.d`",
    ),
    (
        "contains_text",
        "s.d",
        ["O"],
        ["Z"],
        "expected to contain text ['Z'], found ['Tea', 'Oat'] in 200 ms on `s.d`",
    ),
    ("value", "#f", "/^a/", "/^b/", "expected value /^b/, found 'ann' in 200 ms on `#f`"),
    (
        "values",
        "#m",
        ["Tea", "/R.e/"],
        ["Oat"],
        "expected values ['Oat'], found ['Tea', 'Rye'] in 200 ms on `#m`",
    ),
    (
        "attribute",
        "#a",
        {"href": "/home"},
        {"href": "/cart"},
        "expected attribute href '/cart', found '/home' in 200 ms on `#a`",
    ),
    (
        "attribute",
        "#a",
        "href",
        "target",
        "expected attribute 'target', found 'attribute not present' in 200 ms on `#a`",
    ),
    ("class", "#a", "btn main", "btn", "expected class 'btn', found 'btn main' in 200 ms on `#a`"),
    (
        "contains_class",
        "#a",
        "main",
        "side",
        "expected to contain class 'side', found 'btn main' in 200 ms on `#a`",
    ),
    (
        "css",
        "#a",
        {"color": "rgb(1, 2, 3)"},
        {"color": "red"},
        "expected CSS color 'red', found 'rgb(1, 2, 3)' in 200 ms on `#a`",
    ),
    (
        "property",
        "#off",
        {"checked": False},
        {"checked": True},
        "expected property checked True, found 'False' in 200 ms on `#off`",
    ),
    ("id", "#a", "a", "b", "expected id 'b', found 'a' in 200 ms on `#a`"),
    ("role", "#a", "link", "button", "expected role 'button', found 'link' in 200 ms on `#a`"),
    (
        "accessible_name",
        "#a",
        "Go home",
        "Go",
        "expected accessible name 'Go', found 'Go home' in 200 ms on `#a`",
    ),
    (
        "accessible_description",
        "#a",
        "/^opens/i",
        "Closes",
        "expected accessible description 'Closes', found 'Opens the page' in 200 ms on `#a`",
    ),
    (
        "aria_snapshot",
        "#x",
        '- heading "Sign in"',
        '- heading "Home"',
        "expected to match the aria snapshot '- heading \"Home\"', found '- heading \"Sign in\" [level=1]' in "
        "200 ms on `#x`",
    ),
    ("title", None, "/sign IN/i", "/home/", "expected title /home/, found 'Sign in' in 200 ms"),
    ("title", None, "Sign in", "Home", "expected title 'Home', found 'Sign in' in 200 ms"),
]
FLAGS = [
    ("visible", "#x", "#gone", "expected to be visible, found 'hidden' in 200 ms on `#gone`"),
    ("visible", "#x", "#none", "expected to be visible, found no such element in 200 ms on `#none`"),
    ("hidden", "#gone", "#x", "expected to be hidden, found 'visible' in 200 ms on `#x`"),
    ("checked", "#on", "#off", "expected to be checked, found 'unchecked' in 200 ms on `#off`"),
    ("enabled", "#f", "#dead", "expected to be enabled, found 'disabled' in 200 ms on `#dead`"),
    ("attached", "#gone", "#none", "expected to be attached, found no such element in 200 ms on `#none`"),
    (
        "in_viewport",
        "#x",
        "#under",
        "expected to be in the viewport, found 'viewport ratio 0' in 200 ms on `#under`",
    ),
    ("empty", "#blank", "#x", "expected to be empty, found 'notEmpty' in 200 ms on `#x`"),
    ("editable", "#f", "#fixed", "expected to be editable, found 'readOnly' in 200 ms on `#fixed`"),
    ("focused", "#f", "#x", "expected to be focused, found 'inactive' in 200 ms on `#x`"),
    ("disabled", "#dead", "#f", "expected to be disabled, found 'enabled' in 200 ms on `#f`"),
]


def test_every_check_of_the_format_is_made() -> None:
    """A new check without a coroutine is noticed."""
    assert set(CHECKERS) == {*CHECKS.values(), *FORMS.values()}


@pytest.mark.parametrize(("check", "target", "right", "wrong", "message"), TABLE)
async def test_values(
    visit: Opener, check: str, target: str | None, right: object, wrong: object, message: str
) -> None:
    """A check of a value passes, fails with both values, and fails the other way with `not`."""
    page = await visit(PAGE)
    await page.passes(expect(target, **{check: right}), expect(target, **{check: wrong}, negate=True))
    failed = await page.do(expect(target, **{check: wrong}), timeout_ms=200)
    negated = await page.do(expect(target, **{check: right}, negate=True), timeout_ms=200)
    assert (failed.kind, failed.error) == (ErrorKind.ASSERTION, message)
    assert negated.kind is ErrorKind.ASSERTION
    assert "expected not " in (negated.error or "")


@pytest.mark.parametrize(("check", "right", "wrong", "message"), FLAGS)
async def test_flags(visit: Opener, check: str, right: str, wrong: str, message: str) -> None:
    """A check of a state passes, fails with the state, and fails the other way with `not`."""
    page = await visit(PAGE)
    await page.passes(expect(right, **{check: True}), expect(wrong, **{check: True}, negate=True))
    failed = await page.do(expect(wrong, **{check: True}), timeout_ms=200)
    negated = await page.do(expect(right, **{check: True}, negate=True), timeout_ms=200)
    assert (failed.kind, failed.error) == (ErrorKind.ASSERTION, message)
    assert negated.kind is ErrorKind.ASSERTION


async def test_url_is_a_glob(visit: Opener) -> None:
    """A URL is checked as a glob, relative to the base URL or anywhere."""
    page = await visit(PAGE)
    await page.passes(expect(url="**/page-*"), expect(url="/page-*"), expect(url="**/home", negate=True))
    failed = await page.do(expect(url="**/home"), timeout_ms=200)
    assert failed.kind is ErrorKind.ASSERTION
    assert "expected URL '**/home', found 'http://127.0.0.1" in (failed.error or "")


async def test_url_by_a_regular_expression(visit: Opener) -> None:
    """An expression is searched in the whole URL."""
    page = await visit(PAGE)
    await page.passes(expect(url={"matches": r"/page-\d+$"}), expect(url={"matches": "/HOME"}, negate=True))
    await page.passes(
        expect(url={"matches": "/PAGE-", "ignore_case": True}), expect(url="**/PAGE-*", ignore_case=True)
    )
    failed = await page.do(expect(url={"matches": "home$"}), timeout_ms=200)
    assert (failed.error or "").startswith("expected URL /home$/, found 'http://127.0.0.1:")


async def test_options_of_checks(visit: Opener) -> None:
    """Case, pseudo-elements, parts of the viewport and the third state of a checkbox."""
    page = await visit(PAGE)
    await page.passes(
        expect("#x", text="SIGN IN", ignore_case=True),
        expect("#a", attribute={"href": "/HOME"}, ignore_case=True),
        expect("#under", css={"content": '"x"'}, pseudo="after"),
        expect("#x", in_viewport=True, ratio=1),
        expect("#partly", checked=True, indeterminate=True),
        expect("#off", checked=True, indeterminate=True, negate=True),
        expect(aria_snapshot='- heading "Sign in"'),
    )
    wrong = await page.do(expect("#off", checked=True, indeterminate=True), timeout_ms=200)
    assert wrong.error == "expected to be checked as indeterminate, found 'unchecked' in 200 ms on `#off`"


async def test_an_assertion_waits(visit: Opener) -> None:
    """A check that holds within the timeout passes."""
    page = await visit("<h1 id=x>Wait</h1><script>setTimeout(() => x.textContent = 'Done', 80)</script>")
    await page.passes(expect("#x", text="Done"))


async def test_text_of_a_missing_element(visit: Opener) -> None:
    """Nothing there is said in words."""
    page = await visit("<p>")
    outcome = await page.do(expect("#x", text="a"), timeout_ms=200)
    assert outcome.error == "expected text 'a', found no such element in 200 ms on `#x`"


async def test_value_of_what_has_none(visit: Opener) -> None:
    """A check that the element cannot pass says why."""
    page = await visit("<h1 id=x>a</h1>")
    outcome = await page.do(expect("#x", value="a"), timeout_ms=200)
    assert "an error: Not an input element" in (outcome.error or "")


@pytest.mark.parametrize(
    ("looks", "error"),
    [
        (0, "axe did not read the page in 700 ms: give the step more time (`timeout`)"),
        (1, "expected no accessibility violations in 700 ms, found 1: html-has-lang (serious)"),
    ],
)
async def test_a_page_that_axe_does_not_read_in_time(
    visit: Opener, monkeypatch: pytest.MonkeyPatch, looks: int, error: str
) -> None:
    """What an earlier look found counts; without one the message says what to do."""
    page, left = await visit(PAGE), iter(range(looks))

    async def slow(*args: Any) -> list[Violation]:
        if next(left, None) is None:
            await asyncio.Event().wait()
        return [Violation(rule="html-has-lang", impact="serious", help="", url="", elements=("html",))]

    monkeypatch.setattr(page_checks, "violations", slow)
    outcome = await page.do(expect(None, accessibility=True), timeout_ms=700)
    assert (outcome.error or "").startswith(error)
