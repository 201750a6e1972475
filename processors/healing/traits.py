"""A fingerprint made ready for comparing: normalised once, compared a thousand times."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from processors.healing.fingerprint import Box, Fingerprint
from processors.healing.words import identifier_words, link_page, link_words, path_steps, text_words

_COMPARED_ELSEWHERE = frozenset({"id", "name", "class", "href", "style", "alt", "title", "type", "value"})
_BUTTON_TYPES = frozenset({"button", "submit", "reset", "image"})
_TEXT_ROLES = frozenset({"textbox", "searchbox", "combobox", "spinbutton"})
_CHOICE_ROLES = frozenset({"checkbox", "radio", "switch", "menuitemcheckbox", "menuitemradio"})
_CHOICE_TYPES = frozenset({"checkbox", "radio"})


class Traits(NamedTuple):
    """What of a fingerprint is compared.

    `wording` is what people call the element: its accessible name, else its text. `words` are its own words from
    all of its properties, `markup` the words of its classes and other attributes. `kind` is its role, or what its
    tag and looks amount to; `field` is the family of form field, None for what takes no input.
    """

    source: Fingerprint
    text: str
    accessible_name: str
    text_words: frozenset[str]
    name_words: frozenset[str]
    words: frozenset[str]
    link: str
    link_words: frozenset[str]
    markup: frozenset[str]
    neighbours: frozenset[str]
    tag: str
    kind: str
    field: str | None
    path: str
    id_path: str
    steps: tuple[str, ...]
    box: Box | None


def traits_of(fingerprint: Fingerprint) -> Traits:
    """Normalise one fingerprint."""
    text = text_words(fingerprint.text or "")
    name = text_words(fingerprint.accessible_name or "")
    link = link_page(fingerprint.href or "")
    root = "".join(f"{part}|" for part in (*fingerprint.frames, *fingerprint.shadow))
    xpath = fingerprint.xpath or ""
    return Traits(
        source=fingerprint,
        text=" ".join(text),
        accessible_name=" ".join(name),
        text_words=frozenset(text),
        name_words=frozenset(name),
        words=_own_words(fingerprint, (*text, *name)),
        link=link,
        link_words=link_words(link),
        markup=_markup(fingerprint),
        neighbours=frozenset(text_words(" ".join(fingerprint.neighbours))),
        tag=fingerprint.tag.lower(),
        kind=_kind(fingerprint),
        field=_field(fingerprint),
        path=root + xpath,
        id_path=root + (fingerprint.id_xpath or ""),
        steps=path_steps(xpath),
        box=fingerprint.box,
    )


def _own_words(fingerprint: Fingerprint, text: Iterable[str]) -> frozenset[str]:
    words = set(text)
    for prose in (fingerprint.label, fingerprint.placeholder, fingerprint.alt, fingerprint.title):
        words.update(text_words(prose or ""))
    for identifier in (fingerprint.id, fingerprint.name, *fingerprint.test_ids):
        words |= identifier_words(identifier or "")
    return frozenset(words)


def _markup(fingerprint: Fingerprint) -> frozenset[str]:
    words: set[str] = set()
    for name in fingerprint.classes:
        words |= identifier_words(name)
    words.update(f"{key}={value}" for key, value in fingerprint.attributes if key not in _COMPARED_ELSEWHERE)
    return frozenset(words)


def _is_button(fingerprint: Fingerprint) -> bool:
    if fingerprint.role is not None:
        return fingerprint.role == "button"
    if (fingerprint.type or "").lower() in _BUTTON_TYPES:
        return True
    return bool(fingerprint.looks_like_button) and fingerprint.tag.lower() in ("a", "button", "input")


def _kind(fingerprint: Fingerprint) -> str:
    if _is_button(fingerprint):
        return "button"
    return fingerprint.role or fingerprint.tag.lower()


def _field(fingerprint: Fingerprint) -> str | None:
    tag = fingerprint.tag.lower()
    if fingerprint.role in _CHOICE_ROLES or (tag == "input" and fingerprint.type in _CHOICE_TYPES):
        return "choice"
    if tag == "select":
        return "select"
    if tag == "textarea" or fingerprint.role in _TEXT_ROLES:
        return "text"
    return "text" if tag == "input" and not _is_button(fingerprint) else None
