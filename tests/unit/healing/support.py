"""A small shop page as fingerprints, and changes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from processors.healing.fingerprint import Box, Fingerprint


def element(text: str = "", *, path: str = "/html[1]/body[1]/a[1]", **overrides: Any) -> Fingerprint:
    """A link as it would be recorded; `x`, `y`, `width`, `height` make its box."""
    box = Box(**{side: overrides.pop(side, size) for side, size in _BOX.items()})
    defaults: dict[str, Any] = {
        "tag": "a",
        "id": "",
        "name": "",
        "text": text,
        "href": "",
        "box": box,
        "xpath": path,
        "id_xpath": path,
    }
    return Fingerprint(**{**defaults, **overrides})


_BOX = {"x": 100.0, "y": 10.0, "width": 80.0, "height": 20.0}

NAV = "/html[1]/body[1]/header[1]/nav[1]/ul[1]"
FORM = "/html[1]/body[1]/main[1]/form[1]"


def menu(*words: str, nav: str = NAV, y: float = 10.0) -> list[Fingerprint]:
    """A row of links, 100 px apart."""
    return [
        element(
            word,
            path=f"{nav}/li[{number}]/a[1]",
            href=f"https://shop.example/{word.lower().replace(' ', '-')}",
            classes=("menu-link",),
            neighbours=tuple(other for other in words if other != word),
            x=100.0 * number,
            y=y,
        )
        for number, word in enumerate(words, start=1)
    ]


def login_form() -> list[Fingerprint]:
    """A label and field for the user, the same for the password, and a button."""
    return [
        element("Email", tag="label", path=f"{FORM}/label[1]", y=200.0),
        element("", tag="input", id="email", name="email", type="email", path=f"{FORM}/input[1]", y=200.0, x=220.0),
        element("Password", tag="label", path=f"{FORM}/label[2]", y=240.0),
        element("", tag="input", id="pw", name="pw", type="password", path=f"{FORM}/input[2]", y=240.0, x=220.0),
        element("Sign in", tag="button", id="go", path=f"{FORM}/button[1]", y=280.0, x=220.0, classes=("primary",)),
    ]


def page() -> list[Fingerprint]:
    """The shop at the time the case last passed."""
    return [*menu("Home", "Coffee", "Tea", "Our story", "Contact"), *login_form()]


def named(candidates: list[Fingerprint], text: str) -> Fingerprint:
    """The candidate with this text."""
    return next(candidate for candidate in candidates if candidate.text == text)


def moved(fingerprint: Fingerprint, *, dx: float = 0.0, dy: float = 0.0) -> Fingerprint:
    """The same element at another place."""
    assert fingerprint.box is not None
    box = replace(fingerprint.box, x=fingerprint.box.x + dx, y=fingerprint.box.y + dy)
    return replace(fingerprint, box=box)


def under(fingerprint: Fingerprint, old: str, new: str) -> Fingerprint:
    """The same element after the part `old` of its path became `new`."""
    assert fingerprint.xpath is not None
    path = fingerprint.xpath.replace(old, new)
    return replace(fingerprint, xpath=path, id_xpath=path)
