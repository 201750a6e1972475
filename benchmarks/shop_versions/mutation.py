"""A mutation: one way in which a new release of the shop differs from the old one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

from bs4 import BeautifulSoup

ChangePage = Callable[[BeautifulSoup, str], None]
ChangeText = Callable[[str], str]


def _unchanged(text: str) -> str:
    return text


@dataclass(frozen=True)
class Mutation:
    """Changes a page in place, given its path, and the script and the style sheet so that they still fit it."""

    page: ChangePage
    script: ChangeText = _unchanged
    style: ChangeText = _unchanged


def together(*mutations: Mutation) -> Mutation:
    """All of them, one after the other."""

    def page(soup: BeautifulSoup, path: str) -> None:
        for mutation in mutations:
            mutation.page(soup, path)

    return Mutation(
        page=page,
        script=lambda text: reduce(lambda now, mutation: mutation.script(now), mutations, text),
        style=lambda text: reduce(lambda now, mutation: mutation.style(now), mutations, text),
    )


def short_hash(text: str) -> str:
    """Six hexadecimal digits that are the same for the same text, as build tools put them into names."""
    return hashlib.sha256(text.encode()).hexdigest()[:6]


def replaced(text: str, old: str, new: str) -> str:
    """The text with `old` replaced.

    Raises:
        ValueError: `old` is not there, so the shop's script has changed and its mutations have to follow.
    """
    if old not in text:
        raise ValueError(f"the shop's script has no {old!r} any more: bring benchmarks/shop_versions up to date")
    return text.replace(old, new)
