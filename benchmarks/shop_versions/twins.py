"""A second button of the same name beside each button of a page, in a form of its own."""

from __future__ import annotations

import copy

from bs4 import BeautifulSoup, Tag

from benchmarks.shop_versions.mutation import Mutation
from benchmarks.shop_versions.truth import disguise

_BUTTONS = "main button, main a.button, body.embedded button"
_OWN = ("id", "disabled", "href", "formaction")


def twins() -> Mutation:
    """A page begins with offers: a form with a twin of each of its buttons, which leads to the catalogue."""

    def page(soup: BeautifulSoup, _path: str) -> None:
        place = soup.select_one("main, body.embedded")
        buttons = [button for button in soup.select(_BUTTONS) if button.find_parent("dialog") is None]
        if place is None or not buttons:
            return
        offers = soup.new_tag("section", attrs={"class": "panel", "aria-label": "Offers"})
        for button in buttons:
            offers.append(_offer(soup, button))
        place.insert(0, offers)

    return Mutation(page=page)


def _offer(soup: BeautifulSoup, button: Tag) -> Tag:
    form = soup.new_tag("form", attrs={"class": "offer", "action": "/catalogue"})
    line = soup.new_tag("p", string="Chosen for you, this week only")
    twin = copy.copy(button)
    disguise(twin)
    for name in [name for name in twin.attrs if name in _OWN or name in ("data-reload", "data-menu")]:
        del twin[name]
    if twin.name == "a":
        twin["href"] = "/catalogue"
    form.extend([line, twin])
    return form
