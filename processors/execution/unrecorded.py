"""Steps that run without a row, a report, a picture or a trace, such as those of a login."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from processors.browser.protocol import BrowserSession, Finish, StepOutcome
from processors.execution.attempt import LOOK_MS
from processors.execution.interpreter import Interpreter
from processors.execution.plan import RunPlan
from processors.execution.redaction import without_saved_secrets
from processors.execution.step_tree import Frame, PlannedStep, Section
from processors.execution.stopping import STOPPED, PauseWatch, StopSignal
from processors.execution.verdict import StepResult, halts, step_status
from qa_queue.cases.actions import Expect
from qa_queue.cases.checks import Check
from qa_queue.cases.steps import Step
from qa_queue.models import ErrorKind, StepStatus, utc_now


@dataclass(kw_only=True)
class UnrecordedSteps:
    """Performs steps without a report; implements `processors.execution.interpreter.StepHandler`."""

    plan: RunPlan
    session: BrowserSession
    stop: StopSignal
    results: list[StepResult] = field(default_factory=list)
    current: PlannedStep | None = None

    async def run(self, sections: Sequence[Section], frame: Frame, limit_ms: int) -> StepResult | None:
        """Run steps within a time; return the one that failed, if any."""
        try:
            async with asyncio.timeout(limit_ms / 1000):
                await Interpreter(self, self.stop).run(sections, frame)
        except TimeoutError:
            return self._late(limit_ms)
        return next((one for one in self.results if one.status is StepStatus.FAILED), None)

    async def perform(self, planned: PlannedStep, finish: Finish | None = None) -> StepResult:
        """See `StepHandler`."""
        self.current = planned
        used = planned.secrets & self.plan.secrets.keys()
        work = self.session.perform(planned.resolved, timeout_ms=planned.timeout_ms, secrets=used, finish=finish)
        async with PauseWatch() as pauses:
            outcome = await self.stop.race(work) or self._stopped()
            if outcome.error is not None:
                pauses.raise_if_paused()
        return self._result(planned, without_saved_secrets(outcome, self.plan.unreadable))

    async def look(self, check: Check, timeout_ms: int | None) -> StepOutcome:
        """See `StepHandler`."""
        step = Step(args=Expect(check=check))
        return await self.stop.race(self.session.look(step, timeout_ms=timeout_ms or LOOK_MS)) or self._stopped()

    @asynccontextmanager
    async def around(self, planned: PlannedStep) -> AsyncIterator[Finish]:
        """See `StepHandler`."""
        async with self.session.around(planned.resolved) as finish:
            yield finish

    async def fail(self, planned: PlannedStep, outcome: StepOutcome) -> StepResult:
        """See `StepHandler`."""
        return self._result(planned, outcome)

    def skip(self, planned: PlannedStep, note: str = "") -> None:
        """See `StepHandler`."""

    def _late(self, limit_ms: int) -> StepResult:
        """Return the failure of the step that runs when the time is up."""
        text = f"the steps took longer than {limit_ms} ms in all (`timeout` of the login)"
        late = StepOutcome(error=text, kind=ErrorKind.TIMEOUT)
        if self.current is not None:
            return self._result(self.current, late)
        failed = StepStatus.FAILED  # in the condition of the first step
        return StepResult(number=1, position="1", status=failed, started_at=utc_now(), error=text, kind=late.kind)

    def _stopped(self) -> StepOutcome:
        assert self.stop.reason is not None
        return StepOutcome(error=STOPPED[self.stop.reason], kind=self.stop.reason)

    def _result(self, planned: PlannedStep, outcome: StepOutcome) -> StepResult:
        error = outcome.error if outcome.error is None else f"{planned.title}: {outcome.error}"
        result = StepResult(
            number=planned.number,
            position=planned.position,
            source=planned.source,
            status=step_status(outcome, optional=planned.optional),
            started_at=utc_now(),
            error=error,
            kind=outcome.kind,
            saved=outcome.saved,
            halts=halts(planned.written, outcome),
        )
        self.results.append(result)
        return result
