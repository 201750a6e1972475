"""Walking over the texts inside a value of the case model; steps inside a step are left to their own turn.

Keeping the values of secrets out of everything that leaves the worker.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from itertools import islice
from typing import Any, Protocol, TypeVar
from urllib.parse import quote, quote_plus

from pydantic import BaseModel

from qa_queue.cases.steps import Step
from qa_queue.cases.vocabulary import Deferred, Vocabulary, holds_json, key_of, read_field
from qa_queue.errors.schema_path import KeyPath

Model = TypeVar("Model", bound=BaseModel)


def texts(value: Any, path: KeyPath = ()) -> list[tuple[KeyPath, str]]:
    """Return every text in the value with its path, in order; steps inside it are left out."""
    found: list[tuple[KeyPath, str]] = []
    _collect(value, path, found)
    return found


def _collect(value: Any, path: KeyPath, found: list[tuple[KeyPath, str]]) -> None:
    """Each step of each run is walked several times, and most fields are empty: those cost no call."""
    match value:
        case str():
            found.append((path, value))
        case Step():
            return
        case BaseModel():
            for keys, item in _given_fields(value):
                _collect(item, path + keys, found)
        case tuple() | list():
            for index, item in enumerate(value):
                _collect(item, (*path, index), found)
        case dict():
            for key, item in value.items():
                _collect(item, (*path, key), found)


def _given_fields(model: BaseModel) -> list[tuple[KeyPath, Any]]:
    fields = ((keys, getattr(model, name)) for name, keys in _field_keys(type(model)))
    return [(keys, item) for keys, item in fields if item is not None]


@cache
def _field_keys(model: type[BaseModel]) -> tuple[tuple[str, KeyPath], ...]:
    """Return the fields of a model with their keys in a document.

    A field whose keys stand in place of the model's own has none.
    """
    if not issubclass(model, Vocabulary):
        return tuple((name, (name,)) for name in model.model_fields)
    return tuple((name, () if name == model.spread else (key_of(model, name),)) for name in model.model_fields)


class TextChange(Protocol):
    """A change of texts: of those in fields for text, and of those that may become any JSON value."""

    def text(self, text: str) -> str:
        """Return the text that stands in place of another."""

    def value(self, text: str) -> Any:
        """Return the JSON value that stands in place of a text."""


def map_texts(model: Model, change: TextChange) -> Model:
    """Return the model with every text in it changed; parts without text, and steps, stay the same objects.

    Raises:
        ValueError: the value for a field is not one that the field can have.
    """
    given = {name: getattr(model, name) for name in type(model).model_fields}
    changed = {name: _changed_field(model, name, value, change) for name, value in given.items()}
    return model.model_copy(update={name: value for name, value in changed.items() if value is not given[name]})


def _changed_field(model: BaseModel, name: str, value: Any, change: TextChange) -> Any:
    if isinstance(value, Deferred):
        new = change.value(value)
        return value if new == value else read_field(type(model), name, new)
    return map_json(value, change) if holds_json(type(model), name) else _mapped(value, change)


def _mapped(value: Any, change: TextChange) -> Any:
    match value:
        case str():
            return change.text(value)
        case BaseModel() if not isinstance(value, Step):
            return map_texts(value, change)
        case tuple() if value:
            return tuple(_mapped(item, change) for item in value)
        case dict():
            return {key: _mapped(item, change) for key, item in value.items()}
        case _:
            return value


def map_json(value: Any, change: TextChange) -> Any:
    """Return a JSON value with every text in it changed, each perhaps to a value of another kind."""
    match value:
        case str():
            return change.value(value)
        case list() | tuple():
            return [map_json(item, change) for item in value]
        case dict():
            return {key: map_json(item, change) for key, item in value.items()}
        case _:
            return value


MASK = "***"
SHORT = 3
_ELLIPSIS = re.compile("…")
LEAST_CUT = 6  # characters of a secret that are masked where a text was cut off within it
MOST_CUTS = 1_000  # places in a text that are looked at for this
SHORTEST_CUT = 60  # characters; a shorter text was not cut off without an ellipsis


def mask(text: str, secrets: Mapping[str, str]) -> str:
    """Return the text with every secret replaced by `***`, also where it is URL-, JSON- or HTML-encoded.

    A value of fewer than three characters is replaced only where it stands as a word of its own: to mask every
    `1` in a report would hide nothing and spoil it. Such a secret protects nothing. The beginning of a secret is
    replaced at the end of a long text and before an ellipsis, where a longer one was cut off.
    """
    values = _values(secrets)
    if not values:
        return text
    masked = _pattern(values).sub(MASK, text)
    ends = (found.start() for found in islice(_ELLIPSIS.finditer(masked), MOST_CUTS))
    at_end = [len(masked)] if len(text) >= SHORTEST_CUT else []
    for end in (*at_end, *reversed(list(ends))):
        if (start := _cut_secret(masked, end, values)) is not None:
            masked = masked[:start] + MASK + masked[end:]
    return masked


def holds_secret(text: str, secrets: Mapping[str, str]) -> bool:
    """Return True if the text contains a whole secret, also where it is URL-, JSON- or HTML-encoded."""
    values = _values(secrets)
    return bool(values) and _pattern(values).search(text) is not None


def _values(secrets: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(sorted({value for value in secrets.values() if value.strip()}))


def _cut_secret(text: str, end: int, values: tuple[str, ...]) -> int | None:
    """Return where the beginning of a secret starts that reaches to `end`; or None."""
    for form in _long_forms(values):
        start = text.find(form[:LEAST_CUT], max(0, end - len(form) + 1), end)
        while start >= 0:
            if form.startswith(text[start:end]):
                return start
            start = text.find(form[:LEAST_CUT], start + 1, end)
    return None


@lru_cache(maxsize=64)
def _long_forms(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({form for value in values for form in _forms(value) if len(form) > LEAST_CUT}))


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
