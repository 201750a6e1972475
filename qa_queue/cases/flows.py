"""Embedding the flows that a case uses, so that a run needs no files; cycles and unknown flows are errors.

A flow's key in `flows` of the case is the path of its file relative to the case's folder.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from qa_queue.cases.actions import UseFlow
from qa_queue.cases.data_files import is_open_to_cases, real_path
from qa_queue.cases.document_path import ProblemReport
from qa_queue.cases.logins import Login
from qa_queue.cases.model import Case, Flow, read_document
from qa_queue.cases.steps import Step
from qa_queue.cases.traversal import known_total, rewrite, walk
from qa_queue.errors.schema_path import KeyPath
from qa_queue.errors.validation import Problem, did_you_mean

MAX_DEPTH = 10
MAX_PROBLEMS = 200  # after these no more files are looked for
MAX_ROWS = 20_000  # of a case with its flows at every place of use
_MARKS = (".git", "pyproject.toml", "package.json")
_SUFFIXES = (".yaml", ".yml", ".json")


class FlowSource(Protocol):
    """A flow's file as read."""

    @property
    def document(self) -> Any:
        """The document."""

    def report(self) -> ProblemReport:
        """Return the list of problems, begun with those of the reading."""


class ReadSource(Protocol):
    """The reader of files."""

    def __call__(self, path: Path, least: str) -> FlowSource:
        """Return a file as read; raises CaseError."""


@dataclass
class FlowFiles:
    """The flows of one case, read from files: each once, however often it is used."""

    folder: Path  # of the case's file
    read: ReadSource
    report: ProblemReport
    flows: dict[str, Flow] = field(default_factory=dict)
    tried: set[str] = field(default_factory=set)  # keys of files that were read, whatever was in them

    def embedded(self, case: Case) -> Case:
        """Return the case with the flows that it uses; problems go to the report."""
        self.flows |= case.flows
        changed = {name: self._linked(steps, self.folder, self.report, (name,)) for name, steps in case.sequences()}
        logins = {name: self._signing_in(name, login) for name, login in case.logins.items()}
        inline = {key: self._with_own(flow, self.folder, ("flows", key)) for key, flow in case.flows.items()}
        self.flows |= inline
        return case.model_copy(update=changed | {"logins": logins, "flows": self.flows})

    def _signing_in(self, name: str, login: Login) -> Login:
        linked = {
            key: self._linked(steps, self.folder, self.report, ("logins", name, key))
            for key, steps in login.sequences()
        }
        return login.model_copy(update=linked)

    def with_own(self, flow: Flow) -> Flow:
        """Return a flow whose own steps name the flows that they use by their keys."""
        return self._with_own(flow, self.folder, ())

    def _with_own(self, flow: Flow, folder: Path, at: KeyPath) -> Flow:
        return flow.model_copy(update={"steps": self._linked(flow.steps, folder, self.report, (*at, "steps"))})

    def _linked(
        self, steps: tuple[Step, ...], folder: Path, report: ProblemReport, at: KeyPath
    ) -> tuple[Step, ...]:
        """Return the steps, each `use` with the key of its flow, which is read where it is new."""
        keys: dict[int, str] = {}
        for path, step in walk(steps, at):
            if isinstance(step.args, UseFlow):
                keys[id(step)] = self._key(step, folder, report, path)

        def change(step: Step) -> Step:
            key = keys.get(id(step))
            return step if key is None else step.model_copy(update={"args": _using(step, key)})

        return rewrite(steps, change)

    def _key(self, step: Step, folder: Path, report: ProblemReport, at: KeyPath) -> str:
        assert isinstance(step.args, UseFlow)
        name, place = step.args.flow, (*at, "use", "flow")
        if name in self.flows or len(self.report.problems) > MAX_PROBLEMS:
            return name
        file = Path(os.path.normpath(folder / name))
        key = Path(os.path.relpath(file, self.folder)).as_posix()
        if key in self.flows or key in self.tried:
            return key
        if fault := self._fault_of(file, name):
            report.add(place, fault)
            return name
        self.tried.add(key)
        self._read_flow(file, key)
        return key

    def _fault_of(self, file: Path, name: str) -> str | None:
        try:
            real = real_path(file)
        except ValueError as error:
            return f"the flow {error}"
        root = _project(self.folder)
        if file.suffix.lower() not in _SUFFIXES:
            return f"the flow {name!r} is not a .yaml, .yml or .json file"
        if not is_open_to_cases(real, root):
            return f"the flow {name!r} is not used: only files in {root} that are not hidden are read"
        if not real.is_file():
            near = did_you_mean(file.name, [one.name for one in _siblings(file)])
            return f"the flow {name!r} does not exist (looked for at {file}){near}"
        return None

    def _read_flow(self, file: Path, key: str) -> None:
        """Read a flow and those that it uses. It is known by its key before: a cycle does not read it again."""
        source = self.read(file, "a flow has at least 'flow' and 'steps'")
        report = source.report()
        flow, problems = read_document(Flow, source.document, source=report.source, lines=report.lines)
        report.problems += problems
        if isinstance(flow, Flow):
            self.flows[key] = flow
            steps = self._linked(flow.steps, file.parent, report, ("steps",))
            self.flows[key] = flow.model_copy(update={"steps": steps})
        self.report.problems += report.problems


def _using(step: Step, key: str) -> UseFlow:
    assert isinstance(step.args, UseFlow)
    return step.args.model_copy(update={"flow": key})


def _project(folder: Path) -> Path:
    """Return the folder that flows may be read from: that of the project, or the one around the case's folder."""
    here, own = Path.cwd().resolve(), folder.resolve()
    if own.is_relative_to(here):
        return here
    marked = (one for one in (own, *own.parents) if any((one / name).exists() for name in _MARKS))
    return next(marked, own.parent)


def _siblings(file: Path) -> Iterator[Path]:
    return file.parent.glob("*.y*ml") if file.parent.is_dir() else iter(())


def flow_problems(case: Case, report: ProblemReport, at: KeyPath = ()) -> Iterator[Problem]:
    """Yield what is wrong with the flows of a case: unknown ones, cycles, parameters, and too many steps."""
    units = {"": tuple(step for _, steps in case.sequences() for step in steps)}
    units |= {
        f"logins.{name}": tuple(step for _, steps in login.sequences() for step in steps)
        for name, login in case.logins.items()
    }
    units |= {key: flow.steps for key, flow in case.flows.items()}
    found = [
        Problem(("use",), text, step.line, key if key in case.flows else report.source)
        for key, steps in units.items()
        for _, step in walk(steps)
        if isinstance(step.args, UseFlow) and (text := _fault_of_use(step.args, case.flows))
    ]
    yield from found
    if found:
        return
    if cycle := _too_deep(units, case.flows):
        yield Problem(at, cycle, None, report.source)
    elif (rows := known_total(units[""], case.flow_steps, most=True) or 0) > MAX_ROWS:
        yield Problem(at, f"has {rows} steps with its flows; at most {MAX_ROWS} are possible", None, report.source)


def _fault_of_use(use: UseFlow, flows: Mapping[str, Flow]) -> str | None:
    flow = flows.get(use.flow)
    if flow is None:
        return (
            f"the flow {use.flow!r} is not part of the case: run the case from its file, or put the flow under "
            "'flows' of the case"
        )
    unknown = [name for name in use.given_values if name not in flow.params]
    if unknown:
        return f"the flow {use.flow!r} has no parameter {unknown[0]!r}{did_you_mean(unknown[0], flow.params)}"
    missing = [name for name, param in flow.params.items() if param.needed and name not in use.given_values]
    if missing:
        return f"the flow {use.flow!r} needs {', '.join(map(repr, missing))} under 'with'"
    return None


def _too_deep(units: Mapping[str, tuple[Step, ...]], flows: Collection[str]) -> str | None:
    """Return the message on a cycle of flows, or on flows within flows beyond the greatest depth."""
    used = {
        key: tuple(dict.fromkeys(s.args.flow for _, s in walk(steps) if isinstance(s.args, UseFlow)))
        for key, steps in units.items()
    }
    depths: dict[str, int] = {}
    path: list[str] = []

    def visit(key: str) -> str | None:
        if key in path:
            return f"the flows use each other in a circle: {' -> '.join((*path[path.index(key) :], key))}"
        if key in depths:
            return None
        path.append(key)
        for inner in used[key]:
            if fault := visit(inner):
                return fault
        path.pop()
        depths[key] = 1 + max((depths[inner] for inner in used[key]), default=-1)
        return None

    for key in units:
        if fault := visit(key):
            return fault
    deepest = max(depth for key, depth in depths.items() if key not in flows)
    return f"its flows are nested {deepest} deep; at most {MAX_DEPTH} are possible" if deepest > MAX_DEPTH else None
