"""New names for what people do not see: ids, classes, test ids; or no such names at all."""

from __future__ import annotations

import re
from collections.abc import Callable

from bs4 import BeautifulSoup, Tag

from benchmarks.shop_versions.mutation import Mutation, replaced, short_hash

REFERENCES = ("for", "aria-labelledby", "aria-describedby", "aria-controls", "data-open")
SCRIPTED_IDS = ("newsletter", "receipt", "remove", "suggestions")
_ERROR = "-error"  # the script makes the id of a complaint from the id of its field
_SCRIPTED_CLASSES = re.compile(r'(?<=[".])(loading|primary|busy|bad|shut|hint)(?=")')
_CLASS_SELECTOR = re.compile(r"\.([a-z][\w-]*)(?=[^{}]*\{)")
_TEST_ID_SELECTOR = re.compile(r"\[data-testid=([\w-]+)\]")
_STRIPPED = (
    "class",
    "data-testid",
    "placeholder",
    "title",
    "autocomplete",
    "maxlength",
    "role",
    "aria-label",
    "aria-labelledby",
    "aria-describedby",
    "aria-haspopup",
    "aria-live",
)

Rename = Callable[[str], str]


def renamed_ids(rename: Rename = lambda name: f"field-{short_hash(name)}") -> Mutation:
    """Every id is another; labels, descriptions and links follow."""

    def new_id(name: str) -> str:
        return rename(name.removesuffix(_ERROR)) + (_ERROR if name.endswith(_ERROR) else "")

    def page(soup: BeautifulSoup, _path: str) -> None:
        for element in soup.find_all(id=True):
            element["id"] = new_id(str(element["id"]))
        for reference in REFERENCES:
            for element in soup.select(f"[{reference}]"):
                element[reference] = " ".join(new_id(name) for name in str(element[reference]).split())
        for link in soup.select('a[href^="#"]'):
            link["href"] = "#" + new_id(str(link["href"])[1:])

    def script(text: str) -> str:
        for name in SCRIPTED_IDS[1:]:
            text = replaced(text, f'getElementById("{name}")', f'getElementById("{new_id(name)}")')
        return text

    return Mutation(page=page, script=script)


def renamed_classes(rename: Rename = lambda name: f"c-{short_hash(name)}") -> Mutation:
    """Every class is another, in the style sheet and the script too."""

    def page(soup: BeautifulSoup, _path: str) -> None:
        for element in soup.find_all(class_=True):
            element["class"] = " ".join(rename(name) for name in element["class"])

    return Mutation(
        page=page,
        script=lambda text: _SCRIPTED_CLASSES.sub(lambda match: rename(match[1]), text),
        style=lambda text: _CLASS_SELECTOR.sub(lambda match: "." + rename(match[1]), text),
    )


def renamed_test_ids(rename: Rename = lambda name: f"qa-{short_hash(name)}") -> Mutation:
    """Every data-testid is another."""

    def page(soup: BeautifulSoup, _path: str) -> None:
        for element in soup.select("[data-testid]"):
            element["data-testid"] = rename(str(element["data-testid"]))

    def script(text: str) -> str:
        return _TEST_ID_SELECTOR.sub(lambda match: f"[data-testid={rename(match[1])}]", text)

    return Mutation(page=page, script=script)


def stripped() -> Mutation:
    """Elements keep what makes them work, and no more: a control's label is around it, not tied by an id.

    Without the classes nothing is styled. What the script looks for by id, class or role stays.
    """

    def page(soup: BeautifulSoup, _path: str) -> None:
        kept = {id(element): _scripted(element) for element in soup.find_all(True)}
        for label in soup.find_all("label"):
            _put_inside(label, soup)
        for element in soup.body.find_all(True) if soup.body else ():
            for name in set(_STRIPPED) - kept.get(id(element), frozenset()):
                del element[name]
            if element.get("id") not in SCRIPTED_IDS:
                del element["id"]

    return Mutation(page=page)


def _put_inside(label: Tag, soup: BeautifulSoup) -> None:
    """Put the control that a label names into the label; a radio button's stays where it is, at its front."""
    control = soup.find(id=str(label["for"])) if label.get("for") else None
    del label["for"]
    if control is None:
        return
    if control.get("type") in ("radio", "checkbox"):
        label.insert(0, control.extract())
    else:
        label.append(control.extract())


def _scripted(element: Tag) -> frozenset[str]:
    """The attributes of an element by which the script finds it, or the style gives it a size."""
    if element.find_parent(attrs={"data-newsletter": True}):
        return frozenset({"class", "role"})
    if {"loading", "note"} & set(element.get("class") or ()):
        return frozenset({"class"})
    test_id = element.get("data-testid")
    return frozenset({"data-testid"}) if test_id in ("total", "delivery-cost") else frozenset()
