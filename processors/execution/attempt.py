"""One try of a test: its steps, one after the other, on one fresh session."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime

from processors.browser.protocol import BrowserSession, Heal, StepOutcome
from processors.execution.artifacts import ArtifactRecorder, picture_name
from processors.execution.element_history import ElementHistory
from processors.execution.plan import PlannedStep, RunPlan
from processors.execution.reporting import RunReporter
from processors.execution.stopping import StopSignal
from processors.execution.verdict import RunVerdict, StepResult, ends_try, judge, keeps_trace, step_status
from qa_queue.cases.model import Screenshot
from qa_queue.errors import BrowserCrashedError
from qa_queue.models import ArtifactKind, ErrorKind, StepStatus, utc_now
from qa_queue.store.records import FingerprintRecord

_STOPPED = {
    ErrorKind.CANCELLED: "the run was cancelled during this step",
    ErrorKind.TIMEOUT: "the run's time was up during this step",
}
_NO_PICTURE = (ErrorKind.PAGE_CRASH, ErrorKind.CANCELLED)  # there is no page any more, or nobody will look


@dataclass(kw_only=True)
class Attempt:
    """`number` is the one its rows are kept under; `results` grows with each step."""

    plan: RunPlan
    number: int
    session: BrowserSession
    evidence: ArtifactRecorder
    reporter: RunReporter
    stop: StopSignal
    traced: bool
    elements: ElementHistory
    results: list[StepResult] = field(default_factory=list)
    seen: list[FingerprintRecord] = field(default_factory=list)

    async def run(self) -> RunVerdict:
        """Do the steps, keep the evidence and judge.

        Raises:
            BrowserCrashedError: the browser died; the steps so far are reported.
        """
        halted, stopped = False, None
        for planned in self.plan.steps:
            if self.stop.reason or (halted and not planned.written.always_run):
                stopped = self.stop.reason
                self._pass_over(planned)
                continue
            result = await self._do(planned)
            halted = halted or ends_try(planned.written, result.status)
            stopped = self.stop.reason if result.kind is self.stop.reason else None
        verdict = judge(self.results, max_adaptations=self.plan.config.max_adaptations, stopped=stopped)
        if verdict.status.good:
            self.reporter.fingerprints(self.seen)
        await self._keep_evidence(verdict)
        return verdict

    async def _do(self, planned: PlannedStep) -> StepResult:
        started_at, clock = utc_now(), time.perf_counter()
        try:
            outcome = await self._perform(planned)
        except BrowserCrashedError as error:
            crash = StepOutcome(error=str(error), kind=ErrorKind.INFRASTRUCTURE)
            await self._report(planned, crash, started_at, clock)
            raise
        result = await self._report(planned, outcome, started_at, clock)
        self._remember(planned, outcome)
        await self._picture(planned, outcome, result)
        return result

    async def _perform(self, planned: PlannedStep) -> StepOutcome:
        adapted = sum(result.status is StepStatus.ADAPTED for result in self.results)
        aid = await self.elements.aid(planned, adapted)
        work = self.session.perform(planned.resolved, timeout_ms=planned.timeout_ms, aid=aid)
        outcome = await self.stop.race(work)
        if outcome is not None:
            return outcome
        assert self.stop.reason is not None
        return StepOutcome(error=_STOPPED[self.stop.reason], kind=self.stop.reason)

    async def _report(
        self, planned: PlannedStep, outcome: StepOutcome, started_at: datetime, clock: float
    ) -> StepResult:
        result = StepResult(
            number=planned.number,
            status=step_status(planned.written, outcome),
            started_at=started_at,
            duration_ms=round((time.perf_counter() - clock) * 1000),
            error=outcome.error,
            kind=outcome.kind,
            found=outcome.found,
            heal=outcome.heal,
        )
        self.results.append(result)
        await self.reporter.step(self.number, planned, result)
        return result

    def _remember(self, planned: PlannedStep, outcome: StepOutcome) -> None:
        """Keep what the element looks like: at once where nothing is known, else when the run ends well."""
        row = self.elements.record(planned, outcome)
        if row is None:
            return
        if self.elements.knows(planned):
            self.seen.append(row)
        else:
            self.reporter.fingerprints([row])

    def _pass_over(self, planned: PlannedStep) -> None:
        result = StepResult(number=planned.number, status=StepStatus.SKIPPED, started_at=utc_now())
        self.results.append(result)
        self.reporter.row(self.number, planned, result)

    async def _picture(self, planned: PlannedStep, outcome: StepOutcome, result: StepResult) -> None:
        step, mode = planned.written, self.plan.config.screenshots
        if outcome.picture is not None:
            name = picture_name(planned.number, step.args.name or "" if isinstance(step.args, Screenshot) else "")
            await self.evidence.keep(ArtifactKind.SCREENSHOT, name, outcome.picture, planned.number)
        if outcome.heal is not None:
            await self._picture_heal(planned.number, outcome.heal)
        if result.status is StepStatus.FAILED:
            if mode != "off" and result.kind not in _NO_PICTURE:
                await self.evidence.picture(self.session, picture_name(planned.number, "failed"), planned.number)
        elif step.screenshot or mode == "every-step":
            await self.evidence.picture(self.session, picture_name(planned.number, "after"), planned.number)

    async def _picture_heal(self, number: int, heal: Heal) -> None:
        """Keep the pictures with the element marked."""
        for when, picture in (("before", heal.before), ("after", heal.after)):
            if picture is not None:
                await self.evidence.keep(
                    ArtifactKind.SCREENSHOT, picture_name(number, f"heal-{when}"), picture, number
                )

    async def _keep_evidence(self, verdict: RunVerdict) -> None:
        if self.traced and keeps_trace(self.plan.trace, verdict):
            await self.evidence.trace(self.session)
        await self.evidence.console(self.session)
