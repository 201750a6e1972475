"""The logins of a run: what identifies the state of one, and which values in it must not be seen. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from processors.execution.step_tree import Frame, Section, outline, tree_of
from qa_queue.cases.actions import UseFlow
from qa_queue.cases.actions.state import SAVED_EXPIRES_MS
from qa_queue.cases.environment import Use
from qa_queue.cases.exporters.document import step_document
from qa_queue.cases.logins import LOGIN_TIMEOUT_MS, Login
from qa_queue.cases.model import Case
from qa_queue.cases.reference_checks import assigned_in, references_in
from qa_queue.cases.references import Reference
from qa_queue.cases.steps import Step
from qa_queue.cases.traversal import walk
from qa_queue.cases.values import PENDING, Scope, Variables, resolve_step
from qa_queue.errors import CaseError, InputError
from qa_queue.errors.validation import did_you_mean

MAX_HIDDEN = 50  # values of a state that are masked
_OF_BROWSER = ("headers", "http_credentials", "user_agent", "connect")
_WORDS = re.compile(r"[A-Za-z]+([-_.][A-Za-z]+)*")
_LEAST_COOKIE, _LEAST_ITEM, _SURE = 6, 16, 24


@dataclass(frozen=True, kw_only=True)
class LoginPlan:
    """The state that a run begins with or saves. Runs share it whose `identity` (a JSON value) is the same.

    Without a `login` a step of another run has saved it.
    """

    name: str
    login: Login | None
    identity: Mapping[str, Any] = field(repr=False)
    steps: tuple[Section, ...] = ()
    valid_if: tuple[Section, ...] = ()

    @property
    def expires_ms(self) -> int:
        """The time that the state is used, in ms, unless a step says otherwise."""
        return self.login.expires_ms if self.login else SAVED_EXPIRES_MS

    @property
    def timeout_ms(self) -> int:
        """The time for the steps of the login."""
        return self.login.timeout_ms if self.login else LOGIN_TIMEOUT_MS


@dataclass(frozen=True, kw_only=True)
class LoginPlanner:
    """Makes the plans of a run's logins, from what their states depend on."""

    case: Case
    scope: Scope = field(repr=False)
    use: Use = field(repr=False)
    base_url: str | None
    user: str | None
    trusted: bool
    source: str | None = None

    def wanted(self) -> LoginPlan | None:
        """Return the login that the browser begins with.

        Raises:
            InputError: it is not one of the case, or its steps refer to a value that does not exist.
        """
        name = self.use.storage_state
        if name is None:
            return None
        if self.case.logins and name not in self.case.logins:
            near = did_you_mean(name, self.case.logins)
            raise InputError(f"use.storage_state: {name!r} is not a login of the case{near}")
        found = self.named(name)
        try:
            for sections in (found.steps, found.valid_if):
                outline(sections, self._preview(found))
        except CaseError as error:
            raise CaseError(f"login {name!r}: {error}") from None
        return found

    def named(self, name: str) -> LoginPlan:
        """Return a login by its name."""
        common = {"name": name, "base_url": self.base_url, "user": self.user, "trusted": self.trusted}
        login = self.case.logins.get(name)
        if login is None:
            return LoginPlan(name=name, login=None, identity=common)
        flows = self._flows(login.steps)
        documents = {key: [step_document(step) for step in self.case.flows[key].steps] for key in flows}
        identity = {
            **common,
            "steps": [step_document(step) for step in login.steps],
            "flows": documents,
            "values": self._values(login.steps, flows),
            "browser": self.use.model_dump(mode="json", include=set(_OF_BROWSER)),
        }
        steps, valid_if = (_sections(part, self.case) for part in (login.steps, login.valid_if))
        return LoginPlan(name=name, login=login, identity=identity, steps=steps, valid_if=valid_if)

    def _flows(self, steps: Sequence[Step]) -> list[str]:
        """Return the flows that steps use, and those that these use, sorted."""
        found: set[str] = set()
        waiting = list(steps)
        while waiting:
            used = {step.args.flow for _, step in walk(waiting) if isinstance(step.args, UseFlow)} - found
            found |= used
            waiting = [step for key in used for step in self.case.flows[key].steps]
        return sorted(found)

    def _values(self, steps: Sequence[Step], flows: Sequence[str]) -> dict[str, Any]:
        """Return the values of references from outside the login; those that it makes itself are left out."""
        assigned = assigned_in(step for _, step in walk(steps))
        inner = (one for key in flows for one in references_in(self.case.flows[key].steps))
        own = [one for one in references_in(steps) if not (one.kind == "var" and one.name in assigned)]
        outside = [*own, *(one for one in inner if one.kind in ("env", "secret"))]
        return {f"{one.kind}.{one.name}": self._value(one) for one in outside if _from_outside(one)}

    def _value(self, reference: Reference) -> Any:
        return self.scope.of(reference.kind).get(reference.name)

    def _preview(self, plan: LoginPlan) -> Frame:
        steps = (step for _, part in plan.login.sequences() for step in part) if plan.login else ()
        pending = Variables(dict.fromkeys(assigned_in(step for _, step in walk(steps)), PENDING))
        return Frame(scope=self.scope, resolve=resolve_step, variables=pending, preview=True, source=self.source)


def _sections(steps: Sequence[Step], case: Case) -> tuple[Section, ...]:
    return (Section(name="steps", nodes=tree_of(steps, case.flows)),) if steps else ()


def _from_outside(reference: Reference) -> bool:
    return reference.kind in ("env", "var", "data", "secret")


def hidden_values(plan: LoginPlan, state: Mapping[str, Any]) -> dict[str, str]:
    """Return the values of a state that could be used to sign in, by names of their own.

    Words, numbers of few digits and URLs are left out: to mask them would spoil reports and protect nothing.
    """
    found = dict.fromkeys(value for value in _tokens(state) if not value.startswith(("http://", "https://")))
    return {f"login {plan.name} {number}": value for number, value in enumerate(islice(found, MAX_HIDDEN), 1)}


def _tokens(state: Mapping[str, Any]) -> Iterator[str]:
    for cookie in state.get("cookies", ()):
        value = str(cookie.get("value", ""))
        if _is_token(value, _LEAST_COOKIE) or (cookie.get("httpOnly") and len(value) >= _LEAST_COOKIE):
            yield value
    for origin in state.get("origins", ()):
        for leaf in _leaves([origin.get("localStorage", ()), origin.get("indexedDB", ())]):
            if _is_token(leaf, _LEAST_ITEM):
                yield leaf


def _leaves(value: Any) -> Iterator[str]:
    """Yield every text in a JSON value; one that is JSON itself is opened."""
    match value:
        case dict():
            for inner in value.values():
                yield from _leaves(inner)
        case list() | tuple():
            for inner in value:
                yield from _leaves(inner)
        case str() if value[:1] in ("{", "["):
            try:
                yield from _leaves(json.loads(value))
            except ValueError:
                yield value
        case str():
            yield value


def _is_token(text: str, least: int) -> bool:
    if len(text) < least or any(char.isspace() for char in text):
        return False
    return len(text) >= _SURE or _WORDS.fullmatch(text) is None
