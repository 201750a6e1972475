"""URLs that a case may open, pages of the web and the empty page, and globs over URLs. Pure.

A browser also opens files of its machine (`file:`, `view-source:`), pages of its own (`chrome:`, `devtools:`) and
documents that are written in the URL itself (`data:`, `blob:`, `javascript:`). A case runs on a worker that keeps
passwords, so this is a list of what is allowed, not of what is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated
from urllib.parse import urljoin, urlsplit

from pydantic import AfterValidator

from qa_queue.errors import InputError

_SPECIAL = re.compile(r"\*\*/|\*\*|\*|\{|\}|,|[^*{},]+")
_REGEX = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "{": "(?:", "}": ")"}
WEB_SCHEMES = ("http", "https")
BLANK = "about:blank"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_IGNORED = re.compile(r"[\t\n\r]")  # browsers read "fi\nle:" as "file:"
_AROUND = "".join(map(chr, range(0x21)))  # control characters and the space, which browsers strip from both ends


def normalized(url: str) -> str:
    """Return the URL without the characters that a browser ignores when it reads one."""
    return _IGNORED.sub("", url.strip(_AROUND))


def scheme_problem(url: str) -> str | None:
    """Return what is wrong with the scheme of a URL; None where it may be opened or has no scheme.

    The URL may hold references: only what is written out before the first one is judged.
    """
    written = normalized(url.partition("${")[0])
    found = _SCHEME.match(written)
    if found is None or found[1].lower() in WEB_SCHEMES:
        return None
    if written.lower() == BLANK and "${" not in url:
        return None
    return f"{url!r} starts with {found[0]!r}, which a case may not open: use http://, https:// or {BLANK}"


def web_url(url: str, base_url: str | None = None) -> str:
    """Return the absolute URL that a case opens, joined to the base URL as a link on a page there would be.

    Raises:
        InputError: it is relative without a base URL, has no host, or has a scheme that a case may not open.
    """
    given = normalized(url)
    try:
        joined = normalized(urljoin(normalized(base_url), given) if base_url else given)
        host = urlsplit(joined).hostname
    except ValueError as error:
        raise InputError(f"{url!r} is not a URL: {error}") from None
    if problem := scheme_problem(joined):
        raise InputError(problem)
    if joined.lower() != BLANK and not host:
        raise InputError(f"{url!r} is not a whole URL: write http://HOST/..., or set base_url (or --base-url)")
    return joined


def _check(url: str) -> str:
    if problem := scheme_problem(url):
        raise ValueError(problem)
    return url


WebUrl = Annotated[str, AfterValidator(_check)]


def absolute(url: str, base_url: str | None) -> str:
    """Return the URL joined to the base URL, as a link on a page at the base URL would be."""
    return urljoin(base_url, url) if base_url else url


def glob(pattern: str, base_url: str | None) -> re.Pattern[str]:
    """Return the regex of a glob over whole URLs, as Playwright's.

    `*` stays within a path segment, `**` does not, `{a,b}` is a or b, `?` is an ordinary character. One that starts
    with neither `*` nor a scheme is relative to the base URL.
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
    return next((url for url in urls if url not in ("", BLANK, "about:srcdoc")), "")


def _regex(piece: str, *, in_group: bool) -> str:
    if piece == "," and in_group:
        return "|"
    return _REGEX.get(piece) or re.escape(piece)
