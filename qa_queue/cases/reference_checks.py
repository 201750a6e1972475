"""Checking the references of a case before anything is enqueued: broken ones, unknown names, readable secrets."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from qa_queue.cases.actions import UseFlow
from qa_queue.cases.logins import Login, steps_of_logins
from qa_queue.cases.model import Case, Flow, Step
from qa_queue.cases.references import Broken, Reference, pieces
from qa_queue.cases.texts import texts
from qa_queue.cases.traversal import arguments_path, walk
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
    flows = (place for flow in case.flows.values() for place in _flow_places(flow))
    logins = (place for name, login in case.used_logins.items() for place in _login_places(name, login))
    places = (*_places(case), *logins, *flows)
    found = (piece for place in places for piece in place.references)
    return frozenset(piece for piece in found if isinstance(piece, Reference))


def references_in(steps: Iterable[Step]) -> frozenset[Reference]:
    """Return every reference in these steps, those inside blocks included; broken ones are left out."""
    places = (place for path, step in walk(steps) for place in _step_places(step, path))
    return frozenset(piece for place in places for piece in place.references if isinstance(piece, Reference))


def is_filled_in(step: Step) -> bool:
    """Say whether any text of a step could differ once values are filled in: most have no `$`, and need no look."""
    found = (*texts(step.args), *texts(step.condition))
    return "$" in (step.name or "") or any("$" in text for _, text in found)


def argument_references(step: Step) -> list[Reference]:
    """Return the references in the arguments of a step; broken ones are left out."""
    found = (piece for _, text in texts(step.args) if "$" in text for piece in pieces(text))
    return [piece for piece in found if isinstance(piece, Reference)]


def check_references(case: Case, env_names: Collection[str], *, source: str = "") -> tuple[str, ...]:
    """Return the problems of the case's references, as `FILE:LINE: PATH: ...`; `env_names` are those with a value.

    The values of secrets are not known here: a missing one is found by the worker.
    """
    data_names = frozenset.intersection(*map(frozenset, case.data)) if case.data else ()
    own = _Known({"env": env_names, "var": {*case.vars, *assigned_names(case)}, "data": data_names, "param": ()})
    found = [*_problems(own, _places(case), source or case.name)]
    for name, login in case.used_logins.items():
        assigned = assigned_in(step for _, step in steps_of_logins({name: login}))
        names = {"env": env_names, "var": {*case.vars, *assigned}, "data": data_names, "param": ()}
        found += _problems(_Known(names), _login_places(name, login), source or case.name)
    for key, flow in case.flows.items():
        found += _problems(_known_in(flow, env_names), _flow_places(flow), key)
    return tuple(str(problem) for problem in (*found, *_secret_values(case, source or case.name)))


@dataclass(frozen=True)
class _Known:
    """The names of values by kind, and the parameters that may be secrets."""

    names: Mapping[str, Collection[str]]
    secret_params: Collection[str] = ()
    flow: bool = False


def _known_in(flow: Flow, env_names: Collection[str]) -> _Known:
    assigned = assigned_in(step for _, step in walk(flow.steps))
    secret = {name for name, param in flow.params.items() if param.secret}
    return _Known({"env": env_names, "var": assigned, "data": (), "param": flow.params}, secret, flow=True)


def _problems(known: _Known, places: Iterable[TextPlace], source: str) -> Iterator[Problem]:
    for place in places:
        for piece in dict.fromkeys(place.references):
            if text := _problem(known, place, piece):
                yield Problem(place.path, text, place.line, source)


def _login_places(name: str, login: Login) -> Iterator[TextPlace]:
    for path, step in steps_of_logins({name: login}):
        yield from _step_places(step, path)


def _flow_places(flow: Flow) -> Iterator[TextPlace]:
    yield TextPlace(("flow",), flow.flow, public=True)
    yield from (TextPlace(path, text, public=True) for path, text in texts(flow.returns, ("returns",)))
    for path, step in walk(flow.steps, ("steps",)):
        yield from _step_places(step, path)


def _secret_values(case: Case, source: str) -> Iterator[Problem]:
    """Yield the secrets that are given to parameters which are not declared as secret."""
    for path, step in case.steps_by_path():
        use, key = step.args, str(path[1]) if path[0] == "flows" else ""
        if not isinstance(use, UseFlow) or use.flow not in case.flows:
            continue
        hidden, params = _secret_params(case, key), case.flows[use.flow].params
        at = (*(path[3:] if key else path), "use", "with")
        for (name, *rest), written in texts(use.given_values):
            declared = str(name) in params and params[str(name)].secret
            for piece in () if declared else _secrets_of(written, hidden):
                text = f"{piece} is a secret: declare the parameter {name!r} of {use.flow!r} as secret"
                yield Problem((*at, name, *rest), text, step.line, key or source)


def _secret_params(case: Case, key: str) -> frozenset[str]:
    return frozenset(name for name, param in case.flows[key].params.items() if param.secret) if key else frozenset()


def _secrets_of(text: str, hidden: Collection[str]) -> Iterator[Reference]:
    for piece in pieces(text):
        if isinstance(piece, Reference) and (
            piece.kind == "secret" or (piece.kind == "param" and piece.name in hidden)
        ):
            yield piece


def assigned_names(case: Case) -> frozenset[str]:
    """Return the names of the variables that steps of the case give a value; its flows have their own."""
    return assigned_in(step for _, step in case.own_steps())


def assigned_in(steps: Iterable[Step]) -> frozenset[str]:
    """Return the names of the variables that these steps give a value."""
    return frozenset(name for step in steps for name in (*step.args.assigned, step.save_as) if name is not None)


def _places(case: Case) -> Iterator[TextPlace]:
    for name in ("name", "id", "base_url"):
        if (text := getattr(case, name)) is not None:
            yield TextPlace((name,), text, public=True)
    yield from (TextPlace(("tags", index), tag) for index, tag in enumerate(case.tags))
    yield from (TextPlace(path, text) for path, text in texts(case.vars, ("vars",)))
    for path, text in texts(case.use):
        public = path[0] != "http_credentials" or path[-1] == "origin"
        yield TextPlace(("use", *path), text, public=public)
    if case.pytest is not None:
        yield from (TextPlace(("pytest", "env", name), text) for name, text in case.pytest.env.items())
    for path, step in case.own_steps():
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


def _problem(known: _Known, place: TextPlace, piece: Reference | Broken) -> str | None:
    if isinstance(piece, Broken):
        return f"{piece.text} {piece.why}"
    if place.path[0] in ("name", "id", "tags", "flow"):
        return f"{piece} stands in text that is never filled in: write it out"
    if place.path[0] == "vars" and piece.kind not in _IN_VARIABLES:
        return (
            f"{piece} cannot stand in a variable: a variable may contain ${{env.X}}, ${{data.X}}, ${{run.id}} and "
            "generated values"
        )
    if piece.kind == "secret" or (piece.kind == "param" and piece.name in known.secret_params):
        return readable(piece) if place.public else None
    return _unknown(known, piece)


def _unknown(known: _Known, piece: Reference) -> str | None:
    names = known.names.get(piece.kind)
    if names is None or piece.name in names or piece.default is not None:
        return None
    if known.flow and piece.kind == "data":
        return f"{piece} is not known in a flow: give it to the flow under 'with'"
    return _missing(piece, names)


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
