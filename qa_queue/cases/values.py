"""The values of a case: `${env.X}`, `${var.X}` and `${secret.X}`, each with `:-default`; checked, then filled in.

The producer checks (`check_references`), the worker fills in (`scope_for`, `resolve_step`): only there are secrets.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, cast

from qa_queue.cases.model import Case, Step
from qa_queue.cases.steps import arguments_path
from qa_queue.cases.texts import map_texts, texts
from qa_queue.errors import CaseError
from qa_queue.errors.schema_path import KeyPath
from qa_queue.errors.validation import Problem, did_you_mean, path_text

Kind = Literal["env", "var", "secret"]
KINDS = ("env", "var", "secret")


@dataclass(frozen=True)
class Reference:
    """`${KIND.NAME}` or `${KIND.NAME:-DEFAULT}`."""

    kind: Kind
    name: str
    default: str | None = None

    def __str__(self) -> str:
        return f"${{{self.kind}.{self.name}}}"


@dataclass(frozen=True)
class Broken:
    """Text that begins like a reference but is not one; `why` says what is wrong and what to write."""

    text: str
    why: str


Piece = str | Reference | Broken


def pieces(text: str) -> Iterator[Piece]:
    """Yield the text cut into plain parts and references. `$${` stands for a plain `${`."""
    rest = text
    while (start := rest.find("${")) >= 0:
        if start and rest[start - 1] == "$":
            yield rest[: start - 1] + "${"
            rest = rest[start + 2 :]
            continue
        yield rest[:start]
        end = rest.find("}", start)
        body = rest[start + 2 : end] if end >= 0 else rest[start + 2 :]
        yield _reference(body, closed=end >= 0)
        rest = rest[end + 1 :] if end >= 0 else ""
    yield rest


def _reference(body: str, *, closed: bool) -> Reference | Broken:
    whole = f"${{{body}}}" if closed else f"${{{body}"
    if not closed:
        return Broken(whole, "is not closed with '}'; write $${ for a plain ${")
    if "${" in body:
        return Broken(whole, "holds another ${...}, which is not possible")
    head, has_default, default = body.partition(":-")
    kind, _, name = head.strip().partition(".")
    if kind == "data":
        return Broken(whole, "reads rows of data, which are part of the format but not supported by this version")
    if kind not in KINDS or not name.isidentifier():
        return Broken(whole, "is not a value: write ${env.X}, ${var.X} or ${secret.X}, or $${ for a plain ${")
    return Reference(cast(Kind, kind), name, default if has_default else None)


def escaped(text: str) -> str:
    """Return the text so that `resolve` gives it back as it is: what looks like a reference is plain text."""
    return text.replace("${", "$${")


def fill(text: str, value_of: Callable[[Reference | Broken], str]) -> str:
    """Return the text with each reference replaced by its value."""
    return "".join(piece if isinstance(piece, str) else value_of(piece) for piece in pieces(text))


__all__ = [
    "Reference",
    "Scope",
    "check_references",
    "escaped",
    "references",
    "resolve",
    "resolve_step",
    "scope_for",
    "secrets_in",
]


@dataclass(frozen=True)
class Scope:
    """The values that references stand for."""

    env: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


def references(case: Case) -> frozenset[Reference]:
    """Return every reference in the case; broken ones are left out."""
    found = (piece for place in _places(case) for piece in pieces(place.text))
    return frozenset(piece for piece in found if isinstance(piece, Reference))


def secrets_in(step: Step) -> frozenset[str]:
    """Return the names of the secrets in the arguments of a step."""
    return frozenset(piece.name for _, text in texts(step.args) for piece in _secrets_of(text))


def check_references(case: Case, env_names: Collection[str], *, source: str = "") -> tuple[str, ...]:
    """Return the problems of the case's references, as `FILE:LINE: PATH: ...`; `env_names` are those with a value.

    The values of secrets are not known here: a missing one is found by the worker.
    """
    problems = (
        Problem(place.path, text, place.line, source or case.name)
        for place in _places(case)
        for piece in pieces(place.text)
        if not isinstance(piece, str) and (text := _problem(case, env_names, place, piece))
    )
    return tuple(str(problem) for problem in problems)


def scope_for(case: Case, env: Mapping[str, str], secrets: Mapping[str, str] | None = None) -> Scope:
    """Return the scope of a run of this case, its variables filled in.

    Raises:
        CaseError: a variable refers to an environment variable without a value.
    """
    outer = Scope(env=env)
    variables = {name: resolve(text, outer) for name, text in case.vars.items()}
    return Scope(env=env, variables=variables, secrets=secrets or {})


def resolve(text: str, scope: Scope) -> str:
    """Return the text with every reference filled in and `$${` made plain.

    Raises:
        CaseError: a reference is broken or has neither a value nor a default.
    """
    return fill(text, partial(_value, scope))


def resolve_step(step: Step, scope: Scope) -> Step:
    """Return the step with every text filled in: its name and all of its arguments, targets and files included.

    Raises:
        CaseError: a reference is broken or has neither a value nor a default, or a secret would stay readable.
    """
    for place in _argument_places(step, ()):
        for piece in _secrets_of(place.text) if place.public else ():
            raise CaseError(f"{path_text(place.path)}: {_readable(piece)}")
    change = partial(resolve, scope=scope)
    name = None if step.name is None else change(step.name)
    condition = None if step.condition is None else map_texts(step.condition, change)
    return step.model_copy(update={"args": map_texts(step.args, change), "name": name, "condition": condition})


def _value(scope: Scope, piece: Reference | Broken) -> str:
    if isinstance(piece, Broken):
        raise CaseError(f"{piece.text} {piece.why}")
    known = {"env": scope.env, "var": scope.variables, "secret": scope.secrets}[piece.kind]
    value = known.get(piece.name, piece.default)
    if value is None:
        raise CaseError(f"{piece} has no value: {_advice(piece)}")
    return value


def _advice(reference: Reference) -> str:
    return {
        "env": f"set it in the environment or give --env {reference.name}=...",
        "var": "add it under 'vars' of the case",
        "secret": f"set QA_SECRET_{reference.name} for the workers",
    }[reference.kind]


@dataclass(frozen=True)
class _Place:
    """A text in which references can stand. `public` ones stay readable in reports, file names and URLs."""

    path: KeyPath
    text: str
    line: int | None = None
    public: bool = False


def _places(case: Case) -> Iterator[_Place]:
    for name in ("name", "id", "base_url"):
        if (text := getattr(case, name)) is not None:
            yield _Place((name,), text, public=True)
    yield from (_Place(("tags", index), tag) for index, tag in enumerate(case.tags))
    yield from (_Place(("vars", name), text) for name, text in case.vars.items())
    if case.pytest is not None:
        yield from (_Place(("pytest", "env", name), text) for name, text in case.pytest.env.items())
    for path, step in case.steps_by_path():
        yield from _step_places(step, path)


def _step_places(step: Step, at: KeyPath) -> Iterator[_Place]:
    for name in ("id", "name"):
        if (text := getattr(step, name)) is not None:
            yield _Place((*at, name), text, step.line, public=True)
    yield from _argument_places(step, at)
    for path, text in texts(step.condition, (*at, "if")):
        yield _Place(path, text, step.line)


def _argument_places(step: Step, at: KeyPath) -> Iterator[_Place]:
    for path, text in texts(step.args):
        yield _Place(
            (*arguments_path(step, at), *path),
            text,
            step.line,
            public=not step.args.may_contain_secrets(str(path[0])),
        )


def _problem(case: Case, env_names: Collection[str], place: _Place, piece: Reference | Broken) -> str | None:
    if isinstance(piece, Broken):
        return f"{piece.text} {piece.why}"
    if place.path[0] in ("name", "id", "tags"):
        return f"{piece} stands in text that is never filled in: write it out"
    if place.path[0] == "vars" and piece.kind != "env":
        return f"{piece} cannot stand in a variable: a variable may contain ${{env.X}} only"
    if piece.kind == "secret":
        return _readable(piece) if place.public else None
    return _unknown(piece, env_names if piece.kind == "env" else case.vars.keys())


def _readable(piece: Reference) -> str:
    return f"{piece} would stay readable in reports here: use ${{env.X}}, or fill the secret into a field"


def _secrets_of(text: str) -> list[Reference]:
    return [piece for piece in pieces(text) if isinstance(piece, Reference) and piece.kind == "secret"]


def _unknown(piece: Reference, known: Collection[str]) -> str | None:
    if piece.name in known or piece.default is not None:
        return None
    near = did_you_mean(piece.name, known) if known else ""
    return f"{piece} has no value{near or ': ' + _advice(piece)}"
