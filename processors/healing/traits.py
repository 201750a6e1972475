"""A fingerprint normalised for comparisons: text, identifiers, links and paths taken apart into words and steps."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

from processors.healing.fingerprint import Fingerprint

_WORD = re.compile(r"[^\W_]+")
_LETTERS = re.compile(r"[^\W\d_]+")
_COUNTER = re.compile(r"(?<!\d)\d{1,3}(?!\d)")
_DROPPED = str.maketrans("", "", ".'\u2019")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SCHEME = re.compile(r"^[a-z][a-z0-9+.]*://(?:www\.)?", re.IGNORECASE)
_PAGE_SUFFIX = re.compile(r"\.(?:html?|page|php|aspx?|jsp)$", re.IGNORECASE)
_SEPARATOR = re.compile(r"[/.\-_]+")
_NO_LINK = ("javascript:", "about:", "data:")

TRIGRAM_LIMIT = 120

_COMPARED_ELSEWHERE = frozenset({"id", "name", "class", "href", "style", "alt", "title", "type", "value"})
_BUTTON_TYPES = frozenset({"button", "submit", "reset", "image"})
_TEXT_ROLES = frozenset({"textbox", "searchbox", "combobox", "spinbutton"})
_CHOICE_ROLES = frozenset({"checkbox", "radio", "switch", "menuitemcheckbox", "menuitemradio"})
_CHOICE_TYPES = frozenset({"checkbox", "radio"})


@dataclass(frozen=True)
class Traits:
    """The compared traits of a fingerprint; each is computed on first use."""

    source: Fingerprint

    @cached_property
    def text(self) -> str:
        """The normalised text."""
        return " ".join(text_words(self.source.text or ""))

    @cached_property
    def accessible_name(self) -> str:
        """The normalised accessible name."""
        return " ".join(text_words(self.source.accessible_name or ""))

    @cached_property
    def wording_words(self) -> frozenset[str]:
        """The words of text and accessible name."""
        return frozenset(text_words(self.source.text or "") + text_words(self.source.accessible_name or ""))

    @cached_property
    def words(self) -> frozenset[str]:
        """The words of all properties of the element itself."""
        return _own_words(self.source)

    @cached_property
    def link(self) -> str:
        """The page that it links to, or that its form submits to; or ""."""
        return link_page(self.source.href or self.source.action or "")

    @cached_property
    def is_link(self) -> bool:
        """True if it is a link to a page."""
        return link_page(self.source.href or "") != ""

    @cached_property
    def link_words(self) -> frozenset[str]:
        """The parts of that page's address."""
        return link_words(self.link)

    @cached_property
    def markup(self) -> frozenset[str]:
        """The words of its classes and its other attributes."""
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
        """Its role, or the role implied by its tag and style."""
        return "button" if _is_button(self.source) else self.source.role or self.tag

    @cached_property
    def field(self) -> str | None:
        """The kind of form field; None for an element without input."""
        return _field(self.source)

    @cached_property
    def path(self) -> str:
        """The path through frames, shadow roots and elements; "" if not recorded."""
        return self._rooted(self.source.xpath)

    @cached_property
    def id_path(self) -> str:
        """The path from the nearest ancestor with an id."""
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


@lru_cache(maxsize=16_384)
def text_words(text: str) -> tuple[str, ...]:
    """Return the words of a text in lower case, without punctuation: ("us", "world") for "U.S. & World"."""
    return tuple(_WORD.findall(text.lower().translate(_DROPPED)))


@lru_cache(maxsize=16_384)
def identifier_words(identifier: str) -> frozenset[str]:
    """Return the words of an id, name or class, without numbers: {nav, link, about} for "navLink-about2"."""
    return frozenset(word.lower() for word in _LETTERS.findall(_HUMP.sub(" ", identifier)))


def counter_stem(identifier: str) -> str:
    """Return an id with its short numbers as "#": "menu#" for "menu1" and "menu2"."""
    return _COUNTER.sub("#", identifier)


@lru_cache(maxsize=16_384)
def trigrams(text: str) -> frozenset[str]:
    """Return the trigrams of the beginning of a text, padded so that its first letters count."""
    padded = f"  {text[:TRIGRAM_LIMIT]} "
    return frozenset(padded[i : i + 3] for i in range(len(padded) - 2))


@lru_cache(maxsize=16_384)
def link_page(href: str) -> str:
    """Return the page of a link without its volatile parts: scheme, `www.`, query, fragment, file suffix.

    "a.org/about" for "http://www.a.org/about.html?ref=1#top", "" for a link without a page, "/" for the front page.
    """
    if href.startswith(_NO_LINK):
        return ""
    page = _SCHEME.sub("", href).partition("#")[0].partition("?")[0]
    return _PAGE_SUFFIX.sub("", page.rstrip("/")).lower() or page[:1]


@lru_cache(maxsize=16_384)
def link_words(page: str) -> frozenset[str]:
    """Return the parts of a result of `link_page`."""
    return frozenset(part for part in _SEPARATOR.split(page) if part)


@lru_cache(maxsize=16_384)
def path_steps(xpath: str) -> tuple[str, ...]:
    """Return the steps of an XPath: ("html[1]", "a[2]") for "/html[1]/a[2]"."""
    return tuple(step for step in xpath.split("/") if step)


def parent_path(xpath: str) -> str:
    """Return the XPath of the parent; "" for the root."""
    return xpath.rpartition("/")[0]
