"""Steps, targets and Playwright's errors in words; globs over URLs."""

from __future__ import annotations

from typing import Any

import pytest

from processors.browser.element_finder import choose
from processors.browser.failures import explain, first_line, navigation
from processors.execution.artifacts import picture_name
from qa_queue.cases.model import Step
from qa_queue.cases.traversal import step_key
from qa_queue.cases.urls import absolute, glob
from qa_queue.models import ErrorKind
from tests.support.steps import expect, goto, on, step, target

BUTTON = {"role": "button", "name": "Sign in"}


@pytest.mark.parametrize(
    ("described", "words"),
    [
        (goto("/login"), "go to /login"),
        (on("click", BUTTON), "click button 'Sign in'"),
        (on("fill", {"label": "Password"}, value="open sesame"), "fill field 'Password'"),
        (on("type", {"placeholder": "Search"}, value="x"), "type into field with placeholder 'Search'"),
        (on("dblclick", "#x"), "double-click `#x`"),
        (step("press", args={"key": "Enter"}), "press Enter"),
        (on("press", "#x", key="Enter"), "press Enter on `#x`"),
        (on("select", {"name": "Size"}, value="L"), "select in element 'Size'"),
        (step("wait_for", args={"url": "**/home"}), "wait for URL **/home"),
        (step("wait_for", args={"target": {"css": "#x"}, "state": "hidden"}), "wait for `#x` (hidden)"),
        (step("wait_for", args={"target": {"css": "li"}, "count": 3}), "wait for `li` (3 of them)"),
        (step("wait_for", args={"load_state": "networkidle"}), "wait for load state networkidle"),
        (step("screenshot"), "take a screenshot"),
        (step("set_viewport", args={"width": 1, "height": 2}), "set the viewport"),
        (expect({"role": "heading"}, text="Hi"), "expect heading text 'Hi'"),
        (expect("#x", visible=True, negate=True), "expect `#x` not visible"),
        (expect(url="**/home"), "expect page url '**/home'"),
        (on("click", "#x").model_copy(update={"name": "Leave"}), "Leave"),
    ],
)
def test_a_step_in_words(described: Step, words: str) -> None:
    """One readable line; what goes into a field is not in it."""
    assert described.title == words


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"role": "dialog"}, "dialog"),
        ({"text": "Hi", "nth": 1}, "text 'Hi' number 2"),
        ({"css": "li", "has_text": "Tea"}, "`li` with text 'Tea'"),
        ({"test_id": "go", "within": {"role": "form"}}, "element with test id 'go' in form"),
        ({"alt": "Logo", "frame": {"css": "iframe"}}, "image 'Logo' in frame `iframe`"),
        ({"xpath": "//p"}, "`//p`"),
    ],
)
def test_a_target_in_words(fields: dict[str, Any], words: str) -> None:
    """The element as a person would name it."""
    assert str(target(**fields)) == words


def test_the_alternatives_of_a_target() -> None:
    """First its own words without the fallbacks, then each of those."""
    found = target(css="#a", fallbacks=[{"css": "#b"}, {"text": "c"}]).alternatives()
    assert [one.document() for one in found] == [{"css": "#a"}, {"css": "#b"}, {"text": "c"}]


def test_a_target_as_a_document_with_its_fallbacks() -> None:
    """A row's target has them all, and nothing that is not set."""
    fields = {"css": "#a", "within": {"role": "form"}, "fallbacks": [{"css": "#b"}]}
    assert target(**fields).document(fallbacks=True) == fields


def test_step_keys() -> None:
    """An id names a step for good; without one its number and action do."""
    assert step_key(goto("/"), 3) == "3:goto"
    assert step_key(goto("/").model_copy(update={"id": "open"}), 3) == "open"


@pytest.mark.parametrize(
    ("suffix", "name"),
    [
        ("", "step-007.png"),
        ("failed", "step-007-failed.png"),
        ("../The Cärt ${secret.X}", "step-007-the-c-rt-secret-x.png"),
    ],
)
def test_names_of_pictures(suffix: str, name: str) -> None:
    """Whatever a step is called, its picture has a plain name."""
    assert picture_name(7, suffix) == name


@pytest.mark.parametrize(
    ("pattern", "url", "fits"),
    [
        ("**/home", "http://shop/home", True),
        ("**/home", "http://shop/a/b/home", True),
        ("**/home", "http://shop/home?x=1", False),
        ("**/home*", "http://shop/home?x=1", True),
        ("/home", "http://shop/home", True),
        ("/*/home", "http://shop/a/home", True),
        ("/*/home", "http://shop/a/b/home", False),
        ("/{a,b}/x", "http://shop/b/x", True),
        ("/{a,b}/x", "http://shop/c/x", False),
        ("/a,b", "http://shop/a,b", True),
        ("/odd{", "http://shop/odd{", True),
        ("/q?x=1", "http://shop/q?x=1", True),
        ("https://other/**", "https://other/a/b", True),
        ("**", "about:blank", True),
    ],
)
def test_globs_over_urls(pattern: str, url: str, fits: bool) -> None:
    """The whole URL has to fit."""
    assert bool(glob(pattern, "http://shop").match(url)) is fits


@pytest.mark.parametrize(
    ("url", "base", "whole"),
    [
        ("/a", "http://h/b/c", "http://h/a"),
        ("a", "http://h/b/", "http://h/b/a"),
        ("http://o/", "http://h", "http://o/"),
    ],
)
def test_urls_are_joined_to_the_base(url: str, base: str, whole: str) -> None:
    """As a link on the base page would be."""
    assert absolute(url, base) == whole


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("Page.goto: net::ERR_CONNECTION_REFUSED at http://x", "nothing listens there"),
        ("Page.goto: net::ERR_CONNECTION_RESET at http://x", "the server broke the connection"),
        ("Page.goto: net::ERR_NAME_NOT_RESOLVED at http://x", "the host name is not known"),
        ("Page.goto: net::ERR_CERT_AUTHORITY_INVALID at http://x", "its TLS certificate is not trusted"),
        ("Page.goto: net::ERR_TOO_MANY_REDIRECTS at http://x", "the site redirects in a loop"),
        ("Page.goto: net::ERR_SOMETHING_NEW at http://x", "the browser gave up (ERR_SOMETHING_NEW)"),
        ("Page.goto: Timeout 7ms exceeded.\nCall log:\n", "http://x did not load in 7 ms"),
        ("Page.goto: Protocol error: Cannot navigate to invalid URL\nCall log:", "Cannot navigate to invalid URL"),
    ],
)
def test_why_a_page_did_not_open(text: str, cause: str) -> None:
    """The URL and the cause, in one line."""
    failure = navigation(text, url="http://x", timeout_ms=7)
    assert failure.kind is ErrorKind.NAVIGATION
    assert "http://x" in str(failure)
    assert cause in str(failure)


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ("    - element is not stable", "it keeps moving"),
        ("    - element is outside of the viewport", "it is outside of the viewport"),
        ("    - <i>x</i> from <div>y</div> subtree intercepts pointer events", "it is covered by <i>x</i>"),
        ("    - something new", "it did not become ready"),
    ],
)
def test_why_an_element_cannot_be_used(log: str, reason: str) -> None:
    """The last thing that the call log complains of."""
    text = f"Locator.click: Timeout 9ms exceeded.\nCall log:\n  - locator resolved to <b>\n{log}\n  - retrying"
    assert f"cannot be used: {reason}, for 9 ms" in str(explain(text, subject="`b`", timeout_ms=9))


def test_the_first_line_is_short() -> None:
    """Without the method's name, and cut."""
    assert first_line("Locator.fill: Error: No\nCall log:") == "No"
    assert len(first_line("x" * 1000)) == 300


@pytest.mark.parametrize(
    ("counts", "fallbacks", "winner"),
    [
        ([1, 1], False, 0),
        ([0, 1], False, None),
        ([0, 1], True, 1),
        ([0, 2, 1], True, 2),
        ([2, 1], True, 1),
        ([0, 0], True, None),
        ([1, 1], True, 0),
    ],
)
def test_which_alternative_wins(counts: list[int], fallbacks: bool, winner: int | None) -> None:
    """The target itself, else the first fallback with one match once fallbacks may win."""
    assert choose(counts, fallbacks=fallbacks) == winner
