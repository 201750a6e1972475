"""Keeping the values of secrets out of everything that leaves the worker."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from urllib.parse import quote, quote_plus

MASK = "***"
SHORT = 3


def mask(text: str, secrets: Mapping[str, str]) -> str:
    """The text with the value of every secret replaced by `***`, also where it is URL-, JSON- or HTML-encoded.

    A value of fewer than three characters is replaced only where it stands as a word of its own: to mask every
    `1` in a report would hide nothing and spoil it. Nobody should have such a secret.
    """
    values = tuple(sorted({value for value in secrets.values() if value.strip()}))
    pattern = _pattern(values) if values else None
    return pattern.sub(MASK, text) if pattern else text


@lru_cache(maxsize=64)
def _pattern(values: tuple[str, ...]) -> re.Pattern[str]:
    """One pattern for all values, the longest first, so that no part of a longer one is left over."""
    forms = {form for value in values for form in _forms(value)}
    return re.compile("|".join(_expression(form) for form in sorted(forms, key=lambda f: (-len(f), f))))


def _forms(value: str) -> Iterator[str]:
    yield value
    yield from (quote(value, safe=""), quote(value), quote_plus(value))
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield html.escape(value)
    yield html.escape(value, quote=False)


def _expression(form: str) -> str:
    literal = re.sub("%[0-9A-F]{2}", r"(?i:\g<0>)", re.escape(form))  # %2F and %2f are the same
    return rf"(?<!\w){literal}(?!\w)" if len(form) < SHORT else literal
