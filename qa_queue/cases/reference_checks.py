"""Checking the references of a case before anything is enqueued: broken ones, unknown names, readable secrets."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from qa_queue.cases.model import Case, Step
from qa_queue.cases.references import Broken, Reference, pieces
from qa_queue.cases.steps import arguments_path
from qa_queue.cases.texts import texts
from qa_queue.errors.schema_path import KeyPath
from qa_queue.errors.validation import Problem, did_you_mean

_IN_VARIABLES = ("env", "data", "run", "uuid", "now", "random")


@dataclass(frozen=True)
class TextPlace:
    """A text in which references can stand. `public` ones stay readable in reports, file names and URLs."""

    path: KeyPath
    text: str
    line: int | None = None
    public: bool = False

    @property
    def references(self) -> Iterator[Reference | Broken]:
        """The references in the text."""
        return (piece for piece in pieces(self.text) if not isinstance(piece, str))


def references(case: Case) -> frozenset[Reference]:
    """Return every reference in the case; broken ones are left out."""
    found = (piece for place in _places(case) for piece in place.references)
    return frozenset(piece for piece in found if isinstance(piece, Reference))


def secrets_in(step: Step) -> frozenset[str]:
    """Return the names of the secrets in the arguments of a step."""
    return frozenset(piece.name for _, text in texts(step.args) for piece in secrets_in_text(text))


def secrets_in_text(text: str) -> list[Reference]:
    """Return the references to secrets in a text."""
    return [piece for piece in pieces(text) if isinstance(piece, Reference) and piece.kind == "secret"]


def check_references(
    case: Case, env_names: Collection[str], *, source: str = "", data_names: Collection[str] = ()
) -> tuple[str, ...]:
    """Return the problems of the case's references, as `FILE:LINE: PATH: ...`; `env_names` are those with a value.

    The values of secrets are not known here: a missing one is found by the worker.
    """
    known = {
        "env": env_names,
        "var": {*case.vars, *assigned_names(case)},
        "data": data_names,
        "param": (),
    }
    problems = (
        Problem(place.path, text, place.line, source or case.name)
        for place in _places(case)
        for piece in place.references
        if (text := _problem(known, place, piece))
    )
    return tuple(str(problem) for problem in problems)


def assigned_names(case: Case) -> frozenset[str]:
    """Return the names of the variables that steps of the case give a value."""
    return frozenset(
        name for _, step in case.steps_by_path() for name in (*step.args.assigned, step.save_as) if name is not None
    )


def _places(case: Case) -> Iterator[TextPlace]:
    for name in ("name", "id", "base_url"):
        if (text := getattr(case, name)) is not None:
            yield TextPlace((name,), text, public=True)
    yield from (TextPlace(("tags", index), tag) for index, tag in enumerate(case.tags))
    yield from (TextPlace(path, text) for path, text in texts(case.vars, ("vars",)))
    if case.pytest is not None:
        yield from (TextPlace(("pytest", "env", name), text) for name, text in case.pytest.env.items())
    for path, step in case.steps_by_path():
        yield from _step_places(step, path)


def _step_places(step: Step, at: KeyPath) -> Iterator[TextPlace]:
    for name in ("id", "name"):
        if (text := getattr(step, name)) is not None:
            yield TextPlace((*at, name), text, step.line, public=True)
    yield from step_texts(step, at)
    for path, text in texts(step.condition, (*at, "if")):
        yield TextPlace(path, text, step.line)


def step_texts(step: Step, at: KeyPath) -> Iterator[TextPlace]:
    """Yield the texts in the arguments of a step, but not those of the steps inside it."""
    for path, text in texts(step.args):
        public = not step.args.may_contain_secrets(str(path[0]))
        yield TextPlace((*arguments_path(step, at), *path), text, step.line, public=public)


def _problem(known: Mapping[str, Collection[str]], place: TextPlace, piece: Reference | Broken) -> str | None:
    if isinstance(piece, Broken):
        return f"{piece.text} {piece.why}"
    if place.path[0] in ("name", "id", "tags"):
        return f"{piece} stands in text that is never filled in: write it out"
    if place.path[0] == "vars" and piece.kind not in _IN_VARIABLES:
        return (
            f"{piece} cannot stand in a variable: a variable may contain ${{env.X}}, ${{data.X}}, ${{run.id}} and "
            "generated values"
        )
    if piece.kind == "secret":
        return readable(piece) if place.public else None
    if piece.kind not in known or piece.name in known[piece.kind] or piece.default is not None:
        return None
    return _missing(piece, known[piece.kind])


def readable(piece: Reference) -> str:
    """Return the message on a secret where people could read it."""
    return f"{piece} would stay readable in reports here: use ${{env.X}}, or fill the secret into a field"


def _missing(piece: Reference, known: Collection[str]) -> str:
    near = did_you_mean(piece.name, known) if known else ""
    return f"{piece} has no value{near or ': ' + advice(piece)}"


def advice(reference: Reference) -> str:
    """Return the place where the value of a reference is set."""
    return {
        "env": f"set it in the environment or give --env {reference.name}=...",
        "var": "add it under 'vars' of the case, or save it in a step before",
        "secret": f"set QA_SECRET_{reference.name} for the workers",
        "data": "add it to the rows under 'data' of the case",
        "param": "add it under 'params' of the flow",
        "run": "a run has ${run.id} and ${run.attempt}",
    }[reference.kind]
