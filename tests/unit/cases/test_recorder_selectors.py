"""A recording's selectors as targets."""

from __future__ import annotations

from typing import Any

import pytest

from qa_queue.cases.importers.recorder.selectors import aim
from qa_queue.cases.model import Target


def target(*selectors: Any, **step: Any) -> Target | None:
    """The target of a step with these alternatives."""
    return aim({"selectors": list(selectors)} | step).target


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("aria/Proceed to checkout", Target(name="Proceed to checkout", exact=True)),
        ("aria/  Proceed  to\ncheckout ", Target(name="Proceed to checkout", exact=True)),
        ('aria/Book cover[role="img"]', Target(role="img", name="Book cover", exact=True)),
        ('aria/Book cover[role="image"]', Target(role="img", name="Book cover", exact=True)),
        ("aria/[role='button'][name='Go']", Target(role="button", name="Go", exact=True)),
        ('aria/[role="form"]', Target(role="form")),
        ('aria/Total[role="StaticText"]', Target(text="Total", exact=True)),
        ('aria/Total[role="LabelText"]', Target(name="Total", exact=True)),
        ("aria/cart (3)", Target(name="cart (3)", exact=True)),
        ('xpath///*[@id="name"]', Target(xpath='//*[@id="name"]')),
        ("xpath/(//a)[2]", Target(xpath="(//a)[2]")),
        ("pierce/#name", Target(css="#name")),
        ("#app > div:nth-child(3)", Target(css="#app > div:nth-child(3)")),
        ("a[href='/x']", Target(css="a[href='/x']")),
        ("my-app >>> .go >>>> b", Target(css="my-app .go b")),
        ("::-p-aria(Go)", Target(name="Go", exact=True)),
        ("::-p-xpath(//a)", Target(xpath="//a")),
    ],
)
def test_each_prefix_has_its_locator(selector: str, expected: Target):
    """An alternative may stand alone or in a list of one."""
    assert target(selector) == expected
    assert target([selector]) == expected


def test_alternatives_become_fallbacks_in_the_recorded_order():
    """The recorder puts the most reliable first; what says the same twice is kept once."""
    assert target(["aria/Go"], ["#go"], ["pierce/#go"], ["text/Go"]) == Target(
        name="Go", exact=True, fallbacks=(Target(css="#go"), Target(text="Go", exact=True))
    )


def test_a_path_through_shadow_roots_is_a_chain():
    """Each host is searched for the next; Playwright's CSS looks into open shadow roots."""
    assert target(["my-app", "my-form", "#go"]) == Target(
        css="#go", within=Target(css="my-form", within=Target(css="my-app"))
    )


def test_a_nameless_inner_node_adds_nothing():
    """Chrome ends paths with the plain node that was under the pointer."""
    assert target(["aria/Sign in", 'aria/[role="generic"]']) == Target(name="Sign in", exact=True)
    assert target(["aria/Sign in", 'aria/[role="StaticText"]']) == Target(name="Sign in", exact=True)


def test_a_frame_is_an_iframe_by_its_index_at_each_level():
    """Every alternative is looked for in it; frames are counted in the order of their attachment."""
    outer = Target(selector="attached-frame=1")
    inner = Target(selector="attached-frame=0", frame=outer)

    assert target("#go", "text/Go", frame=[1, 0]) == Target(
        css="#go", frame=inner, fallbacks=(Target(text="Go", exact=True, frame=inner),)
    )
    assert target("#go", frame=[]) == Target(css="#go")


def test_names_shown_in_capitals_take_the_spelling_of_the_page():
    """Chrome's names are spelled after CSS's text-transform, `text/` selectors as in the page."""
    assert target(["aria/WORK WITH ME"], ["text/Work With Me"]) == Target(
        name="Work With Me", exact=True, fallbacks=(Target(text="Work With Me", exact=True),)
    )
    assert target(["aria/FAQ"], ["text/Questions"]) == Target(
        name="FAQ", exact=True, fallbacks=(Target(text="Questions", exact=True),)
    )


@pytest.mark.parametrize("selector", ['aria/[role="generic"]', "div::-p-text(x) b", "aria/", "text/", "pierce/ "])
def test_what_cannot_be_read_is_reported(selector: str):
    """The other alternatives stay."""
    aimed = aim({"selectors": [[selector], ["#go"]]})

    assert aimed.target == Target(css="#go")
    assert aimed.unread == (selector,)
    assert aim({"selectors": [[selector]]}).target is None


@pytest.mark.parametrize(
    ("selectors", "expected"),
    [
        (["#a", "text/OK"], Target(text="OK", exact=True)),
        (["aria/OK now", "text/OK"], Target(text="OK", exact=True)),
        (["aria/Espresso Macchiato", "text/Espresso Mac"], Target(text="Espresso Macchiato", exact=True)),
        (["aria/ESPRESSO MACCHIATO", "text/Espresso Macchiato"], Target(text="Espresso Macchiato", exact=True)),
        (["#a", "text/Espresso Mac"], Target(selector=r"text=/^\s*Espresso\s+Mac(?![\p{L}\p{N}_])/u")),
        (["text/I like (it)"], Target(selector=r"text=/(?<![\p{L}\p{N}_])I\s+like\s+\(it\)(?![\p{L}\p{N}_])/u")),
        (["::-p-text(Go)"], Target(selector=r"text=/(?<![\p{L}\p{N}_])Go(?![\p{L}\p{N}_])/u")),
    ],
)
def test_a_text_matches_no_more_loosely_than_its_neighbours(selectors: list[str], expected: Target):
    """Short texts are whole, longer ones may be the first words; alone it may be a part, between words."""
    found = target(*selectors)

    assert found is not None
    assert (found, *found.fallbacks)[-1] == expected
