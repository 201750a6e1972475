"""How targets find elements: kinds, narrowing, names, strictness, fallbacks."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from processors.browser.locators import locator_for
from processors.browser.protocol import Found, Match
from qa_queue.cases.model import Target
from qa_queue.cases.vocabulary import DOCUMENT
from qa_queue.models import ErrorKind
from tests.browser.conftest import Opener
from tests.support.steps import expect, on, step

KINDS = """
<button id=role>Go <b>on</b></button><label for=label>Mail</label><input id=label>
<p id=text>Some words</p><input id=placeholder placeholder="Search here"><img id=alt alt="Logo" src="data:,">
<i id=title title="Hint">?</i><u id=test_id data-testid='a"b'>t</u><u id=other data-qa=x>o</u>
<ul><li class=item>One <a id=within href="#">more</a><li class=item>Two <a href="#">more</a></ul>
<h2 id=level>Head</h2><h3>Head</h3>
<input type=checkbox aria-label=Box id=checked checked><input type=checkbox aria-label=Box>
<s class=v hidden>v</s><s class=v id=visible>v</s>
<a id=exact href="#">Log</a><a href="#">Log out</a>
<button id=expanded aria-expanded=true>Menu</button><button aria-expanded=false>Menu</button>
<button id=pressed aria-pressed=true>Bold</button><button id=unpressed aria-pressed=false>Bold</button>
<div role=tablist><a role=tab id=selected aria-selected=true>Tab</a><a role=tab aria-selected=false>Tab</a></div>
<button id=disabled disabled>Save</button><button id=enabled>Save</button>
<span aria-hidden=true><button id=unseen>Unseen</button></span>
<dl><dd class=card>Tea <i class=new>new</i></dd><dd class=card id=plain>Oat</dd></dl>
<s id=path title="/home/">/home/</s><s>home</s>
"""


@pytest.mark.parametrize(
    ("target", "element"),
    [
        ({"role": "button", "name": "go on"}, "role"),
        ({"label": "Mail"}, "label"),
        ({"text": "some words"}, "text"),
        ({"placeholder": "Search"}, "placeholder"),
        ({"alt": "Logo"}, "alt"),
        ({"title": "Hint"}, "title"),
        ({"test_id": 'a"b'}, "test_id"),
        ({"css": "#text"}, "text"),
        ({"xpath": "//h2"}, "level"),
        ({"selector": "text=Some words"}, "text"),
        ({"role": "heading", "name": "Head", "level": 2}, "level"),
        ({"role": "checkbox", "checked": True}, "checked"),
        ({"role": "link", "name": "more", "within": {"css": "li", "has_text": "One"}}, "within"),
        ({"role": "link", "name": "more", "nth": 0}, "within"),
        ({"css": ".v", "visible": True}, "visible"),
        ({"text": "Log", "exact": True}, "exact"),
        ({"name": "Log"}, "exact"),
        ({"role": "button", "name": "Menu", "expanded": True}, "expanded"),
        ({"role": "button", "name": "Bold", "pressed": True}, "pressed"),
        ({"role": "button", "name": "Bold", "pressed": False}, "unpressed"),
        ({"role": "tab", "selected": True}, "selected"),
        ({"role": "button", "name": "Save", "disabled": True}, "disabled"),
        ({"role": "button", "name": "Save", "disabled": False}, "enabled"),
        ({"role": "button", "name": "Unseen", "include_hidden": True}, "unseen"),
        ({"css": ".card", "has_not_text": "Tea"}, "plain"),
        ({"css": ".card", "has": {"css": ".new"}, "and": {"text": "Tea"}, "or": "#none"}, ""),
        ({"css": ".card", "has_not": {"css": ".new"}}, "plain"),
        ({"css": ".card", "and": {"text": "Oat"}}, "plain"),
        ({"text": "Welcome", "or": {"text": "Oat"}}, "plain"),
        ({"css": ".card", "or": {"css": "#text"}, "last": True}, "plain"),
        ({"css": ".card", "or": {"css": "#text"}, "first": True}, "text"),
        ({"role": "button", "name": "/^go ON$/i"}, "role"),
        ({"text": "/^some w/i"}, "text"),
        ({"label": "/^M.il$/"}, "label"),
        ({"placeholder": "/search/i"}, "placeholder"),
        ({"alt": "/^L/"}, "alt"),
        ({"title": "/^Hi/"}, "title"),
        ({"test_id": "/^a.b$/"}, "test_id"),
        ({"name": "/^Mail$/"}, "label"),
        ({"css": "dd", "has_text": "/^Oat$/"}, "plain"),
        ({"text": "\\/home/"}, "path"),
        ({"title": "\\/home/"}, "path"),
    ],
)
async def test_target_finds_its_element(visit: Opener, target: dict[str, Any], element: str) -> None:
    """Every kind of locator and every way to narrow it leads to the one element that is meant."""
    page = await visit(KINDS)
    locator = locator_for(page.page, Target.model_validate(target, context=DOCUMENT, by_name=False), "data-testid")
    assert (await locator.get_attribute("id", timeout=2000) or "") == element


async def test_an_element_matches_every_kind_that_a_target_has(visit: Opener) -> None:
    """Programs may give several; in a file they are written with `and`."""
    page = await visit(KINDS)
    locator = locator_for(page.page, Target(css="p", text="Some words"), "data-testid")
    assert await locator.get_attribute("id", timeout=2000) == "text"


@pytest.mark.parametrize(
    "target",
    [
        {"label": "Mail"},
        {"name": "Mail"},
        {"css": "input", "and": {"label": "Mail"}},
        {"css": "#none", "or": {"css": "input"}},
        {"name": "Mail", "within": {"css": "p", "has": {"css": "input"}}},
        {"name": "Mail", "within": {"css": "p", "within": {"css": "body"}}},
    ],
)
async def test_every_kind_of_target_leads_into_frames(visit: Opener, target: dict[str, Any]) -> None:
    """Names, labels and targets that are joined find their element in a frame too."""
    page = await visit("<iframe id=f srcdoc='<p><label>Mail <input id=x></label></p><i>Mail</i>'></iframe>")
    await page.passes(on("fill", {**target, "frame": {"css": "#f"}}, value="a"))
    assert await page.js("f.contentDocument.querySelector('input').value") == "a"


async def test_test_id_attribute_is_the_cases(visit: Opener) -> None:
    """`use.test_id_attribute` decides what `test_id` looks at, for this context alone."""
    page = await visit(KINDS, test_id_attribute="data-qa")
    await page.passes(expect({"test_id": "x"}, text="o"))


@pytest.mark.parametrize(
    ("html", "name", "element"),
    [
        ('<div id=x aria-label="Espresso">cup</div><p>Espresso</p>', "Espresso", "x"),
        ("<button id=x>Submit</button><button>Submit all</button>", "Submit", "x"),
        ("<label for=x>Name</label><input id=x>", "Name", "x"),
        ('<label for=x aria-label="Name">Name</label><input id=x>', "Name", "x"),
        ("<label><input type=checkbox id=x> I agree</label>", "I agree", "x"),
        ('<a id=x href="#">cart (3)</a>', "cart (3)", "x"),
        ('<label aria-label="Note">n<input type=checkbox id=x></label>', "Note", "x"),
    ],
)
async def test_a_name_alone_is_any_element_that_people_act_on(
    visit: Opener, html: str, name: str, element: str
) -> None:
    """As Chrome's `aria/` selectors, a name finds what bears it, and a field rather than its label."""
    page = await visit(f"<body onclick='window.clicked = event.target.id'>{html}")
    await page.passes(on("click", {"name": name}))
    assert await page.js("window.clicked") == element


@pytest.mark.parametrize(
    ("html", "name"),
    [
        (
            '<input type=checkbox id=p aria-label="Box"><label id=x for=p aria-label="News">n</label>',
            "News",
        ),
        ('<label id=x aria-label="News"><input type=checkbox aria-label="Box"></label>', "News"),
        ('<label id=x for=none aria-label="News">n</label>', "News"),
        ('<label id=x aria-label="Say &quot;it\'s&quot;">n</label>', 'Say "it\'s"'),
    ],
)
async def test_a_label_that_names_no_field_is_found_by_its_own_name(visit: Opener, html: str, name: str) -> None:
    """Where the field is called otherwise, or does not exist, the name can only mean the label."""
    page = await visit(html)
    locator = locator_for(page.page, Target(name=name), "data-testid")
    assert await locator.get_attribute("id", timeout=2000) == "x"
    if name == "News":
        locator = locator_for(page.page, Target(name="new", exact=False), "data-testid")
        assert await locator.get_attribute("id", timeout=2000) == "x"


async def test_an_ambiguous_target_lists_what_it_matches(visit: Opener) -> None:
    """Two matches are an error that shows each, at most five."""
    page = await visit("".join(f"<button class=b{n}>Buy</button>" for n in range(7)))
    outcome = await page.do(on("click", {"role": "button", "name": "Buy"}))
    assert outcome.kind is ErrorKind.AMBIGUOUS
    assert (outcome.error or "").startswith(
        "button 'Buy' matches 7 elements: 1) <button class=\"b0\">Buy</button> is {role: button, name: Buy, "
        "first: true}; "
    )
    assert "b4" in (outcome.error or "")
    assert "b5" not in (outcome.error or "")
    assert "and 2 more" in (outcome.error or "")


async def test_a_suggested_target_is_unique(visit: Opener) -> None:
    """Each of the listed elements is found by the target beside it, whatever singles it out."""
    page = await visit(
        "<button>Save</button><button>Save as</button><button id=x>Save</button><b data-testid=sa>Save z</b>"
        "<ul><li>a<button class=z>Save</button></li></ul><input placeholder='Save: it'>"
    )
    outcome = await page.do(on("click", "button, b, input"))
    targets = re.findall(r" is (\{.*?\})(?:;|\. Use)", outcome.error or "")
    assert len(targets) == 5
    for written in targets:
        found = Target.model_validate(yaml.safe_load(written), context=DOCUMENT)
        assert await locator_for(page.page, found, "data-testid").count() == 1, written


async def test_an_ambiguous_target_of_an_assertion_is_listed_too(visit: Opener) -> None:
    """Assertions are as strict as actions."""
    page = await visit("<p>a</p><p>b</p>")
    outcome = await page.do(expect("p", text="a"), timeout_ms=300)
    assert outcome.kind is ErrorKind.AMBIGUOUS
    assert "`p` matches 2 elements: 1) <p>a</p>" in (outcome.error or "")


async def test_frames_are_entered(visit: Opener) -> None:
    """A target inside a frame inside a frame is found, its fallbacks too."""
    inner = "<button onclick='top.hit = 1'>Pay</button>"
    page = await visit(f'<iframe id=a srcdoc="<iframe id=b srcdoc=&quot;{inner}&quot;></iframe>"></iframe>')
    frame = {"css": "#b", "frame": {"css": "#a"}}
    outcome = await page.do(
        on("click", {"css": "#old", "frame": frame, "fallbacks": [{"role": "button", "frame": frame}]}),
        timeout_ms=3000,
    )
    assert (outcome.error, outcome.found and outcome.found.index) == (None, 1)
    assert await page.js("window.hit") == 1


async def test_the_targets_own_words_win_and_every_alternative_is_judged(visit: Opener) -> None:
    """The primary wins; matches say of each alternative how many and whether it is the same element."""
    page = await visit("<button id=x class=b>Go</button><button class=b>Stop</button>")
    fallbacks = [{"css": ".b"}, {"xpath": "//button[1]"}, {"css": ".b:last-child"}, {"css": "#none"}, {"css": "b["}]
    outcome = await page.do(on("click", {"css": "#x", "fallbacks": fallbacks}))
    assert outcome.found == Found(
        index=0,
        matches=tuple(
            Match(count=count, same=same)
            for count, same in [(1, True), (2, False), (1, True), (1, False), (0, False), (0, False)]
        ),
    )


async def test_alternatives_in_and_out_of_a_frame_are_distinguished(visit: Opener) -> None:
    """The same words find one element in the frame and another one in the page."""
    page = await visit("<button id=x>Go</button><iframe id=f srcdoc='<button id=x>Go</button>'></iframe>")
    frame = {"css": "#f"}
    fallbacks = [{"css": "#x"}, {"role": "button", "frame": frame}, {"css": "#y", "frame": frame}]
    outcome = await page.do(on("click", {"css": "#x", "frame": frame, "fallbacks": fallbacks}))
    assert outcome.found is not None
    counts = [(match.count, match.same) for match in outcome.found.matches]
    assert counts == [(1, True), (1, False), (1, True), (0, False)]


async def test_a_fallback_with_one_match_stands_in(visit: Opener) -> None:
    """The first fallback that matches exactly one element is used after the grace."""
    page = await visit("<button id=x onclick='this.n=1'>Go</button><button>Stop</button>")
    outcome = await page.do(
        on("click", {"css": "#old", "fallbacks": [{"css": "button"}, {"text": "Go"}, {"css": "#x"}]}),
        timeout_ms=2000,
    )
    assert (outcome.error, outcome.found and outcome.found.index) == (None, 2)
    assert await page.js("x.n") == 1


async def test_a_target_that_comes_late_still_wins_within_the_grace(visit: Opener) -> None:
    """A fallback that is there at once does not beat the target while the grace lasts."""
    page = await visit(
        "<p id=old>a</p><script>setTimeout(() => old.insertAdjacentHTML('afterend', '<b id=x>b</b>'), 150)</script>"
    )
    outcome = await page.do(on("click", {"css": "#x", "fallbacks": [{"css": "#old"}]}), timeout_ms=5000)
    assert outcome.found is not None
    assert outcome.found.index == 0


async def test_a_fallback_never_stands_in_for_what_should_be_absent(visit: Opener) -> None:
    """A check for absence is about the target's own words."""
    page = await visit("<p id=x>a</p>")
    gone = {"css": "#gone", "fallbacks": [{"css": "#x"}]}
    await page.passes(
        expect(gone, hidden=True),
        expect(gone, visible=True, negate=True),
        expect(gone, count=0),
        step("wait_for", args={"target": gone, "state": "detached"}),
    )


async def test_nothing_found_fails_by_the_targets_own_words(visit: Opener) -> None:
    """When no alternative matches, the error speaks of the target."""
    page = await visit("<p>a</p>")
    outcome = await page.do(on("click", {"label": "Email", "fallbacks": [{"css": "#mail"}]}), timeout_ms=300)
    assert (outcome.kind, outcome.error) == (ErrorKind.NOT_FOUND, "field 'Email' was not found in 300 ms")
