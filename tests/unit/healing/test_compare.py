"""Properties are compared one by one, and only if both sides recorded them."""

import json
from dataclasses import replace

import pytest

from processors.healing.candidates import CandidatePage, Rarity
from processors.healing.compare import DISAGREEMENTS, WEIGHTS, Comparison, compare
from processors.healing.fingerprint import Box, Fingerprint, fingerprint_document, parse_fingerprint
from processors.healing.traits import (
    Traits,
    counter_stem,
    identifier_words,
    link_page,
    path_steps,
    text_words,
)
from tests.unit.healing.support import element, menu


def compared(old: Fingerprint, new: Fingerprint, *rest: Fingerprint) -> Comparison:
    page = CandidatePage([new, *rest])
    comparison = compare(Traits(old), page.traits[0], page, (0.0, 0.0))
    assert comparison is not None
    return comparison


@pytest.mark.parametrize(
    ("href", "page"),
    [
        ("http://www.shop.example/tea.html?ref=nav#top", "shop.example/tea"),
        ("https://shop.example/tea/", "shop.example/tea"),
        ("javascript:void(0)", ""),
        ("/tea", "/tea"),
        ("/", "/"),
        ("", ""),
    ],
)
def test_links_are_compared_by_their_pages(href: str, page: str) -> None:
    assert link_page(href) == page


def test_words_of_texts_and_identifiers() -> None:
    """Case, punctuation, camel case and numbers do not count."""
    assert text_words("U.S. & World\u2019s") == ("us", "worlds")
    assert identifier_words("navLink-about_us2") == {"nav", "link", "about", "us"}
    assert path_steps("/html[1]/body[1]") == ("html[1]", "body[1]")


def test_a_numbered_id_names_a_position() -> None:
    """ "menu1" on a page with "menu2" is not a key; an id with a long number may be one."""
    assert counter_stem("menu1") == counter_stem("menu22")
    assert counter_stem("Link_1476122135908") == "Link_1476122135908"
    old = element("Tea", id="menu1")
    assert compared(old, element("Tea", id="menu1")).same_key == 1
    assert compared(old, element("Tea", id="menu1"), element("Mugs", id="menu2")).same_key == 0


def test_a_rare_word_weighs_more_than_a_common_one() -> None:
    """The weight of a word is its self-information on the page."""
    rarity = Rarity(51, lambda: [frozenset({"menu", "tea"}), *[frozenset({"menu"})] * 50])
    assert rarity.weight({"tea"}) > 10 * rarity.weight({"menu"})
    assert rarity.overlap(frozenset({"menu", "tea"}), frozenset({"menu"})) < rarity.overlap(
        frozenset({"menu", "tea"}), frozenset({"tea"})
    )


def test_the_accessible_name_decides_between_equal_texts() -> None:
    """Two "Add" buttons differ in their names."""
    old = element("Add", accessible_name="Add the blue mug")
    assert compared(old, element("Add", accessible_name="Add the blue mug")).same_wording == 1
    other = compared(old, element("Add", accessible_name="Add the red mug"))
    assert other.same_wording == 0
    assert 0 < other.other_wording < 0.5


def test_another_test_id_counts_against_a_candidate() -> None:
    """The same words with another test id are another element."""
    old = element("Add", test_ids=("add-mug",))
    assert compared(old, element("Add", test_ids=("add-mug",))).same_key == 1
    assert compared(old, element("Add", test_ids=("add-cup",))).other_key == 1


def test_a_unique_key_counts_more() -> None:
    old = element("Add", name="mug")
    alone = compared(old, element("Add", name="mug"))
    shared = compared(old, element("Add", name="mug"), element("Add", name="mug"))
    assert (alone.same_key, alone.sole_key) == (1, 1)
    assert (shared.same_key, shared.sole_key) == (1, 0)


def test_a_buttons_form_is_its_link_where_no_other_button_has_it() -> None:
    """A link to the same page is not a rival; a button without a form has not lost a link."""
    old = element("Add", tag="button", action="/cart/add")
    link = element("Cart", href="/cart/add")
    assert compared(old, replace(old, text="Put in"), link).same_link == 1
    assert compared(old, replace(old, text="Put in"), replace(old, text="Delete")).same_link == 0
    other = compared(old, replace(old, action="/wishes"))
    assert (other.same_link, other.other_link, other.lost_link) == (0, 1, 0)
    assert compared(old, replace(old, action="")).lost_link == 0
    assert compared(link, replace(link, href="")).lost_link == 1


def test_a_property_that_one_side_did_not_record_is_not_compared() -> None:
    """A fingerprint of an older version, without box, link or name, leaves those comparisons at zero."""
    old = Fingerprint(tag="a", text="Tea")
    comparison = compared(old, element("Tea", name="tea", role="link"))
    assert comparison.same_wording == 1
    assert comparison.place == comparison.row == comparison.width == comparison.height == 0
    assert comparison.other_key == comparison.other_link == 0


@pytest.mark.parametrize(
    ("old", "new", "possible"),
    [
        ({"tag": "input", "type": "password"}, {"tag": "label"}, False),
        ({"tag": "input"}, {"tag": "div", "role": "textbox"}, True),
        ({"tag": "input", "type": "checkbox"}, {"tag": "button", "role": "switch"}, True),
        ({"tag": "input", "type": "checkbox"}, {"tag": "input", "type": "text"}, False),
        ({"tag": "select"}, {"tag": "input"}, False),
        ({"tag": "input", "type": "submit"}, {"tag": "button"}, True),
        ({"tag": "a"}, {"tag": "button"}, True),
    ],
)
def test_a_field_is_only_searched_among_fields_of_its_kind(
    old: dict[str, str], new: dict[str, str], possible: bool
) -> None:
    page = CandidatePage([element("Tea", **new)])
    assert (compare(Traits(element("Tea", **old)), page.traits[0], page, (0.0, 0.0)) is not None) is possible


def test_a_distant_candidate_that_shares_nothing_is_excluded() -> None:
    """No common word, another link, another corner of the page."""
    page = CandidatePage([element("Mugs", x=1500.0, y=3000.0)])
    assert compare(Traits(element("Tea")), page.traits[0], page, (0.0, 0.0)) is None


def test_every_comparison_is_a_share() -> None:
    """All values of all pairs of a menu are in 0..1."""
    links = menu("Green tea", "Black tea", "Tea", "Teapots and tea", "Tea, our story")
    for old in links:
        for new in links:
            assert all(0 <= value <= 1 for value in compared(old, new, *links))


def test_agreement_never_counts_against_a_candidate() -> None:
    """The signs of the weights are fixed for any data."""
    for name, weight in WEIGHTS.of._asdict().items():
        assert weight <= 0 if name in DISAGREEMENTS else weight >= 0


def test_a_full_fingerprint_survives_json() -> None:
    """Every property is kept; a key of a later version is ignored."""
    full = element(
        "Tea",
        classes=("a", "b"),
        test_ids=("tea",),
        attributes=(("data-kind", "leaf"),),
        neighbours=("Coffee",),
        frames=("main",),
        shadow=("x-menu",),
        match_counts=(("text=Tea", 2),),
        box=Box(x=1, y=2, width=3, height=4),
        looks_like_button=True,
        usable=False,
    )
    document = json.loads(json.dumps(fingerprint_document(full)))
    assert parse_fingerprint({**document, "aura": "green"}) == full
