"""Elements that a new release no longer has: taken out, or with something else in their place.

What is gone is in the middle of the cases' ways through the shop, so that each meets one such element with the
others still around it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from bs4 import BeautifulSoup, Tag

from benchmarks.shop_versions.mutation import Mutation, replaced
from benchmarks.shop_versions.truth import disguise


@dataclass(frozen=True)
class Doomed:
    """Elements on pages whose path starts so; `instead` is the name of what a look-alike does."""

    path: str
    selector: str
    instead: str


CONTROLS = (
    Doomed("/login", "#sign-in", "Delete account"),
    Doomed("/product/oat-cookies", ".add button", "Add to wishlist"),
    Doomed("/product/almond-cantuccini", ".tip button", "Print the label"),
    Doomed("/cart", ".voucher button", "Buy a voucher"),
    Doomed("/cart", "[data-changes] button", "Wrap as a gift"),
    Doomed("/cart", ".summary a.button", "Empty the cart"),
    Doomed("/checkout", ".summary button", "Cancel the order"),
    Doomed("/receipts", "main form button", "Delete all receipts"),
    Doomed("/reviews/", "form button", "Report a review"),
    Doomed("/catalogue", '.chips a[href$="=equipment"]', "Engraving"),
    Doomed("/search", '.chips a[href$="=Espresso"]', "Opening hours"),
    Doomed("/search", '.card > a[href$="/sencha"]', "Tea tasting in town"),
    Doomed("/search", '.card button[aria-label*="House Espresso"]', "Compare House Espresso"),
)
FIELDS = (
    Doomed("/login", "#password", "Number of your gift card"),
    Doomed("/product/stoneware-mug", "#quantity", "Gift boxes"),
    Doomed("/cart", "#code", "Loyalty number"),
    Doomed("/checkout", "#postcode", "Number of the nearest shop"),
    Doomed("/reviews/", "#text", "A question to the roaster"),
    Doomed("/receipts", "#receipt", "Picture for your profile"),
    Doomed("", "#q", "Find a café"),
    Doomed("", "#newsletter-email", "A friend to invite"),
)


def removed(doomed: tuple[Doomed, ...]) -> Mutation:
    """These elements are gone, fields with their labels."""

    def remove(element: Tag, _doom: Doomed, _soup: BeautifulSoup) -> None:
        block = element.find_parent(class_=("field", "choice"))
        (block or element).decompose()

    return Mutation(page=_each(doomed, remove), script=_tolerant)


def replaced_by_look_alikes(doomed: tuple[Doomed, ...]) -> Mutation:
    """In their places are elements of the same kind and style that mean something else."""
    return Mutation(page=_each(doomed, _replace), script=_tolerant)


def _each(
    doomed: tuple[Doomed, ...], change: Callable[[Tag, Doomed, BeautifulSoup], None]
) -> Callable[[BeautifulSoup, str], None]:
    def page(soup: BeautifulSoup, path: str) -> None:
        for doom in doomed:
            if path.startswith(doom.path):
                for element in soup.select(doom.selector):
                    change(element, doom, soup)

    return page


def _replace(element: Tag, doom: Doomed, soup: BeautifulSoup) -> None:
    slug = re.sub(r"\W+", "-", doom.instead.lower())
    disguise(element)
    if element.name in ("a", "button"):
        _replace_control(element, doom.instead, slug)
    else:
        _replace_field(element, doom.instead, slug, soup)
    for name in ("aria-label", "placeholder"):
        if element.get(name):
            element[name] = doom.instead
    if element.get("id"):
        element["id"] = slug


def _replace_control(element: Tag, name: str, slug: str) -> None:
    (element.select_one(".name") or element).string = name
    element["href" if element.name == "a" else "formaction"] = f"/{slug}"


def _replace_field(element: Tag, name: str, slug: str, soup: BeautifulSoup) -> None:
    label = soup.select_one(f'label[for="{element.get("id")}"]')
    if label is not None:
        disguise(label)
        label.string, label["for"] = name, slug
    element["name"] = slug
    for attribute in ("value", "autocomplete"):
        del element[attribute]


def _tolerant(script: str) -> str:
    """The script does what it can where an element is missing."""
    return replaced(script, "]) start();", "]) try { start(); } catch (error) { console.warn(error.message); }")
