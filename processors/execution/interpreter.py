"""The control flow of a try: the order of its steps, the ones that are skipped, and what ends it early."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Protocol

from processors.browser.protocol import Finish, StepOutcome
from processors.execution.step_tree import BlockNode, Frame, Node, PlannedStep, Section, rows_of
from processors.execution.stopping import StopSignal
from processors.execution.verdict import StepResult
from qa_queue.cases.actions import ForEach, Group, If, Repeat, Retry, UseFlow
from qa_queue.cases.checks import Check
from qa_queue.cases.conditions import Condition
from qa_queue.cases.model import Step
from qa_queue.errors import CaseError
from qa_queue.models import ErrorKind

TIDY_UP_S = 10.0  # for the steps of `after` once the run has to stop
_FALSE = (ErrorKind.ASSERTION, ErrorKind.NOT_FOUND)
_TOO_MANY = (
    "the run has executed {} steps, which is the most (QA_RUN_STEPS): end its loops earlier, or split the case"
)
_TOO_OFTEN = "the loops of the run have made {} passes, which is the most (QA_RUN_PASSES): end them earlier"


@dataclass(frozen=True, kw_only=True)
class StepLimits:
    """The steps that one try may execute, those left out by a condition included, and the passes of its loops."""

    steps: int = 10_000
    passes: int = 10_000


class StepHandler(Protocol):
    """The side effects of a try, on browser and store."""

    async def perform(self, planned: PlannedStep, finish: Finish | None = None) -> StepResult:
        """Do a step and report it; `finish` is what `around` gave for it."""

    async def look(self, check: Check, timeout_ms: int | None) -> StepOutcome:
        """Make a check and return its outcome without a report; without a time-out, it is made once."""

    def around(self, planned: PlannedStep) -> AbstractAsyncContextManager[Finish]:
        """Begin a step that other steps run within; it is performed with the result, before the context ends."""

    async def fail(self, planned: PlannedStep, outcome: StepOutcome) -> StepResult:
        """Report a step that failed without being performed."""

    def skip(self, planned: PlannedStep, note: str = "") -> None:
        """Report a step that is skipped; the note says why, where the step itself is the reason."""


class ConditionFailedError(Exception):
    """A condition that is neither true nor false; `outcome` says why."""

    def __init__(self, outcome: StepOutcome) -> None:
        super().__init__(outcome.error)
        self.outcome = outcome


class Interpreter:
    """Runs the steps of one try in order.

    After a failure, steps are skipped except those that always run; once the run has to stop, all are, but for
    those of `after`, which have some seconds more. A block whose steps are not known beforehand is skipped as one.
    """

    def __init__(self, handler: StepHandler, stop: StopSignal, limits: StepLimits = StepLimits()) -> None:
        self.stopped: ErrorKind | None = None  # what interrupted a step or skipped the rest
        self._handler = handler
        self._stop = stop
        self._limits = limits
        self._left = limits.steps  # below 0 once a step or a pass was refused
        self._passes_left = limits.passes
        self._rows = 0
        self._failure: StepResult | None = None  # what ended the sequence that is running

    async def run(self, sections: Iterable[Section], frame: Frame) -> None:
        """Run a case.

        Raises:
            BrowserCrashedError: the browser died; the steps so far are reported.
        """
        for section in sections:
            own = frame.section(section.name)
            if section.tidies_up:
                await self._tidy_up(section.nodes, own)
            else:
                await self._sequence(section.nodes, own)

    async def _tidy_up(self, nodes: Sequence[Node], frame: Frame) -> None:
        self._stop.tidy_up(TIDY_UP_S)
        self._left, self._passes_left = self._limits.steps, self._limits.passes
        for place, node in enumerate(nodes, 1):
            failed, self._failure = self._failure, None
            await self._node(node, place, frame)
            self._failure = failed or self._failure

    async def _sequence(self, nodes: Sequence[Node], frame: Frame) -> None:
        for place, node in enumerate(nodes, 1):
            await self._node(node, place, frame)

    async def _node(self, node: Node, place: int, frame: Frame) -> None:
        """Run or skip a step. One that always runs begins afresh; a block ends no more than its failure should."""
        failed, step = self._failure, node.step
        if step.always_run:
            self._failure = None
        if self._skips and not (isinstance(node, BlockNode) and node.once):
            self._skip(step, place, frame)
        else:
            await self._begin(node, place, frame)
        contains = isinstance(node, BlockNode) and (step.optional or (step.soft and not frame.tried))
        self._failure = failed or (None if contains else self._failure)

    @property
    def _skips(self) -> bool:
        return self._stop.over or self._left < 0 or self._failure is not None

    async def _begin(self, node: Node, place: int, frame: Frame) -> None:
        """Run a step, unless its own condition does not hold or cannot be decided."""
        try:
            if not await self._wanted(node.step, place, frame):
                await self._leave_out(node.step, place, frame, _untrue(node.step.condition))
            elif isinstance(node, BlockNode):
                await self._block(node, place, frame)
            else:
                await self._action(node.step, place, frame)
        except CaseError as error:
            await self._fail(node.step, place, frame, StepOutcome(error=str(error), kind=ErrorKind.INPUT))
        except ConditionFailedError as error:
            await self._fail(node.step, place, frame, error.outcome)

    async def _action(self, step: Step, place: int, frame: Frame, finish: Finish | None = None) -> None:
        planned = frame.step(step, place, self._rows + 1)
        if await self._has_left(step, place, frame):
            self._rows += 1
            self._note(await self._handler.perform(planned, finish), step, frame)

    async def _leave_out(self, step: Step, place: int, frame: Frame, note: str) -> None:
        """Skip a step because of its own condition or rows; in a loop such steps count too."""
        if await self._has_left(step, place, frame):
            self._skip(step, place, frame, note)

    async def _has_left(self, step: Step, place: int, frame: Frame) -> bool:
        """Count a step; one too many is reported as failed."""
        self._left -= 1
        if self._left < 0:
            await self._refuse(step, place, frame, _TOO_MANY.format(self._limits.steps))
        return self._left >= 0

    async def _may_pass(self, block: BlockNode, place: int, frame: Frame) -> bool:
        """Count a pass of a loop; one too many is reported as the failure of the loop."""
        self._passes_left -= 1
        if self._passes_left < 0:
            self._left = -1
            await self._refuse(block.step, place, frame, _TOO_OFTEN.format(self._limits.passes))
        return self._passes_left >= 0

    async def _refuse(self, step: Step, place: int, frame: Frame, error: str) -> None:
        """Report a step that exceeds a limit; no block can contain that failure."""
        self._rows += 1
        planned = replace(frame.unresolved(step, place, self._rows), optional=False)
        refused = StepOutcome(error=error, kind=ErrorKind.INPUT)
        self._note(await self._handler.fail(planned, refused), step, frame)

    async def _block(self, block: BlockNode, place: int, frame: Frame) -> None:
        match block.step.args:
            case If():
                await self._branch(block, place, frame)
            case ForEach():
                await self._for_each(block, place, frame)
            case Repeat():
                await self._repeat(block, place, frame)
            case Retry():
                await self._retry(block, place, frame)
            case UseFlow():
                await self._use(block, place, frame)
            case Group():
                await self._sequence(block.steps, frame.inside(block, place))
            case _:
                await self._around(block, place, frame)

    async def _branch(self, block: BlockNode, place: int, frame: Frame) -> None:
        args = frame.filled(block.step, place).args
        assert isinstance(args, If)
        if await self._holds(args.condition, block.step.timeout_ms):
            await self._sequence(block.steps, frame.inside(block, place))
        elif block.otherwise:
            await self._sequence(block.otherwise, frame.otherwise(block, place))
        else:
            await self._leave_out(block.step, place, frame, _untrue(args.condition))

    async def _for_each(self, block: BlockNode, place: int, frame: Frame) -> None:
        args = frame.filled(block.step, place).args
        assert isinstance(args, ForEach)
        rows = rows_of(args)
        if not rows:
            await self._leave_out(block.step, place, frame, "there are no rows")
        for inner in frame.iterations(block, place, rows):
            if self._skips or not await self._may_pass(block, place, frame):
                return
            await self._sequence(block.steps, inner)

    async def _repeat(self, block: BlockNode, place: int, frame: Frame) -> None:
        args = frame.filled(block.step, place).args
        assert isinstance(args, Repeat)
        limit = args.at_most if args.times is None else args.times
        for number in range(1, limit + 1):
            if self._skips or not await self._goes_on(block, place, frame):
                break
            if not await self._may_pass(block, place, frame):
                return
            await self._sequence(block.steps, frame.inside(block, place, iteration=number))
        else:
            number = limit + 1
            if args.times is None and not self._skips and await self._goes_on(block, place, frame):
                await self._fail(block.step, place, frame, _endless(args))
        if number == 1:
            await self._leave_out(block.step, place, frame, _no_pass(args))

    async def _goes_on(self, block: BlockNode, place: int, frame: Frame) -> bool:
        args = frame.filled(block.step, place).args
        assert isinstance(args, Repeat)
        if args.as_long is not None:
            return await self._holds(args.as_long, block.step.timeout_ms)
        return args.until is None or not await self._holds(args.until, block.step.timeout_ms)

    async def _retry(self, block: BlockNode, place: int, frame: Frame) -> None:
        retry = frame.filled(block.step, place).args
        assert isinstance(retry, Retry)
        start, attempt = time.monotonic(), 0
        while True:
            attempt += 1
            if not await self._may_pass(block, place, frame):
                return
            await self._sequence(block.steps, frame.inside(block, place, iteration=attempt))
            failure = self._failure
            if failure is None or self._left < 0:
                return
            self._failure = None
            spent_ms = (time.monotonic() - start) * 1000
            if self._stop.over or not may_try_again(retry, attempt, spent_ms):
                break
            await self._stop.race(asyncio.sleep(retry.every_ms / 1000))
            if self._stop.over:
                break
        await self._fail(block.step, place, frame, _given_up(attempt, spent_ms, failure))

    async def _use(self, block: BlockNode, place: int, frame: Frame) -> None:
        inner = frame.call(block, place)
        await self._sequence(block.steps, inner)
        if not self._skips:
            frame.variables.save(inner.returned(block))

    async def _around(self, block: BlockNode, place: int, frame: Frame) -> None:
        inner = frame.inside(block, place)
        if self._skips:
            await self._sequence(block.steps, inner)
            self._skip(block.step, place, frame)
            return
        async with self._handler.around(frame.step(block.step, place, self._rows)) as finish:
            await self._sequence(block.steps, inner)
            if self._skips:
                self._skip(block.step, place, frame)
            else:
                await self._action(block.step, place, frame, finish)

    async def _wanted(self, step: Step, place: int, frame: Frame) -> bool:
        if step.condition is None or self._skips:
            return True
        condition = frame.filled(step, place).condition
        assert condition is not None
        return await self._holds(condition, step.timeout_ms)

    async def _holds(self, condition: Condition, timeout_ms: int | None) -> bool:
        """Decide a condition from the left, no further than needed.

        Raises:
            ConditionFailedError: a check could not be made.
        """
        if condition.check is not None:
            return decided(condition.check, await self._handler.look(condition.check, timeout_ms))
        if condition.opposite is not None:
            return not await self._holds(condition.opposite, timeout_ms)
        inner, all_of = (condition.every, True) if condition.every else (condition.some or (), False)
        for one in inner:
            if await self._holds(one, timeout_ms) is not all_of:
                return not all_of
        return all_of

    def _skip(self, step: Step, place: int, frame: Frame, note: str = "") -> None:
        self._rows += 1
        if self._stop.over:
            self.stopped = self._stop.reason
        self._handler.skip(frame.unresolved(step, place, self._rows), note)

    async def _fail(self, step: Step, place: int, frame: Frame, outcome: StepOutcome) -> None:
        self._rows += 1
        self._note(await self._handler.fail(frame.unresolved(step, place, self._rows), outcome), step, frame)

    def _note(self, result: StepResult, step: Step, frame: Frame) -> None:
        """Remember the values that a step saves, and what its result means for the steps after it."""
        frame.variables.save(result.saved)
        ends_attempt = frame.tried and result.error is not None and not step.optional
        if result.halts or ends_attempt:
            self._failure = self._failure or result
        if result.kind is not None and result.kind is self._stop.reason:
            self.stopped = result.kind


def decided(check: Check, outcome: StepOutcome) -> bool:
    """Return True if a check holds, False if it does not.

    Raises:
        ConditionFailedError: it could not be made: its element is ambiguous, or the page crashed.
    """
    if outcome.error is None or outcome.kind in _FALSE:
        return outcome.error is None
    text = f"cannot decide the condition {check.sentence()}: {outcome.error}"
    raise ConditionFailedError(replace(outcome, error=text))


def may_try_again(retry: Retry, attempts: int, spent_ms: float) -> bool:
    """Return True if another attempt may begin after the pause."""
    in_time = retry.limit_ms is None or spent_ms + retry.every_ms <= retry.limit_ms
    return in_time and (retry.attempts is None or attempts < retry.attempts)


def _untrue(condition: Condition | None) -> str:
    return f"does not hold: {condition}"


def _no_pass(loop: Repeat) -> str:
    if loop.times is not None:
        return "0 times"
    return _untrue(loop.as_long) if loop.as_long is not None else f"holds already: {loop.until}"


def _endless(loop: Repeat) -> StepOutcome:
    state = f"{loop.as_long} still holds" if loop.as_long is not None else f"{loop.until} still does not hold"
    text = f"after {loop.at_most} passes {state}: correct the condition or the steps, or raise at_most"
    return StepOutcome(error=text, kind=ErrorKind.ASSERTION)


def _given_up(attempts: int, spent_ms: float, failure: StepResult) -> StepOutcome:
    count = "1 attempt" if attempts == 1 else f"{attempts} attempts"
    text = f"failed after {count} in {spent_ms / 1000:.1f} s; the last one: step {failure.place}: {failure.error}"
    return StepOutcome(error=text, kind=failure.kind)
