"""The tries of a test: again after a failure, as often as its case allows."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from processors.base import JobContext, Services
from processors.browser.protocol import KeepState
from processors.execution.artifacts import ArtifactRecorder
from processors.execution.attempt import Attempt
from processors.execution.element_history import ElementHistory
from processors.execution.logins import LoginFailedError, SavedLogins, with_state
from processors.execution.plan import RunPlan
from processors.execution.records import RunOutcome, clean
from processors.execution.reporting import RunReporter
from processors.execution.stopping import StopSignal
from processors.execution.verdict import RunVerdict, judge, may_retry
from qa_queue.cases.actions import SaveState
from qa_queue.models import RunStatus
from qa_queue.models.outcomes import KINDS


@dataclass(frozen=True)
class TryLoop:
    """All tries of one test within one attempt of its job, each on a fresh session."""

    plan: RunPlan
    services: Services
    context: JobContext
    reporter: RunReporter
    stop: StopSignal

    async def run(self) -> RunOutcome:
        """Try the test until it passes, has no tries left, or has to stop; return the outcome of the last try.

        Its times and notes are those of all tries together. A plan that defers has one try here; its outcome tells
        whether another follows.
        """
        plan = self.plan
        first = self.context.deferrals + 1 if plan.defers else 1
        outcome = RunOutcome(
            verdict=judge((), max_adaptations=0, stopped=self.stop.reason),
            attempt=self._number(1),
            total_steps=plan.total or 0,
        )
        for test_try in range(first, first + 1 if plan.defers else plan.tries + 1):
            if self.stop.reason:
                break
            if test_try == first:
                await self.reporter.begin()
            else:
                await self.reporter.retry(test_try, outcome.error)
            outcome = _added(outcome, await self._try(test_try))
            if not may_retry(outcome.verdict):
                break
        more = plan.defers and first < plan.tries and not self.stop.reason
        return replace(outcome, deferred=more and may_retry(outcome.verdict))

    async def _try(self, test_try: int) -> RunOutcome:
        asked = time.perf_counter()
        try:
            plan, notes = await self._signed_in(test_try)
        except LoginFailedError as error:
            return self._not_signed_in(test_try, error, asked)
        services, number, saver = self.services, self._number(test_try), self._state_saver(test_try)
        artifacts = ArtifactRecorder(services, plan.run_id, number, secrets=plan.secrets)
        with (
            ElementHistory(plan, services.store, services.claims) as elements,
            tempfile.TemporaryDirectory(prefix="qa-recordings-", ignore_cleanup_errors=True) as recordings,
        ):
            options = plan.session_options(test_try, Path(recordings))
            async with services.browser.session(replace(options, keep_state=saver)) as session:
                started = time.perf_counter()
                self.stop.arm(plan.timeout_ms)
                attempt = Attempt(
                    plan=plan,
                    number=number,
                    test_try=test_try,
                    session=session,
                    artifacts=artifacts,
                    reporter=self.reporter,
                    stop=self.stop,
                    elements=elements,
                )
                verdict = await attempt.run()
                ended = time.perf_counter()
        return RunOutcome(
            verdict=replace(verdict, error=clean(plan, verdict.error)),
            attempt=number,
            total_steps=len(attempt.results),
            results=tuple(attempt.results),
            adaptations=tuple(attempt.adaptations),
            flaky=verdict.status.good and test_try > 1,
            starting_ms=_ms(started - asked),
            running_ms=_ms(ended - started),
            notes=tuple(artifacts.notes),
            closing_notes=(*notes, *attempt.closing_notes),
            network=attempt.session.network_use,
        )

    async def _signed_in(self, test_try: int) -> tuple[RunPlan, tuple[str, ...]]:
        """Return the plan with the state of its login, and a note on it.

        Raises:
            LoginFailedError: the run cannot have it.
        """
        plan = self.plan
        if plan.login is None:
            return plan, ()
        logins = SavedLogins(plan=plan, services=self.services, stop=self.stop, number=self._number(test_try))
        await self.reporter.progress(0, f"{plan.case.name}: login {plan.login.name}")
        found = await logins.state(plan.login)
        self.reporter.use_plan(signed_in := with_state(plan, plan.login, found))
        return signed_in, (found.note(plan.login.name, plan.run_id),)

    def _state_saver(self, test_try: int) -> KeepState | None:
        """Return what keeps the states of `save_state` steps; without such a step no key is needed."""
        if not any(isinstance(step.args, SaveState) for _, step in self.plan.case.steps_by_path()):
            return None
        logins = SavedLogins(plan=self.plan, services=self.services, stop=self.stop, number=self._number(test_try))
        return logins.keep

    def _not_signed_in(self, test_try: int, error: LoginFailedError, asked: float) -> RunOutcome:
        status = KINDS[error.kind] if error.kind is self.stop.reason else RunStatus.FAILED
        return RunOutcome(
            verdict=RunVerdict(status=status, error=str(error), error_kind=error.kind),
            attempt=self._number(test_try),
            starting_ms=_ms(time.perf_counter() - asked),
        )

    def _number(self, test_try: int) -> int:
        return self.plan.attempt_number(self.context.attempt, test_try)


def _added(before: RunOutcome, now: RunOutcome) -> RunOutcome:
    return replace(
        now,
        starting_ms=before.starting_ms + now.starting_ms,
        running_ms=before.running_ms + now.running_ms,
        notes=before.notes + now.notes,
        network=before.network + now.network if before.network and now.network else now.network or before.network,
    )


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
