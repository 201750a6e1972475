"""Places of secrets by which a case could find them out, letter by letter, without filling them in. Pure.

A condition or a comparison tells whether a secret begins with a letter, whatever page is open; so does an
expression or a selector in which a secret stands. What remains is filled in, sent, or compared as a whole text with
an element of a page, where the worker checks the host.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from pydantic import BaseModel

from qa_queue.cases.actions import Expect, Fill, Request, Type, UseFlow
from qa_queue.cases.checks import ToMatchAriaSnapshot, ValueCheck
from qa_queue.cases.checks.base import Check, ElementCheck
from qa_queue.cases.model import Case, Step
from qa_queue.cases.patterns import Regex
from qa_queue.cases.references import Reference, pieces
from qa_queue.cases.targets import Target
from qa_queue.errors.validation import path_text

_HARMLESS = (Expect, Fill, Request, Type, UseFlow)
_TELLING = (Regex, Target, ToMatchAriaSnapshot, ValueCheck)
_EXPRESSION = "matches"  # the field for a regular expression in Python's syntax


def guesses(case: Case) -> Iterator[str]:
    """Yield the places at which a secret stands in a condition, a target, an expression or a comparison."""
    hidden = {name for flow in case.flows.values() for name, param in flow.params.items() if param.secret}
    for path, step in case.steps_by_path():
        telling = not isinstance(step.args, _HARMLESS)
        found = (*_secrets(step.args, hidden, telling=telling), *_secrets(step.condition, hidden, telling=True))
        yield from (f"{path_text(path)}: {text}" for text in found)


def _secrets(value: Any, hidden: Collection[str], *, telling: bool) -> Iterator[str]:
    """Yield the references to secrets in a value that is telling, or in its telling parts."""
    match value:
        case str():
            yield from _references(value, hidden) if telling else ()
        case BaseModel() if not isinstance(value, Step):
            here = telling or isinstance(value, _TELLING) or _is_of_no_element(value)
            for name in type(value).model_fields:
                yield from _secrets(getattr(value, name), hidden, telling=here or name == _EXPRESSION)
        case list() | tuple():
            for item in value:
                yield from _secrets(item, hidden, telling=telling)
        case dict():
            for item in value.values():
                yield from _secrets(item, hidden, telling=telling)


def _is_of_no_element(value: BaseModel) -> bool:
    return isinstance(value, Check) and not isinstance(value, ElementCheck)


def _references(text: str, hidden: Collection[str]) -> Iterator[str]:
    for piece in pieces(text) if "$" in text else ():
        if isinstance(piece, Reference) and (
            piece.kind == "secret" or (piece.kind == "param" and piece.name in hidden)
        ):
            yield str(piece)
