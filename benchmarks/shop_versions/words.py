"""Other words on the same markup. A `{}` of a phrase stands for any text, which the new phrase takes over."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

from bs4 import BeautifulSoup
from bs4.element import NavigableString

from benchmarks.shop_versions.mutation import Mutation

_ATTRIBUTES = ("aria-label", "placeholder", "alt", "data-empty")
_FOLDER = Path(__file__).parent


def translated() -> Mutation:
    """All that the pages say is in German; names of products stay."""

    def page(soup: BeautifulSoup, _path: str) -> None:
        if soup.html:
            soup.html["lang"] = "de"
        say_otherwise(soup, "german.json")

    return Mutation(page=page)


def reworded() -> Mutation:
    """The same meaning in slightly other English."""
    return Mutation(page=lambda soup, _path: say_otherwise(soup, "reworded.json"))


def say_otherwise(soup: BeautifulSoup, phrases: str) -> None:
    """Replace each text and each attribute that people read where the file has a phrase for it."""
    for text in soup.find_all(string=True):
        if type(text) is NavigableString and text.strip():
            words = text.strip()
            text.replace_with(text.replace(words, in_other_words(words, phrases)))
    for name in _ATTRIBUTES:
        for element in soup.select(f"[{name}]"):
            element[name] = in_other_words(str(element[name]), phrases)


def in_other_words(text: str, phrases: str) -> str:
    """The text in the words of this file; unchanged where it has none."""
    whole, patterns = _phrases(phrases)
    if text in whole:
        return whole[text]
    for pattern, other in patterns:
        if match := pattern.fullmatch(text):
            return other.format(*match.groups())
    return text


@cache
def _phrases(file: str) -> tuple[dict[str, str], list[tuple[re.Pattern[str], str]]]:
    """The phrases without and with a `{}`."""
    pairs: dict[str, str] = json.loads((_FOLDER / file).read_text(encoding="utf-8"))
    whole = {old: new for old, new in pairs.items() if "{}" not in old}
    return whole, [(_pattern(old), new) for old, new in pairs.items() if "{}" in old]


def _pattern(phrase: str) -> re.Pattern[str]:
    return re.compile("(.+)".join(re.escape(part) for part in phrase.split("{}")))
