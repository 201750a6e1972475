"""Walking over the texts inside a value of the case model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from pydantic import BaseModel

from qa_queue.cases.places import KeyPath

Model = TypeVar("Model", bound=BaseModel)


def texts(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """Every text in the value with its path, in order."""
    match value:
        case str():
            yield path, value
        case BaseModel():
            for name in type(value).model_fields:
                yield from texts(getattr(value, name), (*path, name))
        case tuple():
            for index, item in enumerate(value):
                yield from texts(item, (*path, index))


def map_texts(model: Model, change: Callable[[str], str]) -> Model:
    """The model with every text in it changed; what has none stays the same object."""
    given = {name: getattr(model, name) for name in type(model).model_fields}
    changed = {name: _mapped(value, change) for name, value in given.items()}
    return model.model_copy(update={name: value for name, value in changed.items() if value is not given[name]})


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    match value:
        case str():
            return change(value)
        case BaseModel():
            return map_texts(value, change)
        case tuple():
            return tuple(_mapped(item, change) for item in value)
        case _:
            return value
