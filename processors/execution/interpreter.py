"""Interpreting a tree of steps: which step comes next, which ones are skipped, and why a try ended early."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from processors.execution.step_tree import ActionNode, Frame, GroupNode, Node, PlannedStep
from processors.execution.stopping import StopSignal
from processors.execution.verdict import StepResult
from qa_queue.models import ErrorKind


class StepHandler(Protocol):
    """The side effects of a try, on browser and store."""

    async def perform(self, planned: PlannedStep) -> StepResult:
        """Do a step and report it."""

    def skip(self, planned: PlannedStep) -> None:
        """Report a step that is passed over."""


class Interpreter:
    """Runs the steps of one try in order.

    After a failure, steps are skipped except those that always run; once the run has to stop, all are.
    """

    def __init__(self, handler: StepHandler, stop: StopSignal) -> None:
        self.stopped: ErrorKind | None = None  # the reason why steps were cut short or skipped
        self._handler = handler
        self._stop = stop
        self._rows = 0
        self._halted = False

    async def run(self, nodes: Sequence[Node], frame: Frame) -> None:
        """Run a sequence of steps.

        Raises:
            BrowserCrashedError: the browser died; the steps so far are reported.
        """
        for place, node in enumerate(nodes, 1):
            match node:
                case ActionNode():
                    await self._action(node, place, frame)
                case GroupNode():
                    await self._group(node, frame.inside(node, place))

    async def _action(self, action: ActionNode, place: int, frame: Frame) -> None:
        self._rows += 1
        planned = frame.step(action.step, place, self._rows)
        if self._stop.reason or (self._halted and not action.step.always_run):
            self.stopped = self._stop.reason
            self._handler.skip(planned)
            return
        result = await self._handler.perform(planned)
        self._halted = self._halted or result.halts
        self.stopped = self._stop.reason if result.kind is self._stop.reason else None

    async def _group(self, group: GroupNode, frame: Frame) -> None:
        halted = self._halted
        self._halted = halted and not group.always_run
        await self.run(group.steps, frame)
        contained = group.soft or group.optional
        self._halted = halted or (self._halted and not contained)
