"""The places of steps in their files, for messages. Lines are stored beside a case, so they are not its content."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence

from qa_queue.cases.logins import Login, steps_of_logins
from qa_queue.cases.model import Case
from qa_queue.cases.steps import Block, Step
from qa_queue.cases.traversal import walk

StepLines = Mapping[str, Sequence[int | None]]
"""The lines of the steps, in the order of the document, by the key of their flow or login; empty for the case."""
_FILES = (".yaml", ".yml", ".json")


def step_lines(case: Case) -> dict[str, tuple[int | None, ...]]:
    """Return the lines of all steps; empty for a case that was not read from a file."""
    found = {"": tuple(step.line for _, step in case.own_steps())}
    found |= {key: tuple(step.line for _, step in walk(flow.steps)) for key, flow in case.flows.items()}
    found |= {
        _login_key(name): tuple(step.line for _, step in steps_of_logins({name: login}))
        for name, login in case.logins.items()
    }
    return {key: lines for key, lines in found.items() if any(lines)}


def with_step_lines(case: Case, lines: StepLines) -> Case:
    """Return the case whose steps have these lines; a step without one has none."""
    if not lines:
        return case
    own = iter(lines.get("", ()))
    changed = {name: _with_lines(steps, own) for name, steps in case.sequences()}
    flows = {
        key: flow.model_copy(update={"steps": _with_lines(flow.steps, iter(lines.get(key, ())))})
        for key, flow in case.flows.items()
    }
    logins = {
        name: _login_with_lines(login, iter(lines.get(_login_key(name), ()))) for name, login in case.logins.items()
    }
    return case.model_copy(update=changed | {"flows": flows, "logins": logins})


def _login_key(name: str) -> str:
    return f"(login {name})"


def _login_with_lines(login: Login, lines: Iterator[int | None]) -> Login:
    return login.model_copy(update={key: _with_lines(steps, lines) for key, steps in login.sequences()})


def _with_lines(steps: Sequence[Step], lines: Iterator[int | None]) -> tuple[Step, ...]:
    return tuple(_with_line(step, lines) for step in steps)


def _with_line(step: Step, lines: Iterator[int | None]) -> Step:
    changed = {"line": next(lines, None)}
    if not isinstance(step.args, Block):
        return step.model_copy(update=changed)
    inner = {name: _with_lines(getattr(step.args, name), lines) for name in step.args.bodies}
    return step.model_copy(update=changed | {"args": step.args.model_copy(update=inner)})


def step_location(source: str | None, flow: str, line: int | None) -> str | None:
    """Return `checkout.yaml:14`; None where the line is unknown.

    `source` is the case's file; the step of a flow that has a file of its own is in that one.
    """
    if not source or line is None:
        return None
    file = posixpath.join(posixpath.dirname(source), flow) if flow.endswith(_FILES) else source
    return f"{posixpath.normpath(file)}:{line}"


def place_text(position: str, location: str | None) -> str:
    """Return `3.2 (checkout.yaml:14)`, or the position alone."""
    return f"{position} ({location})" if location else position
