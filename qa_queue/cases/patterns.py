"""Texts that an element is found by or compared with, and regular expressions in their place.

In a document `/sign in/i` is a regular expression, as is `{matches: sign in, ignore_case: true}`; a text that looks
like one has a backslash before it, `\\/a/`.
Values made in code are plain texts or a `Regex`, so that a text of a page is never taken for an expression.
"""

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Annotated, Any, ClassVar, get_args

import regex
from pydantic import BaseModel, BeforeValidator, Discriminator, Field, Tag, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticKnownError

from qa_queue.cases.vocabulary import Many, Vocabulary, Words, expected
from qa_queue.errors import CaseError

_REGEX = re.compile(r"/(.+)/([ims]*)", re.DOTALL)
_LOOKS_LIKE_REGEX = re.compile(rf"\\*{_REGEX.pattern}", re.DOTALL)
MATCH_S = 0.5  # of CPU, for one match of a regular expression outside of the browser
_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}


class Regex(Vocabulary):
    """A regular expression of JavaScript, found anywhere in a text.

    Flags: `i` ignores case, with `m` the signs `^` and `$` are those of lines, with `s` a dot is also a line break.
    """

    spread: ClassVar[str | None] = "pattern"
    pattern: Words = Field(description="The expression.")
    flags: str = Field("", pattern="^[ims]*$", description="Its flags.")

    @property
    def compiled(self) -> re.Pattern[str]:
        """The expression as Playwright takes it."""
        return re.compile(self.pattern, self._options)

    def found_in(self, text: str) -> bool:
        """Return True where the expression matches a part of the text."""
        return search(self.pattern, text, flags=self._options) is not None

    @property
    def _options(self) -> int:
        return sum(_FLAGS[flag] for flag in set(self.flags))

    def __str__(self) -> str:
        return f"/{self.pattern}/{self.flags}"

    def __repr__(self) -> str:
        return str(self)


def parse_text(text: str) -> str | Regex:
    """Return the text or regular expression that a text of a document stands for.

    Raises:
        ValueError: the expression cannot be read.
    """
    if found := _REGEX.fullmatch(text):
        return _checked(Regex(pattern=found[1], flags=found[2]))
    return text[1:] if _LOOKS_LIKE_REGEX.fullmatch(text) else text


def document_text(text: str) -> str:
    """Return a text as it is written in a document, so that `parse_text` gives it back."""
    return f"\\{text}" if _LOOKS_LIKE_REGEX.fullmatch(text) else text


def search(pattern: str, text: str, *, flags: int = 0) -> re.Match[str] | None:
    """Return the first match of a regular expression in a text, None without one.

    Raises:
        CaseError: the expression cannot be used, or takes too long to match.
    """
    try:
        found: re.Match[str] | None = regex.search(pattern, text, flags, timeout=MATCH_S)
    except TimeoutError:
        raise CaseError(
            f"the regular expression /{pattern}/ takes more than {MATCH_S:g} s for a text of {len(text)} "
            "characters: repeated parts that overlap, as in (a|aa)+, try every way to split the text; write it "
            "without them"
        ) from None
    except regex.error as error:
        raise CaseError(f"{pattern!r} is not a regular expression: {error}") from None
    return found


def holds(wanted: str | Regex, found: str) -> bool:
    """Tell whether a text is the wanted one, white space folded, or matches the wanted expression."""
    folded = " ".join(found.split())
    return wanted.found_in(folded) if isinstance(wanted, Regex) else " ".join(wanted.split()) == folded


def playwright_text(text: str | Regex) -> str | re.Pattern[str]:
    """Return a text or regular expression as Playwright takes it."""
    return text.compiled if isinstance(text, Regex) else text


def _refuse_broken(expression: Regex) -> None:
    if (fault := _fault_of(expression)) is not None:
        raise ValueError(
            f"{expression} is not a regular expression: {fault}; write \\{expression} for this text itself"
        )


@lru_cache(maxsize=1_000)
def _fault_of(expression: Regex) -> str | None:
    try:
        _ = expression.compiled
    except (re.error, RecursionError, OverflowError) as error:
        return str(error)
    return None


@dataclass(frozen=True)
class _Reader:
    """Reads a text of a document that has at least this number of characters."""

    least: int

    def __call__(self, value: Any, info: ValidationInfo) -> Any:
        if info.context is None or isinstance(value, Regex):
            return value
        if isinstance(value, dict) and "matches" in value:
            return _parse_mapping(value)
        if isinstance(value, dict):
            raise expected("text, or {matches: REGEX}", value)
        if not isinstance(value, str):
            raise PydanticKnownError("string_type")
        if len(value) < self.least:
            raise PydanticKnownError("string_too_short", {"min_length": self.least})
        return parse_text(value)


def _parse_mapping(value: dict[str, Any]) -> Regex:
    """Return the regular expression that `{matches: REGEX, ignore_case: true}` stands for."""
    pattern, ignore_case, others = value["matches"], value.get("ignore_case", False), len(value) - 1
    if not isinstance(pattern, str) or not isinstance(ignore_case, bool) or others > ("ignore_case" in value):
        raise ValueError("expected {matches: REGEX, ignore_case: true}, got another mapping")
    return _checked(Regex(pattern=pattern, flags="i" if ignore_case else ""))


def _checked(expression: Regex) -> Regex:
    """Return an expression that can be read; one with `${...}` is read when its value is known."""
    if "${" not in expression.pattern:
        _refuse_broken(expression)
    return expression


@cache
def takes_regex(model: type[BaseModel], name: str) -> bool:
    """Tell whether a field may hold a regular expression, so that its texts are written by `document_text`."""
    field = model.model_fields[name]
    return any(map(_reads_regex, (field.annotation, *field.metadata)))


def _reads_regex(annotation: Any) -> bool:
    if isinstance(annotation, BeforeValidator):
        return isinstance(annotation.func, _Reader)
    return any(map(_reads_regex, get_args(annotation)))


_REGEX_SCHEMA = {
    "type": "object",
    "properties": {
        "matches": {"type": "string", "minLength": 1, "description": "The regular expression."},
        "ignore_case": {"type": "boolean", "description": "Match capital and small letters alike."},
    },
    "required": ["matches"],
    "additionalProperties": False,
}


def _schema(**text: Any) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [{"type": "string", **text}, _REGEX_SCHEMA]})


Text = Annotated[str | Regex, BeforeValidator(_Reader(0)), _schema()]
"""A text, which may be empty, or a regular expression."""
TextWords = Annotated[str | Regex, BeforeValidator(_Reader(1)), _schema(minLength=1)]
"""A text of at least one character, or a regular expression."""
Texts = Annotated[
    Annotated[Text, Tag("text")] | Annotated[Many[Text], Tag("list"), Field(min_length=1)],
    Discriminator(lambda value: "list" if isinstance(value, (list, tuple)) else "text"),
]
"""One text, or one for each of several elements in order."""
