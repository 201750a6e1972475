"""Recorded waits as steps."""

from __future__ import annotations

from typing import Any

import pytest

from qa_queue.cases.actions import WaitFor
from qa_queue.cases.importers.recorder.waits import wait_for_element, wait_for_expression
from qa_queue.cases.model import Target
from qa_queue.cases.steps import Action
from tests.unit.cases.support import assertion

ITEM = Target(css=".item")
FIRST = Target(css="#a", nth=0)


def item(nth: int) -> Target:
    """The item of this index."""
    return Target(css=".item", nth=nth)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ({}, WaitFor(target=item(0), state="attached")),
        ({"operator": "==", "count": 1}, assertion(target=ITEM, count=1)),
        ({"operator": "==", "count": 0}, assertion(target=ITEM, count=0)),
        ({"operator": "==", "count": 2, "visible": False}, assertion(target=ITEM, count=2, negate=True)),
        ({"operator": ">=", "count": 3}, WaitFor(target=item(2), state="attached")),
        ({"operator": ">=", "count": 3, "visible": False}, WaitFor(target=item(2), state="detached")),
        ({"operator": "<=", "count": 3}, WaitFor(target=item(3), state="detached")),
        ({"operator": "<=", "count": 3, "visible": False}, WaitFor(target=item(3), state="attached")),
    ],
)
def test_counts_are_waited_for(step: dict[str, Any], expected: Action):
    """At least three are there when the third is; at most three when there is no fourth."""
    assert wait_for_element(step, ITEM).actions == (expected,)


@pytest.mark.parametrize("step", [{"operator": "==", "count": 1}, {"operator": "<=", "count": 1}])
def test_counts_and_absence_go_by_css(step: dict[str, Any]):
    """They know no fallbacks, and names are not matched exactly as Chrome matches them."""
    named = Target(name="Item", exact=True, fallbacks=(ITEM, Target(text="Item")))

    (args,) = wait_for_element(step, named).actions

    assert args in (assertion(target=ITEM, count=1), WaitFor(target=item(1), state="detached"))


def test_at_least_none_waits_for_nothing():
    """It is true from the start."""
    assert wait_for_element({"operator": ">=", "count": 0}, ITEM).actions == ()


def test_an_index_goes_to_every_fallback():
    """Each alternative names the same list of elements."""
    target = Target(css=".item", fallbacks=(Target(xpath="//li"),))

    (wait,) = wait_for_element({"count": 2}, target).actions

    assert wait == WaitFor(
        target=Target(css=".item", nth=1, fallbacks=(Target(xpath="//li", nth=1),)), state="attached"
    )


def test_properties_become_checks_and_the_rest_is_reported():
    """Text, value, checked and disabled have checks of their own; lists and numbers of attributes have none."""
    properties = {"innerText": "Espresso", "value": "2", "checked": False, "disabled": True, "tabIndex": 0}
    attributes = {"href": "/x", "rel": 5}
    lists = {"classList": ["a"]}
    wait = wait_for_element({"operator": "==", "properties": properties | lists, "attributes": attributes}, ITEM)

    assert wait.actions[1:] == (
        assertion(target=ITEM, text="Espresso"),
        assertion(target=ITEM, value="2"),
        assertion(target=ITEM, checked=True, negate=True),
        assertion(target=ITEM, disabled=True),
        assertion(target=ITEM, property={"tabIndex": 0}),
        assertion(target=ITEM, attribute={"href": "/x"}),
    )
    assert wait.left_out == ("property classList", "attribute rel")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (
            "document.querySelector('#a').innerText === 'Total: $20.00'",
            assertion(target=FIRST, text="Total: $20.00"),
        ),
        ('document.querySelector("#a").textContent.trim() == "x";', assertion(target=FIRST, text="x")),
        ("document.querySelector(`#a`)?.innerText !== 'x'", assertion(target=FIRST, text="x", negate=True)),
        ("document.querySelector('#a').value === 'it\\'s'", assertion(target=FIRST, value="it's")),
        ("document.querySelector('#a').innerText.includes('x')", assertion(target=FIRST, contains_text="x")),
        ("document.querySelector('#a').checked", assertion(target=FIRST, checked=True)),
        ("!document.querySelector('#a').checked", assertion(target=FIRST, checked=True, negate=True)),
        ("document.querySelector('#a').disabled === false", assertion(target=FIRST, disabled=True, negate=True)),
        ("document.querySelector('#a').disabled !== false", assertion(target=FIRST, disabled=True)),
        ("document.querySelectorAll('.item').length === 2", assertion(target=ITEM, count=2)),
        ("document.querySelectorAll('.item').length !== 2", assertion(target=ITEM, count=2, negate=True)),
        ("document.querySelectorAll('.item').length >= 2", WaitFor(target=item(1), state="attached")),
        ("document.querySelectorAll('.item').length > 2", WaitFor(target=item(2), state="attached")),
        ("document.querySelectorAll('.item').length <= 2", WaitFor(target=item(2), state="detached")),
        ("document.querySelectorAll('.item').length < 2", WaitFor(target=item(1), state="detached")),
        ("document.querySelector('#a')", WaitFor(target=FIRST, state="attached")),
        ("!!document.querySelector('#a')", WaitFor(target=FIRST, state="attached")),
        ("document.querySelector('#a') !== null", WaitFor(target=FIRST, state="attached")),
        ("!document.querySelector('#a')", WaitFor(target=FIRST, state="detached")),
        ("document.querySelector('#a') === null", WaitFor(target=FIRST, state="detached")),
        ("document.title === 'Home'", assertion(title="Home")),
        ("window.location.href === 'https://a.example/'", assertion(url="https://a.example/")),
    ],
)
def test_common_expressions_become_checks(expression: str, expected: Action):
    """`querySelector` means the first match."""
    assert wait_for_expression(expression, None) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "new Promise(resolve => setTimeout(() => resolve(true), 2000))",
        "document.querySelector('#a').innerText === total",
        "document.querySelector('#a').innerText === 'x' || document.title === 'y'",
        "document.querySelectorAll('#a').length >= 0",
        "window.ready",
    ],
)
def test_other_expressions_are_left_out(expression: str):
    """A script is imported only if it is understood whole."""
    assert wait_for_expression(expression, None) is None


def test_an_expression_in_a_frame_looks_there():
    """As every step of a frame."""
    assert wait_for_expression("document.querySelector('#a')", [0]) == WaitFor(
        target=Target(css="#a", nth=0, frame=Target(selector="attached-frame=0")), state="attached"
    )
