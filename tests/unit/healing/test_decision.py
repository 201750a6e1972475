"""Accepted and refused candidates on a small page."""

from dataclasses import replace

import pytest

from processors.healing.decision import HealAccepted, HealRefused, Reason, decide
from processors.healing.fingerprint import Fingerprint
from tests.unit.healing.support import NAV, element, login_form, menu, moved, named, page, under


def found(old: Fingerprint, candidates: list[Fingerprint], others: list[Fingerprint] | None = None) -> Fingerprint:
    decision = decide(old, candidates, others or [])
    assert isinstance(decision, HealAccepted), decision
    return candidates[decision.index]


def refusal(old: Fingerprint, candidates: list[Fingerprint], others: list[Fingerprint] | None = None) -> Reason:
    decision = decide(old, candidates, others or [])
    assert isinstance(decision, HealRefused), candidates[decision.index]
    return decision.reason


@pytest.mark.parametrize("number", range(10))
def test_every_element_of_an_unchanged_page_is_found(number: int) -> None:
    """Each element of the page is found as itself."""
    assert found(page()[number], page()) == page()[number]


def test_a_moved_element_is_found() -> None:
    """A banner moves the page down and wraps the menu; the link is found."""
    new = [under(moved(each, dy=90), "/body[1]", "/body[1]/div[1]") for each in page()]
    assert found(named(page(), "Tea"), new).text == "Tea"


def test_another_id_is_not_an_obstacle() -> None:
    """A button with a generated id keeps its place and its words."""
    new = [replace(each, id="x-1f3", classes=("btn-9",)) if each.id == "go" else each for each in page()]
    assert found(named(page(), "Sign in"), new).id == "x-1f3"


def test_a_new_tag_of_the_same_kind_is_found() -> None:
    """A submit input becomes a button element."""
    old = element("Sign in", tag="input", type="submit", id="go", y=280.0)
    new = [
        *menu("Home", "Tea"),
        element("Sign in", tag="button", id="go", y=290.0, path="/html[1]/body[1]/button[1]"),
    ]
    assert found(old, new).tag == "button"


def test_a_translated_field_is_found_by_its_keys() -> None:
    """The words around change with the language; id, name, type and place stay."""
    new = [
        replace(each, text={"Email": "E-Mail-Adresse", "Sign in": "Anmelden"}.get(each.text or "", each.text))
        for each in page()
    ]
    assert found(page()[6], new).id == "email"


def test_a_removed_element_is_refused() -> None:
    """The link is gone; its neighbours in the same row are not accepted for it."""
    new = menu("Home", "Coffee", "Our story", "Contact")
    assert refusal(named(page(), "Tea"), new) is Reason.GONE


def test_a_similar_link_at_the_same_place_is_refused() -> None:
    """Another link of the same style leads elsewhere."""
    new = menu("Home", "Coffee", "Mugs", "Our story", "Contact")
    assert refusal(named(page(), "Tea"), new) is Reason.GONE


BUTTON = {"tag": "button", "role": "button", "path": f"{NAV}/button[1]", "classes": ("primary",), "y": 300.0}


@pytest.mark.parametrize(
    ("was", "now", "name", "taken"),
    [
        ("", "", "Add to wishlist", False),
        ("", "", "Add to basket", False),
        ("", "", "Add to cart now", True),
        ("/cart/add", "/wishes", "Add to wishlist", False),
        ("/cart/add", "/cart/add", "Add to basket", True),
        ("/cart/add", "/cart/add", "In den Warenkorb", True),
    ],
)
def test_a_new_name_requires_the_same_key_or_link(was: str, now: str, name: str, taken: bool) -> None:
    """Place, style and neighbours do not identify an element."""
    old = element("Add to cart", accessible_name="Add to cart", action=was, **BUTTON)
    new = [*page(), element(name, accessible_name=name, action=now, **BUTTON)]
    assert isinstance(decide(old, new, page()), HealAccepted) is taken


def test_a_candidate_refused_for_its_name_alone_is_returned() -> None:
    """A person may still accept it."""
    old = element("Add to cart", accessible_name="Add to cart", **BUTTON)
    new = [*page(), element("Add to basket", accessible_name="Add to basket", **BUTTON)]
    decision = decide(old, new, page())
    assert isinstance(decision, HealRefused)
    assert (decision.reason, decision.best) == (Reason.RENAMED, len(new) - 1)


def test_twins_are_refused() -> None:
    """Two buttons with the same words at the same distance cannot be distinguished."""
    old = element("Buy", tag="button", x=300.0, y=300.0, path="/html[1]/body[1]/div[1]/button[1]")
    twins = [
        element("Buy", tag="button", x=300.0, y=200.0, path="/html[1]/body[1]/ul[1]/li[1]/button[1]"),
        element("Buy", tag="button", x=300.0, y=400.0, path="/html[1]/body[1]/ul[1]/li[2]/button[1]"),
    ]
    assert refusal(old, twins) is Reason.AMBIGUOUS


def test_a_candidate_that_matches_another_stored_element_better_is_refused() -> None:
    """ "Sign in" was removed from the form; the one in the menu is stored as an element of its own."""
    in_menu = element("Sign in", path=f"{NAV}/li[6]/a[1]", href="https://shop.example/login", x=600.0)
    in_form = element("Sign in", path=f"{NAV}/li[7]/a[1]", href="https://shop.example/login", x=640.0)
    new = [*menu("Home", "Coffee"), in_menu]
    assert found(in_form, new) == in_menu
    assert refusal(in_form, new, [in_menu]) is Reason.CLAIMED


def test_a_label_is_never_accepted_for_its_field() -> None:
    """Filling a label would fail or, worse, pass; only a field of the same kind is accepted."""
    new = [each for each in login_form() if each.tag != "input"]
    old = replace(page()[6], text="Email")
    assert refusal(old, new) is Reason.NOTHING_LIKE_IT


def test_an_element_that_cannot_be_used_is_refused() -> None:
    """The element is hidden, disabled or covered; no other element is accepted instead."""
    new = [replace(each, usable=each.text != "Tea") for each in page()]
    assert refusal(named(page(), "Tea"), new) is Reason.NOT_USABLE


def test_no_candidates_are_refused() -> None:
    """An empty page has no candidates."""
    assert refusal(page()[0], []) is Reason.NO_CANDIDATES


def test_a_wrapper_is_not_a_rival() -> None:
    """The share of the parent with the same words counts for its child."""
    child = element("Tea", tag="a", path=f"{NAV}/li[3]/a[1]", href="https://shop.example/tea")
    wrapped = [*menu("Home", "Coffee"), replace(child, tag="li", href="", xpath=f"{NAV}/li[3]"), child]
    assert found(child, wrapped).text == "Tea"
