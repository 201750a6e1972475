"""Expressions that choose cases by name and tag, as pytest's `-k`: `login and not slow`. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from qa_queue.errors import InputError

_TOKEN = re.compile(r"\s*([()]|[^\s()]+)")
_OPERATORS = ("and", "or", "not", "(", ")")
Match = Callable[[str], bool]


def keyword_match(expression: str) -> Callable[[Sequence[str]], bool]:
    """Return a function that tells whether a case with these words (its name and tags) is meant.

    A word stands for every text that contains it, in any case; `not`, `and`, `or` and brackets combine words.

    Raises:
        InputError: the expression cannot be read.
    """
    try:
        match = _whole([*_TOKEN.findall(expression), ""])
    except ValueError as error:
        raise InputError(
            f"-k {expression!r} cannot be read: {error}. Write words, `and`, `or`, `not`, and brackets."
        ) from None
    return lambda words: match("\n".join(words).lower())


def _whole(tokens: list[str]) -> Match:
    match = _any(tokens)
    if tokens != [""]:
        raise ValueError(f"unexpected {tokens[0]!r}")
    return match


def _any(tokens: list[str]) -> Match:
    parts = [_all(tokens), *(_all(tokens) for _ in _following(tokens, "or"))]
    return lambda text: any(part(text) for part in parts)


def _all(tokens: list[str]) -> Match:
    parts = [_one(tokens), *(_one(tokens) for _ in _following(tokens, "and"))]
    return lambda text: all(part(text) for part in parts)


def _following(tokens: list[str], operator: str) -> Iterator[str]:
    while tokens[0] == operator:
        yield tokens.pop(0)


def _one(tokens: list[str]) -> Match:
    word = tokens.pop(0) if tokens[0] else ""
    if word == "not":
        inner = _one(tokens)
        return lambda text: not inner(text)
    if word == "(":
        group = _any(tokens)
        if tokens[0] != ")":
            raise ValueError("a bracket is not closed")
        tokens.pop(0)
        return group
    if not word or word in _OPERATORS:
        raise ValueError(f"a word is missing before {word!r}" if word else "a word is missing at the end")
    return lambda text: word.lower() in text
