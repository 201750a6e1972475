"""The steps of a case as a tree, and the place of each step in it. Pure.

A step is identified by its position: `3` is the third step of the case, `3.2` the second one inside it, `4[1].2` is
the second one in the first iteration of step 4. Rows are numbered in the order in which their steps are reached, so
number and position agree in a case without nesting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from processors.browser.describe import describe, step_key
from qa_queue.cases.model import STEP_TIMEOUT_MS, Step
from qa_queue.cases.values import Scope


@dataclass(frozen=True, kw_only=True)
class ActionNode:
    """A step that acts on the page or checks it."""

    step: Step


@dataclass(frozen=True, kw_only=True)
class GroupNode:
    """Steps under one name; those of a flow are identified within that flow, wherever it is used.

    A failure inside skips the rest of the group. It fails the run without ending it (`soft`), does not count
    (`optional`), or ends the run. With `always_run` the group runs after a failure too.
    """

    name: str
    steps: tuple[Node, ...]
    flow: str | None = None
    soft: bool = False
    optional: bool = False
    always_run: bool = False


Node = ActionNode | GroupNode


@dataclass(frozen=True, kw_only=True)
class PlannedStep:
    """One execution of a step: as written, for people and rows, and with its values filled in, for the browser.

    `number` counts the rows of a try from 1, `position` is the step's place in the tree, `key` its identity across
    runs, and `parents` has the names of the groups around it, outermost first. With `optional` a failure does not
    count.
    """

    number: int
    position: str
    key: str
    written: Step
    resolved: Step = field(repr=False)
    parents: tuple[str, ...] = ()
    optional: bool = False

    @property
    def timeout_ms(self) -> int:
        """The step's own time-out, or the default beside the time that it waits by its own request."""
        return self.written.timeout_ms or STEP_TIMEOUT_MS + self.written.args.pause_ms

    @property
    def title(self) -> str:
        """The step in words, with the groups around it."""
        return " > ".join((*self.parents, describe(self.written)))


Resolve = Callable[[Step, Scope], Step]


@dataclass(frozen=True, kw_only=True)
class Frame:
    """The surroundings of a sequence of steps: its place, the values it sees, and how these are filled in."""

    scope: Scope
    resolve: Resolve
    parents: tuple[str, ...] = ()
    optional: bool = False
    prefix: str = ""  # of positions
    flow: str = ""  # what keys begin with
    path: str = ""  # like `prefix`, but within the flow and without iterations

    def step(self, step: Step, place: int, number: int) -> PlannedStep:
        """Return the step at this place of the sequence, as row `number`.

        Raises:
            CaseError: a reference is broken or has neither a value nor a default.
        """
        return PlannedStep(
            number=number,
            position=f"{self.prefix}{place}",
            key=self.flow + step_key(step, f"{self.path}{place}"),
            written=step,
            resolved=self.resolve(step, self.scope),
            parents=self.parents,
            optional=self.optional or step.optional,
        )

    def inside(
        self, group: GroupNode, place: int, *, iteration: int | None = None, scope: Scope | None = None
    ) -> Frame:
        """Return the frame of a group's steps; `iteration` counts from 1, `scope` has its values."""
        index = "" if iteration is None else f"[{iteration}]"
        return replace(
            self,
            scope=scope or self.scope,
            parents=(*self.parents, group.name),
            optional=self.optional or group.optional,
            prefix=f"{self.prefix}{place}{index}.",
            flow=self.flow if group.flow is None else f"{group.flow}:",
            path=f"{self.path}{place}." if group.flow is None else "",
        )


def tree_of(steps: Sequence[Step]) -> tuple[Node, ...]:
    """Return the tree of a case's steps."""
    return tuple(ActionNode(step=step) for step in steps)


def outline(nodes: Sequence[Node], frame: Frame) -> tuple[PlannedStep, ...]:
    """Return every step of the tree in order, as far as it is known before the run.

    Raises:
        CaseError: a reference is broken or has neither a value nor a default.
    """
    return tuple(place.step(step, at, number) for number, (step, at, place) in enumerate(_actions(nodes, frame), 1))


def _actions(nodes: Sequence[Node], frame: Frame) -> Iterator[tuple[Step, int, Frame]]:
    for place, node in enumerate(nodes, 1):
        match node:
            case ActionNode(step=step):
                yield step, place, frame
            case GroupNode(steps=steps):
                yield from _actions(steps, frame.inside(node, place))


def known_total(nodes: Sequence[Node]) -> int | None:
    """Return the number of rows that a try of these steps has; None where that depends on what happens in it."""
    counts = [1 if isinstance(node, ActionNode) else known_total(node.steps) for node in nodes]
    return None if None in counts else sum(filter(None, counts))
