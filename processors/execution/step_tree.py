"""The steps of a case as a tree, and the place of each step in it. Pure.

A step is identified by its position: `3` is the third step of the case, `3.2` the second one inside it, `4[1].2` is
the second one in the first iteration of step 4, `before.1` and `after.1` are the first ones before and after them.
Rows are numbered in the order in which their steps are reached, so number and position agree in a case without
nesting.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from qa_queue.cases.actions import ForEach, If, Repeat, Retry, UseFlow
from qa_queue.cases.locations import place_text, step_location
from qa_queue.cases.model import STEP_TIMEOUT_MS, Case, Flow, Step
from qa_queue.cases.steps import Block
from qa_queue.cases.traversal import step_key, walk
from qa_queue.cases.values import PENDING, Scope, Variables, assigned_in, resolve_value, text_of
from qa_queue.errors import CaseError
from qa_queue.errors.validation import kind_text

_LABEL_CHARS = 60


@dataclass(frozen=True, kw_only=True)
class ActionNode:
    """A step that acts on the page or checks it."""

    step: Step


@dataclass(frozen=True, kw_only=True)
class BlockNode:
    """A step around others. The steps of a `flow` are identified within that flow, wherever it is used.

    A failure inside skips the rest of the block. It fails the run without ending it (`soft`), does not count
    (`optional`), or ends the run. With `always_run` the block runs after a failure too.
    """

    step: Step
    steps: tuple[Node, ...]
    otherwise: tuple[Node, ...] = ()  # if the condition does not hold
    flow: str | None = None
    called: Flow | None = None  # by a step that uses it

    @property
    def once(self) -> bool:
        """True for a block that runs its steps exactly once, so that they are known beforehand."""
        return not isinstance(self.step.args, (ForEach, Repeat, If, Retry)) and self.step.condition is None


Node = ActionNode | BlockNode


@dataclass(frozen=True, kw_only=True)
class Section:
    """One of the sequences of a case: `before`, `steps` or `after`."""

    name: str
    nodes: tuple[Node, ...]

    @property
    def tidies_up(self) -> bool:
        """True for steps each of which runs whatever happened before."""
        return self.name == "after"


@dataclass(frozen=True, kw_only=True)
class PlannedStep:
    """One execution of a step: as written, for people and rows, and with its values filled in, for the browser.

    `number` counts the rows of a try from 1, `position` is the step's place in the tree, `key` its identity across
    runs, and `parents` has the names of the blocks around it, outermost first. With `optional` a failure does not
    count. `secrets` are the names of those in its arguments. `source` is its place in its file, where it is known.
    """

    number: int
    position: str
    key: str
    written: Step
    resolved: Step = field(repr=False)
    parents: tuple[str, ...] = ()
    optional: bool = False
    source: str | None = None
    secrets: frozenset[str] = frozenset()

    @property
    def timeout_ms(self) -> int:
        """The step's own time-out, or the default beside the time that it waits by its own request."""
        return self.written.timeout_ms or STEP_TIMEOUT_MS + self.written.args.pause_ms

    @property
    def title(self) -> str:
        """The step in words, with the blocks around it."""
        return " > ".join((*self.parents, self.written.title))


Resolve = Callable[[Step, Scope], Step]


@dataclass(frozen=True, kw_only=True)
class Frame:
    """The surroundings of a sequence of steps: its place, the values it sees, and how these are filled in.

    `variables` are those that its steps save; they go before those of the scope. The steps of an attempt are
    `tried`: their failures do not count, and each of them ends the attempt.
    """

    scope: Scope
    resolve: Resolve
    variables: Variables = field(default_factory=Variables, compare=False, repr=False)
    preview: bool = False  # before the run: what only the run knows is pending
    parents: tuple[str, ...] = ()
    optional: bool = False
    tried: bool = False
    prefix: str = ""  # of positions
    flow: str = ""  # what keys begin with
    source: str | None = None  # the file of the case
    path: str = ""  # like `prefix`, but within the flow and without iterations

    def step(self, step: Step, place: int, number: int) -> PlannedStep:
        """Return the step at this place of the sequence, as row `number`, with the values of this moment.

        Raises:
            CaseError: a reference is broken or has neither a value nor a default.
        """
        return replace(self.unresolved(step, place, number), resolved=self.filled(step, place))

    def filled(self, step: Step, place: int) -> Step:
        """Return the step at this place with the values of this moment.

        Raises:
            CaseError: a reference is broken or has neither a value nor a default.
        """
        position = f"{self.prefix}{place}"
        try:
            return self.resolve(step, self.variables.seen_by(self.scope).at(position))
        except CaseError as error:
            if not self.preview:  # the step itself fails
                raise
            raise CaseError(f"step {place_text(position, self.location(step))}: {error}") from None

    def location(self, step: Step) -> str | None:
        """Return the place of a step in its file, where it is known."""
        return step_location(self.source, self.flow.removesuffix(":"), step.line)

    def unresolved(self, step: Step, place: int, number: int) -> PlannedStep:
        """Return the step with its values not filled in."""
        return PlannedStep(
            number=number,
            position=f"{self.prefix}{place}",
            key=self.flow + step_key(step, f"{self.path}{place}"),
            written=step,
            resolved=step,
            parents=self.parents,
            optional=self.optional or self.tried or step.optional,
            source=self.location(step),
            secrets=self.scope.secrets_in(step),
        )

    def section(self, name: str) -> Frame:
        """Return the frame of one of the sequences of the case."""
        if name == "steps":
            return self
        return replace(self, parents=(name,), prefix=f"{name}.", path=f"{name}.")

    def inside(
        self,
        block: BlockNode,
        place: int,
        *,
        iteration: int | None = None,
        scope: Scope | None = None,
        row: Any = None,
    ) -> Frame:
        """Return the frame of a block's steps; `iteration` counts from 1, `scope` has its values."""
        index = "" if iteration is None else f"[{iteration}]"
        return replace(
            self,
            scope=scope or self.scope,
            parents=(*self.parents, _label(block, iteration, row)),
            optional=self.optional or block.step.optional,
            tried=self.tried or isinstance(block.step.args, Retry),
            prefix=f"{self.prefix}{place}{index}.",
            flow=self.flow if block.flow is None else f"{block.flow}:",
            path=f"{self.path}{place}." if block.flow is None else "",
        )

    def otherwise(self, block: BlockNode, place: int) -> Frame:
        """Return the frame of the steps that run if the condition of the block does not hold."""
        inner = self.inside(block, place)
        return replace(inner, parents=(*self.parents, "else"), path=f"{inner.path}else.")

    def call(self, block: BlockNode, place: int) -> Frame:
        """Return the frame of a flow's steps, which see the parameters of the flow and variables of their own.

        Raises:
            CaseError: a value for a parameter has a reference without a value.
        """
        use, written, flow = self.filled(block.step, place).args, block.step.args, block.called
        assert isinstance(use, UseFlow)
        assert isinstance(written, UseFlow)
        assert flow is not None
        names = assigned_in(step for _, step in walk(flow.steps)) if self.preview else ()
        scope = self.scope.within_flow(flow, use, written)
        if self.preview:
            scope = replace(scope, params={name: _known(value) for name, value in scope.params.items()})
        return replace(self.inside(block, place, scope=scope), variables=Variables(dict.fromkeys(names, PENDING)))

    def returned(self, block: BlockNode) -> dict[str, Any]:
        """Return the values that the flow of this frame returns, by the names of variables of the caller.

        Raises:
            CaseError: a value has a reference without a value.
        """
        use, flow = block.step.args, block.called
        assert isinstance(use, UseFlow)
        assert flow is not None
        if self.preview:
            values: Any = dict.fromkeys(flow.returns, PENDING)
        else:
            values = self._returns(flow)
        return {name: values for name in (use.save_as, block.step.save_as) if name is not None}

    def _returns(self, flow: Flow) -> Any:
        return resolve_value(flow.returns, self.variables.seen_by(self.scope).at(f"{self.prefix}returns"))

    def iterations(self, block: BlockNode, place: int, rows: Iterable[Any]) -> Iterator[Frame]:
        """Yield the frame of the steps for each row of a loop."""
        assert isinstance(block.step.args, ForEach)
        name = block.step.args.name
        for number, row in enumerate(rows, 1):
            self.variables.save({name: row})
            yield self.inside(block, place, iteration=number, row=row)


def _known(value: Any) -> Any:
    """Return a value, or `PENDING` where a reference in it waits for the run."""
    return PENDING if "${" in text_of(value) else value


def _label(block: BlockNode, iteration: int | None, row: Any) -> str:
    """Return the name of a block for the steps inside it."""
    step = block.step
    if block.called is not None:
        return step.name or block.called.flow
    match step.args:
        case ForEach(name=name):
            words = name if row is PENDING else f"{name} = {text_of(row)}"
            shown = words if len(words) <= _LABEL_CHARS else f"{words[: _LABEL_CHARS - 1]}…"
            return f"{step.name}: {shown}" if step.name else shown
        case Repeat():
            return f"{step.name or 'repeat'} {iteration}"
        case Retry():
            return f"{step.name or 'retry'}, attempt {iteration}"
    return step.title


def rows_of(loop: ForEach) -> tuple[Any, ...]:
    """Return the rows of a loop whose values are filled in; a text is read as a JSON list.

    Raises:
        CaseError: the text is not a list.
    """
    rows: Any = loop.rows
    if isinstance(rows, str):
        with suppress(ValueError):
            rows = json.loads(rows)
    if not isinstance(rows, (list, tuple)):
        raise CaseError(f"the rows of the loop: expected a list, got {kind_text(rows)}")
    return tuple(rows)


def sections_of(case: Case) -> tuple[Section, ...]:
    """Return the sequences of a case that have steps, in the order in which they run."""
    plant = _Planter(case.flows)
    return tuple(Section(name=name, nodes=plant.tree(steps)) for name, steps in case.sequences() if steps)


def tree_of(steps: Sequence[Step], flows: Mapping[str, Flow]) -> tuple[Node, ...]:
    """Return the tree of these steps; `flows` are those that they may use."""
    return _Planter(flows).tree(steps)


@dataclass
class _Planter:
    """Turns steps into trees; the tree of a flow is made once."""

    flows: Mapping[str, Flow]
    known: dict[str, tuple[Node, ...]] = field(default_factory=dict)

    def tree(self, steps: Sequence[Step]) -> tuple[Node, ...]:
        return tuple(map(self._node, steps))

    def _node(self, step: Step) -> Node:
        match step.args:
            case UseFlow(flow=key):
                return BlockNode(step=step, steps=self._of_flow(key), flow=key, called=self.flows[key])
            case If(then=then, otherwise=otherwise):
                return BlockNode(step=step, steps=self.tree(then), otherwise=self.tree(otherwise))
            case Block() as block:
                return BlockNode(step=step, steps=self.tree(next(inner for _, inner in block.steps_by_key())))
        return ActionNode(step=step)

    def _of_flow(self, key: str) -> tuple[Node, ...]:
        if key not in self.known:
            self.known[key] = self.tree(self.flows[key].steps)
        return self.known[key]


def outline(sections: Sequence[Section], frame: Frame) -> tuple[PlannedStep, ...]:
    """Return every step of the case that acts, in order, as far as it is known before the run.

    The steps of a loop are there once, those of both branches of a condition too.

    Raises:
        CaseError: a reference is broken or has neither a value nor a default.
    """
    found = (entry for one in sections for entry in _actions(one.nodes, frame.section(one.name)))
    return tuple(place.step(step, at, number) for number, (step, at, place) in enumerate(found, 1))


def _actions(nodes: Sequence[Node], frame: Frame) -> Iterator[tuple[Step, int, Frame]]:
    for place, node in enumerate(nodes, 1):
        if isinstance(node, ActionNode):
            yield node.step, place, frame
            continue
        if node.called is not None:
            inner = frame.call(node, place)
            yield from _actions(node.steps, inner)
            frame.variables.save(inner.returned(node))
            continue
        own = frame.filled(node.step, place)
        yield from _actions(node.steps, _first_frame(node, own, place, frame))
        yield from _actions(node.otherwise, frame.otherwise(node, place))


def _first_frame(node: BlockNode, resolved: Step, place: int, frame: Frame) -> Frame:
    match resolved.args:
        case ForEach() as loop:
            rows = () if isinstance(loop.rows, str) else loop.rows
            return next(frame.iterations(node, place, rows or (PENDING,)))
        case Repeat() | Retry():
            return frame.inside(node, place, iteration=1)
    return frame.inside(node, place)
