"""Every check of `expect`: it passes, it fails with what was there, and `not` turns it round."""

from __future__ import annotations

from typing import Any

import pytest

from processors.browser.action_context import CHECKERS
from qa_queue.cases.checks import CHECKS
from qa_queue.models import ErrorKind
from tests.browser.conftest import Opener
from tests.support.steps import expect

PAGE = """<title>Sign in</title><h1 id=x>Sign  in</h1><input id=f value=ann><input id=on type=checkbox checked>
<input id=off type=checkbox><button id=dead disabled>No</button><p id=gone hidden>gone</p><li></li><li></li>"""

# check, target, what holds, what does not hold, the message then
TABLE: list[tuple[str, str | None, Any, Any, str]] = [
    ("text", "#x", "Sign in", "Welcome", "expected text 'Welcome', found 'Sign in' in 200 ms on `#x`"),
    ("contains_text", "#x", "Sign", "Out", "expected to contain text 'Out', found 'Sign in' in 200 ms on `#x`"),
    ("value", "#f", "ann", "bob", "expected value 'bob', found 'ann' in 200 ms on `#f`"),
    ("count", "li", 2, 3, "expected count 3, found '2' in 200 ms on `li`"),
    ("title", None, "Sign in", "Home", "expected title 'Home', found 'Sign in' in 200 ms"),
]
FLAGS = [
    ("visible", "#x", "#gone", "expected to be visible, found 'hidden' in 200 ms on `#gone`"),
    ("visible", "#x", "#none", "expected to be visible, found no such element in 200 ms on `#none`"),
    ("hidden", "#gone", "#x", "expected to be hidden, found 'visible' in 200 ms on `#x`"),
    ("checked", "#on", "#off", "expected to be checked, found 'unchecked' in 200 ms on `#off`"),
    ("enabled", "#f", "#dead", "expected to be enabled, found 'disabled' in 200 ms on `#dead`"),
    ("disabled", "#dead", "#f", "expected to be disabled, found 'enabled' in 200 ms on `#f`"),
]


def test_every_check_of_the_format_is_made() -> None:
    """A new check without a coroutine is noticed."""
    assert set(CHECKERS) == set(CHECKS.values())


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
