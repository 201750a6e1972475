"""Traversal of steps: walking through blocks, places in reports, counts of rows, and changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from qa_queue.cases.steps import Block, Step
from qa_queue.errors.schema_path import KeyPath


def walk(steps: Iterable[Step], at: KeyPath = ()) -> Iterator[tuple[KeyPath, Step]]:
    """Yield every step with its path in the document, each before those inside it; `at` is the path of the list."""
    for index, step in enumerate(steps):
        path = (*at, index)
        yield path, step
        if isinstance(step.args, Block):
            for key, inner in step.args.steps_by_key():
                yield from walk(inner, (*arguments_path(step, path), key))


def known_total(
    steps: Iterable[Step], flows: Mapping[str, tuple[Step, ...]] | None = None, *, most: bool = False
) -> int | None:
    """Return the number of rows that a run of these steps has; None where it depends on the run.

    `flows` are the steps of each flow. With `most`, steps that may or may not run count as if each ran once.
    """
    return _Rows(flows or {}, most).of(steps)


@dataclass
class _Rows:
    """The count of rows; that of a flow is made once."""

    flows: Mapping[str, tuple[Step, ...]]
    most: bool
    known: dict[str, int | None] = field(default_factory=dict)

    def of(self, steps: Iterable[Step]) -> int | None:
        total = 0
        for step in steps:
            rows = self._of_step(step)
            if rows is None:
                return None
            total += rows
        return total

    def _of_step(self, step: Step) -> int | None:
        args = step.args
        if args.flow_key is not None:
            return None if step.condition is not None and not self.most else self._of_flow(args.flow_key)
        if not isinstance(args, Block):
            return 1
        inside = self.of(inner for _, body in args.steps_by_key() for inner in body)
        if self.most:
            return None if inside is None else inside + 1
        if args.passes is None or inside is None or step.condition is not None:
            return None
        return max(1, args.passes * inside + args.own_row)  # a loop without a pass has a row that says so

    def _of_flow(self, key: str) -> int | None:
        if key not in self.known:
            self.known[key] = self.of(self.flows.get(key, ()))
        return self.known[key]


def step_key(step: Step, place: str | int) -> str:
    """Return the identity of a step across runs: its id, else its place and its action."""
    return step.id or f"{place}:{step.action}"


def placed(steps: Iterable[Step], at: KeyPath, prefix: str = "") -> Iterator[tuple[str, KeyPath, Step]]:
    """Yield every step with its place, as `3.2` or `3.else.1`, and its path in the document.

    `at` is the path of the list, `prefix` the place of the step around it.
    """
    for index, step in enumerate(steps):
        place, path = f"{prefix}{index + 1}", (*at, index)
        yield place, path, step
        if isinstance(step.args, Block):
            for key, inner in step.args.steps_by_key():
                branch = "else." if key == "else" else ""
                yield from placed(inner, (*arguments_path(step, path), key), f"{place}.{branch}")


def arguments_path(step: Step, at: KeyPath) -> KeyPath:
    """Return the path of the arguments of the step at a path."""
    return at if step.args.beside else (*at, step.written_action)


def rewrite(steps: Iterable[Step], change: Callable[[Step], Step]) -> tuple[Step, ...]:
    """Return the steps changed, those inside blocks included; a block is changed after its steps."""
    return tuple(change(_with_inner(step, change)) for step in steps)


def _with_inner(step: Step, change: Callable[[Step], Step]) -> Step:
    if not isinstance(step.args, Block):
        return step
    inner = {name: rewrite(getattr(step.args, name), change) for name in step.args.bodies}
    return step.model_copy(update={"args": step.args.model_copy(update=inner)})
