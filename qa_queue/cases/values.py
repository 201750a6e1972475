"""Filling in the values of a case: the scope that a step sees, and the variables that steps save.

The worker fills in (`scope_for`, `resolve_step`): only there are secrets. The submitter checks the references first
(`qa_queue.cases.reference_checks`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from qa_queue.cases.actions import UseFlow
from qa_queue.cases.environment import time_zone
from qa_queue.cases.generated import Generator
from qa_queue.cases.model import Case, Flow, Step
from qa_queue.cases.reference_checks import (
    advice,
    argument_references,
    assigned_in,
    assigned_names,
    check_references,
    is_filled_in,
    readable,
    references,
    step_texts,
)
from qa_queue.cases.references import Broken, Reference, escaped, fill, whole
from qa_queue.cases.texts import map_json, map_texts
from qa_queue.errors import CaseError
from qa_queue.errors.schema_path import KeyPath
from qa_queue.errors.validation import did_you_mean, kind_text, path_text

__all__ = [
    "PENDING",
    "Escaping",
    "Reference",
    "Scope",
    "Variables",
    "assigned_in",
    "assigned_names",
    "check_references",
    "escaped",
    "references",
    "resolve",
    "resolve_step",
    "resolve_value",
    "scope_for",
    "text_of",
]


class _Pending:
    """The value of a variable before the run: only the run knows it."""

    def __repr__(self) -> str:
        return "PENDING"


PENDING: Final = _Pending()
_MISSING: Final = object()


@dataclass(frozen=True)
class Scope:
    """The values that references stand for. Those of variables, data and parameters are JSON values.

    `secret_params` are the names of the secrets in each parameter that has any. A reference to a value that is
    `PENDING` stays as it is. Without a `generator` generated values are pending.
    """

    env: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    data: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict, repr=False)
    run: Mapping[str, Any] = field(default_factory=dict)
    generator: Generator | None = None
    secret_params: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def at(self, place: str) -> Scope:
        """Return the scope for the step at a place, which decides on its generated values."""
        return self if self.generator is None else replace(self, generator=self.generator.at(place))

    def secrets_in(self, step: Step) -> frozenset[str]:
        """Return the names of the secrets in the arguments of a step, those in parameters included."""
        found = argument_references(step)
        given = (self.secret_params.get(one.name, frozenset()) for one in found if one.kind == "param")
        return frozenset(one.name for one in found if one.kind == "secret").union(*given)

    def within_flow(self, flow: Flow, use: UseFlow, written: UseFlow) -> Scope:
        """Return the scope of a flow that a step uses: its parameters, and no variables or data of the caller.

        `use` has its values filled in, `written` as they are in the document.
        """
        given = use.given_values
        found = {name: given.get(name, param.default) for name, param in flow.params.items()}
        params = {name: value for name, value in found.items() if name in given or value is not None}
        outer = Step(args=written)
        secret = {name: self.secrets_in(outer.model_copy(update={"args": _only(written, name)})) for name in params}
        return replace(
            self,
            variables={},
            data={},
            params=params,
            secret_params={name: names for name, names in secret.items() if names},
        )

    def of(self, kind: str) -> Mapping[str, Any]:
        """Return the values of a kind by name."""
        return {
            "env": self.env,
            "var": self.variables,
            "secret": self.secrets,
            "data": self.data,
            "param": self.params,
            "run": self.run,
        }[kind]


@dataclass
class Variables:
    """The variables that steps save, in one call of a flow or in one try of the case."""

    values: dict[str, Any] = field(default_factory=dict)

    def save(self, values: Mapping[str, Any]) -> None:
        """Give variables these values."""
        self.values |= values

    def seen_by(self, scope: Scope) -> Scope:
        """Return the scope with these variables laid over its own, as they are now."""
        return replace(scope, variables={**scope.variables, **self.values})


def scope_for(
    case: Case,
    env: Mapping[str, str],
    secrets: Mapping[str, str] | None = None,
    *,
    data: Mapping[str, Any] | None = None,
    run: Mapping[str, Any] | None = None,
    generator: Generator | None = None,
) -> Scope:
    """Return the scope of a run of this case, its variables filled in.

    Raises:
        CaseError: a variable refers to a value that does not exist, or the time zone does not exist.
    """
    outer = Scope(env=env, data=data or {}, run=run or {})
    outer = replace(outer, generator=generator and generator.in_zone(_zone_of(case, outer)))
    variables = {name: resolve_value(value, outer.at(f"vars.{name}")) for name, value in case.vars.items()}
    return replace(outer, variables=variables, secrets=secrets or {})


def _zone_of(case: Case, scope: Scope) -> str:
    try:
        return time_zone(resolve(case.use.time_zone or "UTC", scope))
    except ValueError as error:
        raise CaseError(f"use.time_zone: {error}") from None


def resolve(text: str, scope: Scope) -> str:
    """Return the text with every reference filled in and `$${` made plain.

    Raises:
        CaseError: a reference is broken or has neither a value nor a default.
    """
    return Filling(scope).text(text)


def resolve_value(value: Any, scope: Scope) -> Any:
    """Return a JSON value with every text in it filled in; a whole reference becomes its value, of any kind.

    Raises:
        CaseError: as `resolve`.
    """
    return map_json(value, Filling(scope))


def resolve_step(step: Step, scope: Scope) -> Step:
    """Return the step with every text filled in: its name and all of its arguments, targets and files included.

    Raises:
        CaseError: a reference is broken or has neither a value nor a default, a value does not fit its field, or a
            secret would stay readable.
    """
    if not is_filled_in(step):
        return step
    for place in step_texts(step, ()):
        for piece in place.references if place.public else ():
            if isinstance(piece, Reference) and (piece.kind == "secret" or _is_secret_param(piece, scope)):
                raise CaseError(f"{path_text(place.path)}: {readable(piece)}")
    filling = Filling(scope)
    name = None if step.name is None else filling.text(step.name)
    try:
        condition = None if step.condition is None else map_texts(step.condition, filling)
        changed = {"args": map_texts(step.args, filling), "name": name, "condition": condition}
    except ValueError as error:
        raise CaseError(f"{step.action}: {error}") from None
    return step.model_copy(update=changed)


def text_of(value: Any) -> str:
    """Return a JSON value as text: text as it is, a number in decimal, lists and mappings as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _is_secret_param(reference: Reference, scope: Scope) -> bool:
    return reference.kind == "param" and reference.name in scope.secret_params


def _only(use: UseFlow, name: str) -> UseFlow:
    values = {name: use.given_values[name]} if name in use.given_values else {}
    return use.model_copy(update={"given_values": values})


class Escaping:
    """The change of texts that keeps them as they are when a run fills in the values."""

    def text(self, text: str) -> str:
        """Return the text that stands for this one."""
        return escaped(text)

    value = text


class Filling:
    """The change of texts that fills in references; generated values are counted within one step."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._generated = 0

    def text(self, text: str) -> str:
        return fill(text, self._text_of_piece)

    def value(self, text: str) -> Any:
        reference = whole(text)
        if reference is None:
            return self.text(text)
        found = self._value(reference)
        return text if found is PENDING else found

    def _text_of_piece(self, piece: Reference | Broken) -> str:
        if isinstance(piece, Broken):
            raise CaseError(f"{piece.text} {piece.why}")
        found = self._value(piece)
        return str(piece) if found is PENDING else text_of(found)

    def _value(self, reference: Reference) -> Any:
        if reference.generated:
            return self._generated_value(reference)
        known = self._scope.of(reference.kind)
        found = known.get(reference.name, reference.default)
        if reference.name not in known and reference.default is None:
            raise CaseError(f"{reference} has no value: {advice(reference)}")
        return found if found is PENDING or reference.name not in known else _part(reference, found)

    def _generated_value(self, reference: Reference) -> Any:
        if self._scope.generator is None:
            return PENDING
        self._generated += 1
        try:
            return self._scope.generator.value(reference.kind, reference.name, reference.arguments, self._generated)
        except OverflowError:
            raise CaseError(f"{reference} is not a time between the years 1 and 9999") from None


def _part(reference: Reference, value: Any) -> Any:
    path: KeyPath = (reference.kind, reference.name)
    for key in reference.path:
        found = _item(value, key)
        if found is _MISSING and reference.default is not None:
            return reference.default
        if found is _MISSING:
            raise CaseError(f"{reference} has no value: {path_text(path)} is {_without(value, key)}")
        value, path = found, (*path, key)
    return value


def _item(value: Any, key: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(str(key), _MISSING)
    if isinstance(value, list) and isinstance(key, int) and -len(value) <= key < len(value):
        return value[key]
    return _MISSING


def _without(value: Any, key: str | int) -> str:
    if isinstance(value, dict):
        return f"a mapping without {str(key)!r}{did_you_mean(str(key), value)}"
    return f"a list of {len(value)}" if isinstance(value, list) else f"{kind_text(value)}, which has no parts"
