"""A fingerprint made ready for comparing: normalised once, compared a thousand times."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from processors.healing.fingerprint import Fingerprint
from processors.healing.tokens import identifier_words, link_page, link_words, path_steps, text_words

_COMPARED_ELSEWHERE = frozenset({"id", "name", "class", "href", "style", "alt", "title", "type", "value"})
_BUTTON_TYPES = frozenset({"button", "submit", "reset", "image"})
_TEXT_ROLES = frozenset({"textbox", "searchbox", "combobox", "spinbutton"})
_CHOICE_ROLES = frozenset({"checkbox", "radio", "switch", "menuitemcheckbox", "menuitemradio"})
_CHOICE_TYPES = frozenset({"checkbox", "radio"})


@dataclass(frozen=True)
class Traits:
    """What of a fingerprint is compared; each part is made when it is first asked for."""

    source: Fingerprint

    @cached_property
    def text(self) -> str:
        """The text, normalised."""
        return " ".join(text_words(self.source.text or ""))

    @cached_property
    def accessible_name(self) -> str:
        """The accessible name, normalised."""
        return " ".join(text_words(self.source.accessible_name or ""))

    @cached_property
    def wording_words(self) -> frozenset[str]:
        """The words of both."""
        return frozenset(text_words(self.source.text or "") + text_words(self.source.accessible_name or ""))

    @cached_property
    def words(self) -> frozenset[str]:
        """Its own words, from all of its properties."""
        return _own_words(self.source)

    @cached_property
    def link(self) -> str:
        """The page that it links to, or that its form goes to; or ""."""
        return link_page(self.source.href or self.source.action or "")

    @cached_property
    def is_link(self) -> bool:
        """Whether it links to a page by itself."""
        return link_page(self.source.href or "") != ""

    @cached_property
    def link_words(self) -> frozenset[str]:
        """The parts of that page's address."""
        return link_words(self.link)

    @cached_property
    def markup(self) -> frozenset[str]:
        """The words of its classes, and its other attributes."""
        return _markup(self.source)

    @cached_property
    def neighbours(self) -> frozenset[str]:
        """The words around it."""
        return frozenset(text_words(" ".join(self.source.neighbours)))

    @cached_property
    def tag(self) -> str:
        """The tag in lower case."""
        return self.source.tag.lower()

    @cached_property
    def kind(self) -> str:
        """Its role, or what its tag and looks amount to."""
        return "button" if _is_button(self.source) else self.source.role or self.tag

    @cached_property
    def field(self) -> str | None:
        """The family of form field, None for what takes no input."""
        return _field(self.source)

    @cached_property
    def path(self) -> str:
        """The way to it through frames, shadow roots and elements; "" when it was not recorded."""
        return self._rooted(self.source.xpath)

    @cached_property
    def id_path(self) -> str:
        """The same from the nearest ancestor with an id."""
        return self._rooted(self.source.id_xpath)

    @cached_property
    def test_id(self) -> str | None:
        """The first of its test ids."""
        return next(iter(self.source.test_ids), None)

    @cached_property
    def steps(self) -> tuple[str, ...]:
        """The steps of its XPath."""
        return path_steps(self.source.xpath or "")

    def _rooted(self, xpath: str | None) -> str:
        return "".join(f"{part}|" for part in (*self.source.frames, *self.source.shadow)) + (xpath or "")


def _own_words(fingerprint: Fingerprint) -> frozenset[str]:
    words = set(text_words(fingerprint.text or ""))
    for prose in (
        fingerprint.accessible_name,
        fingerprint.label,
        fingerprint.placeholder,
        fingerprint.alt,
        fingerprint.title,
    ):
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


def _field(fingerprint: Fingerprint) -> str | None:
    tag = fingerprint.tag.lower()
    if fingerprint.role in _CHOICE_ROLES or (tag == "input" and fingerprint.type in _CHOICE_TYPES):
        return "choice"
    if tag == "select":
        return "select"
    if tag == "textarea" or fingerprint.role in _TEXT_ROLES:
        return "text"
    return "text" if tag == "input" and not _is_button(fingerprint) else None
