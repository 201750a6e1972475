"""Text, identifiers, links and paths taken apart into what can be compared."""

from __future__ import annotations

import re
from functools import lru_cache

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


@lru_cache(maxsize=16_384)
def text_words(text: str) -> tuple[str, ...]:
    """The words of a text in lower case, without punctuation: "U.S. & World" is ("us", "world")."""
    return tuple(_WORD.findall(text.lower().translate(_DROPPED)))


@lru_cache(maxsize=16_384)
def identifier_words(identifier: str) -> frozenset[str]:
    """The words of an id, name or class, without numbers: "navLink-about_us2" is {nav, link, about, us}."""
    return frozenset(word.lower() for word in _LETTERS.findall(_HUMP.sub(" ", identifier)))


def counter_stem(identifier: str) -> str:
    """An id with its short numbers as "#": "menu1" and "menu2" are both "menu#"."""
    return _COUNTER.sub("#", identifier)


@lru_cache(maxsize=16_384)
def trigrams(text: str) -> frozenset[str]:
    """The runs of three characters of the beginning of a text, padded so that its first letters count."""
    padded = f"  {text[:TRIGRAM_LIMIT]} "
    return frozenset(padded[i : i + 3] for i in range(len(padded) - 2))


@lru_cache(maxsize=16_384)
def link_page(href: str) -> str:
    """Where a link leads, without what changes by itself: scheme, `www.`, query, fragment, file suffix.

    "http://www.a.org/news.html?ref=1#top" is "a.org/news"; a link that leads nowhere is "", "/" is the front page.
    """
    if href.startswith(_NO_LINK):
        return ""
    page = _SCHEME.sub("", href).partition("#")[0].partition("?")[0]
    return _PAGE_SUFFIX.sub("", page.rstrip("/")).lower() or page[:1]


@lru_cache(maxsize=16_384)
def link_words(page: str) -> frozenset[str]:
    """The parts of what `link_page` returned."""
    return frozenset(part for part in _SEPARATOR.split(page) if part)


@lru_cache(maxsize=16_384)
def path_steps(xpath: str) -> tuple[str, ...]:
    """The steps of an XPath: "/html[1]/a[2]" is ("html[1]", "a[2]")."""
    return tuple(step for step in xpath.split("/") if step)


def parent_path(xpath: str) -> str:
    """The XPath of the parent; "" for the root."""
    return xpath.rpartition("/")[0]
