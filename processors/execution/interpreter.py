"""The control flow of a try: the order of its steps, the ones that are skipped, and what ends it early."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from processors.execution.step_tree import ActionNode, Frame, GroupNode, Node, PlannedStep
from processors.execution.verdict import StepResult
from qa_queue.errors import InfrastructureError
from qa_queue.models import ErrorKind

POLL_S = 0.5
CANCEL_TIMEOUT_S = 1.0  # for work that was cancelled to end
T = TypeVar("T")
_log = logging.getLogger(__name__)


class StopSignal:
    """Ends a run early: because it is cancelled, which is checked twice a second, or because its time is up.

    It is active within an `async with`; `arm` sets the time limit. The first reason counts.
    """

    def __init__(self, cancelled: Callable[[], bool]) -> None:
        self._cancelled = cancelled
        self._reason: asyncio.Future[ErrorKind] = asyncio.get_running_loop().create_future()
        self._poller: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def reason(self) -> ErrorKind | None:
        """`CANCELLED`, `TIMEOUT`, or None while the run may continue."""
        return self._reason.result() if self._reason.done() else None

    def arm(self, timeout_ms: int) -> None:
        """Start the clock, unless it runs already."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(timeout_ms / 1000, self._stop, ErrorKind.TIMEOUT)

    async def race(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Return the result of `work`; None if the run had to stop first and `work` was cancelled."""
        task = asyncio.create_task(work)
        either: set[asyncio.Future[Any]] = {task, self._reason}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
        finally:
            task.cancel()
        await asyncio.wait({task}, timeout=CANCEL_TIMEOUT_S)
        if task.done() and not task.cancelled() and task.exception():
            _log.debug("A step that had to stop ended with: %s", task.exception())
        return None

    async def __aenter__(self) -> Self:
        await self._check()
        self._poller = asyncio.create_task(self._poll())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer:
            self._timer.cancel()
        if self._poller:
            self._poller.cancel()
            await asyncio.wait({self._poller})

    async def _poll(self) -> None:
        while self.reason is None:
            await asyncio.sleep(POLL_S)
            await self._check()

    async def _check(self) -> None:
        try:
            if await asyncio.to_thread(self._cancelled):
                self._stop(ErrorKind.CANCELLED)
        except InfrastructureError as error:  # checked again soon; the run does not fail for it
            _log.warning("Cannot read whether the run was cancelled: %s", error)

    def _stop(self, reason: ErrorKind) -> None:
        if not self._reason.done():
            self._reason.set_result(reason)


class StepHandler(Protocol):
    """The side effects of a try, on browser and store."""

    async def perform(self, planned: PlannedStep) -> StepResult:
        """Do a step and report it."""

    def skip(self, planned: PlannedStep) -> None:
        """Report a step that is skipped."""


class Interpreter:
    """Runs the steps of one try in order.

    After a failure, steps are skipped except those that always run; once the run has to stop, all are.
    """

    def __init__(self, handler: StepHandler, stop: StopSignal) -> None:
        self.stopped: ErrorKind | None = None  # what interrupted a step or skipped the rest
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
