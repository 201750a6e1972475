"""The processor of the `test-execution` queue: one job is one run of a case in a real browser."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from functools import partial
from secrets import token_hex
from typing import Any, ClassVar

from processors.base import BaseJobProcessor
from processors.execution.interpreter import StepLimits
from processors.execution.plan import RunPlan, plan_run, secret_names
from processors.execution.records import RunOutcome, job_result, stored_result
from processors.execution.reporting import RunReporter
from processors.execution.stopping import StopSignal
from processors.execution.tries import TryLoop
from qa_queue.cases.generated import Seed
from qa_queue.cases.locations import with_step_lines
from qa_queue.cases.model import Case
from qa_queue.cases.reader import parse_case
from qa_queue.errors import (
    InfrastructureError,
    InputError,
    NotFoundError,
    QAError,
    RetryLaterError,
    RunCancelledError,
    RunReturnedError,
    StoreError,
)
from qa_queue.models import (
    ErrorKind,
    FailureLimit,
    JobProgress,
    RetryStrategy,
    RunStatus,
    TestJobData,
    TestJobResult,
    utc_now,
)
from qa_queue.models.outcomes import JobFate, failure_of
from qa_queue.settings import read_secrets
from qa_queue.store.records import RunRecord

FLUSH_TIMEOUT_S = 30.0
ERROR_FLUSH_TIMEOUT_S = 5.0
_log = logging.getLogger(__name__)
_ROW_PATIENCE_S = 30.0  # a run that returns to its queue without using an attempt costs some requests to Redis
_READ_AGAIN_S = 1.0


class TestExecutionProcessor(BaseJobProcessor[TestJobData, TestJobResult]):
    """Runs a test. Faults of the site make a result `failed`; those of the infrastructure raise and are retried.

    The time of a run (`timeout`) counts from its first step and covers all tries of the test.
    """

    __test__: ClassVar[bool] = False
    payload = TestJobData

    async def process(self, data: TestJobData) -> TestJobResult:
        """Load the case, run its steps, and return once every row is stored.

        Raises:
            InputError: the case does not exist or cannot be read.
            RunCancelledError: the run was cancelled; its row says so.
            RetryLaterError: another try follows; the row says that the run is queued.
            RunReturnedError: an earlier attempt may have ended the run, and the store cannot be read; or it may be
                cancelled, and Redis cannot be read.
            InfrastructureError: browser or store failed.
        """
        if ended := await self._earlier_result(data):
            return ended
        case = await self._load(data)
        try:
            plan = self._plan(case, data)
            outcome = await self._execute(plan)
        except InputError as error:  # such as a secret that is not set, or an unknown device
            return await self._refuse(data, case, error)
        return job_result(plan, outcome)

    async def handle_error(self, data: TestJobData, error: Exception) -> None:
        """Set the run to `queued`, to `dead` after the last attempt, or to `failed` for bad input."""
        if isinstance(error, RunCancelledError | RetryLaterError | RunReturnedError):
            return
        end = failure_of(error)
        again = end.job is JobFate.RETRY and not self.context.last_attempt
        status = RunStatus.QUEUED if again else end.status
        self._set_status(data, status, str(error), end.error_kind)
        await self._count(data.failure_limit, status)
        try:
            await self._flush(data.test_run_id, ERROR_FLUSH_TIMEOUT_S)
        except QAError as second:
            _log.error("Run %s is %s, but this could not be stored: %s", data.test_run_id, status.value, second)
        await self._announce(data, status, str(error))

    async def _earlier_result(self, data: TestJobData) -> TestJobResult | None:
        """Return the result of a run that has ended before; None if the run has to run.

        Its worker was lost after it had stored the end, or Redis has lost the end of the job. While the store
        cannot be read, a first attempt runs: a row that has ended keeps its first end anyway.

        Raises:
            RunCancelledError: the run had been cancelled, or its submission was withdrawn.
            InputError: the run is dead.
            RunReturnedError: the store cannot be read, and an earlier attempt may have ended the run.
        """
        try:
            run = await self._read_row()
        except StoreError as error:
            if self.context.attempt > 1:
                raise RunReturnedError(
                    f"an earlier attempt may have ended run {self.context.job_id}, which cannot be read: {error}"
                ) from None
            _log.warning("Cannot read whether run %s has ended: %s", self.context.job_id, error)
            return None
        if run is None:
            if data.recorded:
                raise RunCancelledError(f"run {data.test_run_id} has no row: its submission was withdrawn")
            return None
        if not run.status.final:
            self._follow(run.fence)
            return None
        if run.status is RunStatus.DEAD:
            raise InputError(f"run {run.id} is dead: {run.error}. Requeue it to run it again.")
        _log.info("Run %s is %s since before its worker was lost; it is not run again", run.id, run.status.value)
        return stored_result(run)

    async def _read_row(self) -> RunRecord | None:
        """Return the row of the run. Where an earlier attempt may have ended it, wait for an unavailable database.

        Raises:
            StoreError: it could not be read.
        """
        deadline = time.monotonic() + (_ROW_PATIENCE_S if self.context.attempt > 1 else 0.0)
        while True:
            try:
                return await asyncio.to_thread(self.services.store.get_run, self.context.job_id)
            except StoreError:
                if time.monotonic() >= deadline:
                    raise
            await asyncio.sleep(_READ_AGAIN_S)

    def _follow(self, fence: int) -> None:
        """Count this attempt after the executions that the row knows and Redis has forgotten."""
        missing = fence + 1 - self.context.attempt
        if missing > 0:
            attempt, most = self.context.attempt + missing, self.context.max_attempts + missing
            self.context = replace(self.context, attempt=attempt, max_attempts=most)

    async def _load(self, data: TestJobData) -> Case:
        """Return the case of the payload, else the one in the store."""
        if data.case is not None:
            case = parse_case(data.case, source=f"the case of run {data.test_run_id}")
            return with_step_lines(case, data.step_lines)
        record = await asyncio.to_thread(self.services.store.get_case, data.test_case_id)
        if record is None:
            raise NotFoundError(
                f"run {data.test_run_id} asks for case {data.test_case_id}, which is not in the store: "
                "save the case first, or send it in the payload."
            )
        return with_step_lines(parse_case(record.definition, source=f"case {record.name!r}"), record.step_lines)

    def _plan(self, case: Case, data: TestJobData) -> RunPlan:
        seed = Seed.of(data.seed, now=utc_now(), fresh=token_hex(4))
        settings, secrets = self.services.settings, read_secrets(secret_names(case))
        evaluates = settings.qa_evaluate == "always" or (settings.qa_evaluate == "trusted" and data.trusted)
        if case.timeout_ms > (most := settings.qa_run_seconds) * 1000:
            raise InputError(
                f"the case has a timeout of {case.timeout_ms / 1000:g} s, and a run may take {most} s "
                "(QA_RUN_SECONDS): give it less time, or split it"
            )
        plan = plan_run(case, data, secrets, settings.ignored_attributes, seed=seed, evaluates=evaluates)
        isolated = case.retries > 0 and case.retry_strategy is RetryStrategy.ISOLATED
        limits = StepLimits(steps=settings.qa_run_steps, passes=settings.qa_run_passes)
        return replace(plan, defers=isolated and self.context.can_defer, limits=limits)

    def _tries(self, plan: RunPlan, reporter: RunReporter, stop: StopSignal) -> TryLoop:
        """Return the tries of the test; a subclass may perform other kinds of cases."""
        return TryLoop(plan, self.services, self.context, reporter, stop)

    async def _execute(self, plan: RunPlan) -> RunOutcome:
        """Run the test and store the outcome.

        Raises:
            RunCancelledError: the run was cancelled.
            RunReturnedError: it cannot be read whether it was, or another worker has taken it over.
            RetryLaterError: the test failed, and its next try follows at the end of the queue.
        """
        services = self.services
        reporter = RunReporter(plan, self.context, writer=services.writer, report=self.update_progress)
        cancels = services.cancels
        stop_signal = StopSignal(
            partial(self._may_not_run, plan), taken_over=partial(cancels.taken_over, self.context)
        )
        async with stop_signal as stop:
            outcome = await self._tries(plan, reporter, stop).run()
        if outcome.deferred:
            await reporter.defer(outcome)
            await self._flush(plan.run_id, FLUSH_TIMEOUT_S)
            raise RetryLaterError(f"{outcome.error}; the test is tried again at the end of the queue, alone")
        await self._count(plan.failure_limit, outcome.verdict.status)
        reporter.end(outcome)
        await self._flush(plan.run_id, FLUSH_TIMEOUT_S)
        await reporter.announce(outcome)
        if outcome.verdict.status is RunStatus.CANCELLED:
            raise RunCancelledError(f"run {plan.run_id} was cancelled")
        return outcome

    def _may_not_run(self, plan: RunPlan) -> bool:
        """Return True if the run was cancelled, or its batch has failed as often as it may.

        A run that was requeued afterwards is meant to run.
        """
        cancels, limit = self.services.cancels, plan.failure_limit
        if cancels.requested(plan.run_id):
            return True
        return limit is not None and not self.context.requeues and cancels.limit_reached(plan.run_id, limit)

    async def _count(self, limit: FailureLimit | None, status: RunStatus) -> None:
        """Count a failure of a batch with a limit before the worker begins another run of it."""
        if limit is None or not status.bad:
            return
        try:
            await asyncio.to_thread(self.services.cancels.add_failure, self.context.job_id, limit)
        except InfrastructureError as error:  # a command that waits for the batch cancels too
            _log.warning("Cannot count the failure of run %s: %s", self.context.job_id, error)

    async def _refuse(self, data: TestJobData, case: Case, error: InputError) -> TestJobResult:
        """End a run that cannot begin; as another attempt would not help, the job completes as failed."""
        self._set_status(data, RunStatus.FAILED, str(error), ErrorKind.INPUT)
        await self._count(data.failure_limit, RunStatus.FAILED)
        await self._flush(data.test_run_id, FLUSH_TIMEOUT_S)
        await self._announce(data, RunStatus.FAILED, str(error))
        return TestJobResult(
            test_run_id=data.test_run_id,
            status="failed",
            total_steps=case.known_total or 0,
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
        """Report the status of a run whose steps do not report it."""
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
