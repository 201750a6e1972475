"""The processor of the `test-execution` queue: one job, one run of a case in a real browser."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from processors.base import BaseJobProcessor
from processors.browser.protocol import TraceContent
from processors.execution.artifacts import ArtifactRecorder
from processors.execution.attempt import Attempt
from processors.execution.element_history import ElementHistory
from processors.execution.plan import RunPlan, plan_run, secret_names
from processors.execution.records import RunOutcome, job_result
from processors.execution.reporting import RunReporter
from processors.execution.stopping import StopSignal
from processors.execution.verdict import judge, may_retry
from qa_queue.cases.model import Case
from qa_queue.cases.reader import parse_case
from qa_queue.errors import InputError, NotFoundError, QAError, RunCancelledError
from qa_queue.models import ErrorKind, JobProgress, RunStatus, TestJobData, TestJobResult, utc_now
from qa_queue.models.outcomes import JobFate, failure_of
from qa_queue.settings import read_secrets

FLUSH_TIMEOUT_S = 30.0
ERROR_FLUSH_TIMEOUT_S = 5.0
_log = logging.getLogger(__name__)


class TestExecutionProcessor(BaseJobProcessor[TestJobData, TestJobResult]):
    """Runs a test. The site's faults make a result `failed`; the infrastructure's raise, and the job is retried.

    The time of a run (`timeout`) counts from its first step and covers all tries of the test.
    """

    __test__: ClassVar[bool] = False
    payload = TestJobData

    async def process(self, data: TestJobData) -> TestJobResult:
        """Load the case, do its steps, and return once every row is stored.

        Raises:
            InputError: there is no such case, or it cannot be read.
            RunCancelledError: somebody cancelled the run; its row says so.
            InfrastructureError: browser or store failed.
        """
        case = await self._load(data)
        try:
            ignored = self.services.settings.ignored_attributes
            plan = plan_run(case, data, read_secrets(secret_names(case)), ignored)
            outcome = await self._execute(plan)
        except InputError as error:  # a secret that is not set, a device that does not exist
            return await self._refuse(data, case, error)
        if outcome.verdict.status is RunStatus.CANCELLED:
            raise RunCancelledError(f"run {plan.run_id} was cancelled")
        return job_result(plan, outcome)

    async def handle_error(self, data: TestJobData, error: Exception) -> None:
        """Put the run back to `queued`, or to `dead` where this was the last attempt; bad input is `failed`."""
        if isinstance(error, RunCancelledError):
            return
        end = failure_of(error)
        again = end.job is JobFate.RETRY and not self.context.last_attempt
        status = RunStatus.QUEUED if again else end.status
        self._set_status(data, status, str(error), end.error_kind)
        try:
            await self._flush(data.test_run_id, ERROR_FLUSH_TIMEOUT_S)
        except QAError as second:
            _log.error("Run %s is %s, which could not be stored: %s", data.test_run_id, status.value, second)
        await self._announce(data, status, str(error))

    async def _load(self, data: TestJobData) -> Case:
        """The case of the payload, else the one in the store."""
        if data.case is not None:
            return parse_case(data.case, source=f"the case of run {data.test_run_id}")
        record = await asyncio.to_thread(self.services.store.get_case, data.test_case_id)
        if record is None:
            raise NotFoundError(
                f"run {data.test_run_id} asks for case {data.test_case_id}, which is not in the store: "
                "save the case first, or send it in the payload."
            )
        return parse_case(record.definition, source=f"case {record.name!r}")

    async def _execute(self, plan: RunPlan) -> RunOutcome:
        """Run the test, and store what happened."""
        services = self.services
        reporter = RunReporter(plan, self.context, writer=services.writer, report=self.update_progress)
        async with StopSignal(partial(services.cancels.requested, plan.run_id)) as stop:
            outcome = await self._tries(plan, reporter, stop)
        reporter.end(outcome)
        await self._flush(plan.run_id, FLUSH_TIMEOUT_S)
        await reporter.announce(outcome)
        return outcome

    async def _tries(self, plan: RunPlan, reporter: RunReporter, stop: StopSignal) -> RunOutcome:
        """Try the test until it passes, has no tries left, or has to stop."""
        outcome = RunOutcome(
            verdict=judge((), max_adaptations=0, stopped=stop.reason),
            attempt=plan.attempt_number(self.context.attempt, 1),
            total_steps=plan.total or 0,
        )
        for test_try in range(1, plan.tries + 1):
            if stop.reason:
                break
            if test_try == 1:
                await reporter.begin()
            else:
                await reporter.retry(test_try, outcome.error)
            outcome = _after(outcome, await self._try(plan, test_try, reporter, stop))
            if not may_retry(outcome.verdict):
                break
        return outcome

    async def _try(self, plan: RunPlan, test_try: int, reporter: RunReporter, stop: StopSignal) -> RunOutcome:
        number = plan.attempt_number(self.context.attempt, test_try)
        services, options = self.services, plan.session_options(test_try)
        artifacts = ArtifactRecorder(
            services.artifacts_dir, plan.run_id, number, writer=services.writer, secrets=plan.secrets
        )
        asked = time.perf_counter()
        with ElementHistory(plan, services.store, services.claims) as elements:
            async with services.browser.session(options) as session:
                started = time.perf_counter()
                stop.arm(plan.timeout_ms)
                attempt = Attempt(
                    plan=plan,
                    number=number,
                    session=session,
                    artifacts=artifacts,
                    reporter=reporter,
                    stop=stop,
                    traced=options.trace is not TraceContent.NONE,
                    elements=elements,
                )
                verdict = await attempt.run()
                ended = time.perf_counter()
        return RunOutcome(
            verdict=verdict,
            attempt=number,
            total_steps=plan.total or len(attempt.results),
            results=tuple(attempt.results),
            adaptations=tuple(attempt.adaptations),
            flaky=verdict.status.good and test_try > 1,
            starting_ms=_ms(started - asked),
            running_ms=_ms(ended - started),
            notes=tuple(artifacts.notes),
        )

    async def _refuse(self, data: TestJobData, case: Case, error: InputError) -> TestJobResult:
        """End a run that cannot begin: trying again would not help, so the job is done and its result failed."""
        self._set_status(data, RunStatus.FAILED, str(error), ErrorKind.INPUT)
        await self._flush(data.test_run_id, FLUSH_TIMEOUT_S)
        await self._announce(data, RunStatus.FAILED, str(error))
        return TestJobResult(
            test_run_id=data.test_run_id,
            status="failed",
            total_steps=len(case.steps),
            completed_steps=0,
            failed_steps=0,
            duration=0,
            error=str(error),
            error_kind=ErrorKind.INPUT,
        )

    def _set_status(self, data: TestJobData, status: RunStatus, error: str, kind: ErrorKind) -> None:
        ended: dict[str, Any] = {"finished_at": utc_now()} if status.final else {}
        self.services.writer.update_run(
            data.test_run_id,
            fence=self.context.attempt,
            status=status,
            error=error,
            error_kind=kind,
            worker=self.context.worker,
            **ended,
        )

    async def _announce(self, data: TestJobData, status: RunStatus, message: str) -> None:
        """Tell those who follow the run about its status when no step says it."""
        await self.update_progress(
            JobProgress(
                test_run_id=data.test_run_id,
                current_step=0,
                total_steps=0,
                percentage=0,
                message=message,
                status=status,
            )
        )

    async def _flush(self, run_id: str, seconds: float) -> None:
        await asyncio.to_thread(self.services.writer.flush, seconds, run_id)


def _after(before: RunOutcome, now: RunOutcome) -> RunOutcome:
    """The outcome of the latest try, with the time and the notes of all."""
    return replace(
        now,
        starting_ms=before.starting_ms + now.starting_ms,
        running_ms=before.running_ms + now.running_ms,
        notes=before.notes + now.notes,
    )


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
