"""Patterns of the requests and responses of pages."""

import re
from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from qa_queue.cases.patterns import search
from qa_queue.cases.urls import glob
from qa_queue.cases.vocabulary import Vocabulary, Words

_STATUS = re.compile(r"[1-5](\d\d|xx)")
_ONE_STATUS = {
    "anyOf": [
        {"type": "integer", "minimum": 100, "maximum": 599},
        {"type": "string", "pattern": r"^[1-5](\d\d|xx)$"},
    ]
}
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")


def _statuses(value: Any) -> Any:
    given = value if isinstance(value, (list, tuple)) else [value]
    texts = [str(one) if isinstance(one, int) and not isinstance(one, bool) else one for one in given]
    for one in texts:
        if not isinstance(one, str) or not _STATUS.fullmatch(one):
            raise ValueError(f"{one!r} is not a status: write a code such as 201, a class such as 2xx, or a list")
    return tuple(texts)


def _method(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _regex(text: str) -> str:
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"{text!r} is not a regular expression: {error}") from None
    return text


Statuses = Annotated[
    tuple[str, ...],
    BeforeValidator(_statuses),
    WithJsonSchema({"anyOf": [*_ONE_STATUS["anyOf"], {"type": "array", "items": _ONE_STATUS, "minItems": 1}]}),
]
Method = Annotated[
    Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"],
    BeforeValidator(_method),
    WithJsonSchema({"enum": [*_METHODS, *map(str.lower, _METHODS)]}),
]
Regex = Annotated[Words, AfterValidator(_regex)]


class RegexMatch(Vocabulary):
    """A regular expression that is searched in a text."""

    matches: Regex = Field(description="The regular expression; Python's syntax.")
    ignore_case: bool = Field(False, description="Match capital and small letters alike.")

    def found_in(self, text: str) -> bool:
        """Return True where the expression matches a part of the text."""
        return search(self.matches, text, flags=re.IGNORECASE if self.ignore_case else 0) is not None

    def __str__(self) -> str:
        return f"/{self.matches}/{'i' if self.ignore_case else ''}"


UrlPattern = Words | RegexMatch
"""A glob over whole URLs, relative to the base URL, or a regular expression in `matches`."""


def fits_url(pattern: UrlPattern, url: str, base_url: str | None) -> bool:
    """Return True where a pattern describes a URL."""
    if isinstance(pattern, RegexMatch):
        return pattern.found_in(url)
    return glob(pattern, base_url).match(url) is not None


class RequestPattern(Vocabulary):
    """A request of a page: `**/api/items`, or a mapping."""

    short: ClassVar[str | None] = "url"
    url: UrlPattern | None = Field(
        None, description="A glob such as `**/api/items`, relative to the base URL, or `{matches: REGEX}`."
    )
    method: Method | None = Field(None, description="The HTTP method.")

    def disagreements(self) -> Iterable[str]:
        """Yield what is wrong with the given keys together."""
        yield from super().disagreements()
        if not self.given():
            yield f"is empty: give one of {', '.join(type(self).model_fields)}"

    def __str__(self) -> str:
        return " ".join(filter(None, [self.method, str(self.url) if self.url is not None else ""])) or "any"


class ResponsePattern(RequestPattern):
    """A response to a page: `**/api/items`, or a mapping."""

    status: Statuses | None = Field(None, description="The status: a code, a class such as 2xx, or a list.")

    def __str__(self) -> str:
        words = super().__str__()
        return words if self.status is None else f"{words} with status {' or '.join(self.status)}"
