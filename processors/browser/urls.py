"""URLs of a case: joined to the base URL, globs over them, and those of documents. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urljoin

_SPECIAL = re.compile(r"\*\*/|\*\*|\*|\{|\}|,|[^*{},]+")
_REGEX = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "{": "(?:", "}": ")"}


def absolute(url: str, base_url: str | None) -> str:
    """The URL joined to the base URL, as a link on a page at the base URL would be."""
    return urljoin(base_url, url) if base_url else url


def glob(pattern: str, base_url: str | None) -> re.Pattern[str]:
    """A glob over whole URLs, as Playwright's: `*` stays within a path segment, `**` does not, `{a,b}` is a or b.

    One that starts with neither `*` nor a scheme is relative to the base URL; `?` is an ordinary character.
    """
    full = pattern if pattern.startswith("*") else absolute(pattern, base_url)
    balanced = full.count("{") == full.count("}")
    depth, parts = 0, []
    for piece in _SPECIAL.findall(full):
        depth += {"{": 1, "}": -1}.get(piece, 0)
        parts.append(_regex(piece, in_group=depth > 0) if balanced else re.escape(piece))
    return re.compile(f"^{''.join(parts)}$")


def document_url(urls: Iterable[str]) -> str:
    """Return the URL that a document belongs to; `urls` are those of its frame and the frames around it.

    An empty frame has the origin of the one that made it.
    """
    return next((url for url in urls if url not in ("", "about:blank", "about:srcdoc")), "")


def _regex(piece: str, *, in_group: bool) -> str:
    if piece == "," and in_group:
        return "|"
    return _REGEX.get(piece) or re.escape(piece)
