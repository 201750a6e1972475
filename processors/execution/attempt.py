"""One try of a test on one fresh session: its steps, their rows and artifacts, and the verdict."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from processors.browser.protocol import BrowserSession, Finish, Heal, StepOutcome
from processors.execution.artifacts import ArtifactRecorder, picture_name
from processors.execution.element_history import ElementHistory
from processors.execution.interpreter import Interpreter
from processors.execution.plan import RunPlan
from processors.execution.records import adaptation_of, is_adaptation
from processors.execution.redaction import without_saved_secrets
from processors.execution.reporting import RunReporter
from processors.execution.step_tree import PlannedStep
from processors.execution.stopping import STOPPED, PauseWatch, StopSignal
from processors.execution.verdict import RunVerdict, StepResult, halts, judge, limited, step_status
from qa_queue.cases.actions import Expect, Screenshot
from qa_queue.cases.checks import Check
from qa_queue.cases.steps import Step
from qa_queue.errors import BrowserCrashedError, ProcessPausedError
from qa_queue.models import (
    AdaptationRecord,
    ArtifactKind,
    ErrorKind,
    RunStatus,
    ScreenshotMode,
    StepStatus,
    utc_now,
)
from qa_queue.models.results import BASELINE
from qa_queue.store.records import FingerprintRecord

LOOK_MS = 1  # makes a check exactly once
_NO_PICTURE = (
    ErrorKind.PAGE_CRASH,
    ErrorKind.PAGE_FLOOD,
    ErrorKind.CANCELLED,
)  # the page is gone, or the picture is not needed


@dataclass(kw_only=True)
class Attempt:
    """One try; `number` is the one its rows are stored under.

    `test_try` counts the tries of the test. `results` and `adaptations` grow with each step; `closing_notes` are
    about what belongs to none. Fingerprints that replace known ones wait for a good end.
    """

    plan: RunPlan
    number: int
    test_try: int
    session: BrowserSession
    artifacts: ArtifactRecorder
    reporter: RunReporter
    stop: StopSignal
    elements: ElementHistory
    results: list[StepResult] = field(default_factory=list)
    adaptations: list[AdaptationRecord] = field(default_factory=list)
    closing_notes: tuple[str, ...] = ()
    _fingerprints: list[FingerprintRecord] = field(default_factory=list)

    async def run(self) -> RunVerdict:
        """Run the steps, judge, and save the artifacts.

        Raises:
            BrowserCrashedError, ProcessPausedError: no fault of the site; the steps so far are reported.
        """
        interpreter = Interpreter(self, self.stop, self.plan.limits)
        await interpreter.run(self.plan.sections, self.plan.frame_of(self.number))
        for file in await self.session.downloads():
            await self.artifacts.download(file)
        self.closing_notes = self.session.unreported
        limit = self.plan.config.max_adaptations
        verdict = judge(self.results, max_adaptations=limit, stopped=interpreter.stopped)
        verdict = limited(verdict, self.session.exceeded)
        if verdict.status.good:
            self.reporter.fingerprints(self._fingerprints)
        await self._save_artifacts(verdict)
        return limited(verdict, self.artifacts.excess)

    async def perform(self, planned: PlannedStep, finish: Finish | None = None) -> StepResult:
        """Do a step and report it; see `processors.execution.interpreter.StepHandler`."""
        started_at, clock = utc_now(), time.perf_counter()
        try:
            outcome = await self._act_awake(planned, finish)
        except (BrowserCrashedError, ProcessPausedError) as error:
            crash = StepOutcome(error=str(error), kind=ErrorKind.INFRASTRUCTURE)
            await self._report(planned, crash, started_at, clock)
            raise
        result = await self._report(planned, outcome, started_at, clock)
        self._remember(planned, outcome)
        await self._take_pictures(planned, outcome, result)
        if self.artifacts.excess is not None:
            self.session.stop(self.artifacts.excess)
        return result

    async def _act_awake(self, planned: PlannedStep, finish: Finish | None) -> StepOutcome:
        """Do a step.

        Raises:
            BrowserCrashedError: the browser died.
            ProcessPausedError: the step failed, and this process was paused meanwhile.
        """
        async with PauseWatch() as pauses:
            outcome = await self._act(planned, finish)
            if outcome.error is not None:
                pauses.raise_if_paused()
        return outcome

    async def look(self, check: Check, timeout_ms: int | None) -> StepOutcome:
        """Make a check without a report; see `processors.execution.interpreter.StepHandler`."""
        step = Step(args=Expect(check=check))
        outcome = await self.stop.race(self.session.look(step, timeout_ms=timeout_ms or LOOK_MS))
        return outcome or self._interrupted()

    @asynccontextmanager
    async def around(self, planned: PlannedStep) -> AsyncIterator[Finish]:
        """Begin a step that others run within; see `processors.execution.interpreter.StepHandler`."""
        async with self.session.around(planned.resolved) as finish:
            yield finish

    async def fail(self, planned: PlannedStep, outcome: StepOutcome) -> StepResult:
        """Report a step that is not performed; see `processors.execution.interpreter.StepHandler`."""
        return await self._report(planned, outcome, utc_now(), time.perf_counter())

    def skip(self, planned: PlannedStep, note: str = "") -> None:
        """Report a step that is skipped; see `processors.execution.interpreter.StepHandler`."""
        result = StepResult(
            number=planned.number,
            position=planned.position,
            source=planned.source,
            status=StepStatus.SKIPPED,
            started_at=utc_now(),
            notes=(note,) if note else (),
        )
        self.results.append(result)
        self.reporter.row(self.number, planned, result)

    async def _act(self, planned: PlannedStep, finish: Finish | None) -> StepOutcome:
        adapted = sum(result.status is StepStatus.ADAPTED for result in self.results)
        hints = await self.elements.hints(planned, adapted)
        used = planned.secrets & self.plan.secrets.keys()
        work = self.session.perform(
            planned.resolved, timeout_ms=planned.timeout_ms, hints=hints, secrets=used, finish=finish
        )
        outcome = await self.stop.race(work) or self._interrupted()
        return without_saved_secrets(outcome, self.plan.unreadable)

    def _interrupted(self) -> StepOutcome:
        assert self.stop.reason is not None
        return StepOutcome(error=STOPPED[self.stop.reason], kind=self.stop.reason)

    async def _report(
        self, planned: PlannedStep, outcome: StepOutcome, started_at: datetime, clock: float
    ) -> StepResult:
        result = StepResult(
            number=planned.number,
            position=planned.position,
            source=planned.source,
            status=step_status(outcome, optional=planned.optional),
            started_at=started_at,
            duration_ms=round((time.perf_counter() - clock) * 1000),
            error=outcome.error,
            kind=outcome.kind,
            found=outcome.found,
            heal=outcome.heal,
            saved=outcome.saved,
            notes=outcome.notes,
            halts=halts(planned.written, outcome),
        )
        self.results.append(result)
        if result.status is StepStatus.ADAPTED and is_adaptation(result):
            self.adaptations.append(adaptation_of(planned, result))
        await self.reporter.step(self.number, planned, result)
        return result

    def _remember(self, planned: PlannedStep, outcome: StepOutcome) -> None:
        """Store the element's fingerprint: at once if none was known, else when the run ends well."""
        row = self.elements.record(planned, outcome)
        if row is None:
            return
        if self.elements.knows(planned):
            self._fingerprints.append(row)
        else:
            self.reporter.fingerprints([row])

    async def _take_pictures(self, planned: PlannedStep, outcome: StepOutcome, result: StepResult) -> None:
        step, number, evidence = planned.written, planned.number, self.plan.evidence
        await self._keep_downloads(number, outcome)
        if not self.plan.keeps_pictures:
            return
        if outcome.picture is not None:
            name = picture_name(number, step.args.name or "" if isinstance(step.args, Screenshot) else "")
            await self.artifacts.keep(ArtifactKind.SCREENSHOT, name, outcome.picture, number)
        await self._keep_compared(number, outcome.pictures)
        if outcome.heal is not None:
            await self._keep_heal_pictures(number, outcome.heal)
        if result.status is StepStatus.FAILED:
            if result.kind not in _NO_PICTURE:
                if evidence.keeps(ArtifactKind.SCREENSHOT, self.test_try, good=False):
                    await self.artifacts.picture(self.session, picture_name(number, "failed"), number)
                if evidence.screenshots is not ScreenshotMode.OFF:
                    await self.artifacts.snapshot(self.session, planned.position)
        elif step.screenshot or evidence.screenshots is ScreenshotMode.EVERY_STEP:
            await self.artifacts.picture(self.session, picture_name(number, "after"), number)

    async def _keep_downloads(self, number: int, outcome: StepOutcome) -> None:
        for file in outcome.files:
            await self.artifacts.download(file, number)

    async def _keep_compared(self, number: int, pictures: Mapping[str, bytes]) -> None:
        """Save the pictures of a comparison, and new baselines under their own names."""
        for name, picture in pictures.items():
            kept = name if name.startswith(BASELINE) else picture_name(number, name)
            await self.artifacts.keep(ArtifactKind.SCREENSHOT, kept, picture, number)

    async def _keep_heal_pictures(self, number: int, heal: Heal) -> None:
        """Save the pictures with the element marked."""
        for when, picture in (("before", heal.before), ("after", heal.after)):
            if picture is not None:
                name = picture_name(number, f"heal-{when}")
                await self.artifacts.keep(ArtifactKind.SCREENSHOT, name, picture, number)

    async def _save_artifacts(self, verdict: RunVerdict) -> None:
        if verdict.status is not RunStatus.CANCELLED:
            await self._save_recordings(good=verdict.status.good)
        await self.artifacts.console(self.session)

    async def _save_recordings(self, *, good: bool) -> None:
        evidence, session = self.plan.evidence, self.session
        kept = {kind for kind in ArtifactKind if evidence.keeps(kind, self.test_try, good=good)}
        if ArtifactKind.SCREENSHOT in kept and good and evidence.screenshots is not ScreenshotMode.EVERY_STEP:
            await self.artifacts.picture(session, "end.png", self.results[-1].number if self.results else 0)
        if ArtifactKind.TRACE in kept:
            await self.artifacts.trace(session)
        if ArtifactKind.HAR in kept:
            await self.artifacts.har(session)
        if ArtifactKind.VIDEO in kept:
            await self.artifacts.videos(session)
