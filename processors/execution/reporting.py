"""Reports of a run: progress for those who follow it, rows for the store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict
from datetime import datetime

from processors.base import RecordSink
from processors.execution.plan import RunPlan
from processors.execution.records import RunOutcome, adaptation_row, clean, is_adaptation, step_record
from processors.execution.step_tree import PlannedStep
from processors.execution.verdict import StepResult
from qa_queue.models import JobContext, JobProgress, RunStatus, StepData, StepStatus, utc_now
from qa_queue.models.outcomes import label_of
from qa_queue.store.records import FingerprintRecord

Report = Callable[[JobProgress], Awaitable[None]]
_WORDS = {StepStatus.ADAPTED: "passed by a fallback", StepStatus.SKIPPED: "failed, which does not count"}


class RunReporter:
    """Reports one run. Rows are written in the background; progress is written at once."""

    def __init__(self, plan: RunPlan, context: JobContext, *, writer: RecordSink, report: Report) -> None:
        self._plan = plan
        self._context = context
        self._writer = writer
        self._report = report

    def use_plan(self, plan: RunPlan) -> None:
        """Report the run by this plan from now on, which may know more secrets."""
        self._plan = plan

    async def begin(self) -> None:
        """Report the start of the run."""
        now = utc_now()
        self._update(
            status=RunStatus.RUNNING,
            attempt=self._plan.attempt_number(self._context.attempt, 1),
            worker=self._context.worker,
            total_steps=self._plan.total or 0,
            seed=str(self._plan.values.seed) or None,
            started_at=now,
            waiting_ms=_between(self._context.enqueued_at, now),
        )
        await self.progress(0, f"{self._plan.case.name} started")

    async def retry(self, test_try: int, error: str | None) -> None:
        """Report another try of the test."""
        self._update(attempt=self._plan.attempt_number(self._context.attempt, test_try))
        await self.progress(0, f"retry {test_try - 1} of {self._plan.tries - 1} after: {error}")

    async def step(self, attempt: int, planned: PlannedStep, result: StepResult) -> None:
        """Report a step."""
        self.row(attempt, planned, result)
        data = StepData(
            action=planned.written.action,
            position=planned.position,
            source=planned.source,
            status=result.status,
            duration=result.duration_ms,
            error=clean(self._plan, result.error),
        )
        words = _words(result)
        await self.progress(planned.number, f"{planned.title}: {words}", data=data)

    def row(self, attempt: int, planned: PlannedStep, result: StepResult) -> None:
        """Queue the row of a step, skipped ones included, and that of its adaptation."""
        self._writer.put(step_record(self._plan, attempt, planned, result))
        if is_adaptation(result):
            self._writer.put(adaptation_row(self._plan, attempt, planned, result))

    def fingerprints(self, rows: Iterable[FingerprintRecord]) -> None:
        """Queue the fingerprints of elements."""
        self._writer.put(*rows)

    async def defer(self, outcome: RunOutcome) -> None:
        """Report a try that failed, and that the next one waits at the end of the queue."""
        error = clean(self._plan, outcome.error)
        self._update(
            status=RunStatus.QUEUED, attempt=outcome.attempt, error=error, error_kind=outcome.verdict.error_kind
        )
        await self.progress(0, f"tried again at the end, alone, after: {error}", status=RunStatus.QUEUED)

    def end(self, outcome: RunOutcome) -> None:
        """Queue the end of the run."""
        verdict = outcome.verdict
        self._update(
            status=verdict.status,
            attempt=outcome.attempt,
            flaky=outcome.flaky,
            total_steps=outcome.total_steps,
            completed_steps=verdict.passed,
            failed_steps=verdict.failed,
            adapted_steps=verdict.adapted,
            error=clean(self._plan, outcome.error),
            error_kind=verdict.error_kind,
            finished_at=utc_now(),
            starting_ms=outcome.starting_ms,
            running_ms=outcome.running_ms,
            notes=tuple(
                clean(self._plan, note) or ""
                for note in (*self._plan.case.notes, *self._plan.evidence.notes, *outcome.step_notes)
            ),
            network=asdict(outcome.network) if outcome.network else None,
            trace_id=self._plan.trace_id,
        )

    async def announce(self, outcome: RunOutcome) -> None:
        """Report the end of the run. Its rows are stored before, because readers fetch them then."""
        detail = f": {outcome.error}" if outcome.error else ""
        status = outcome.verdict.status
        label = label_of(status, flaky=outcome.flaky, error=outcome.error)
        message = f"{self._plan.case.name} {status.value}{detail}"
        await self._report(
            JobProgress.ended(
                self._plan.run_id,
                status,
                label,
                done=outcome.steps_done,
                total=outcome.total_steps,
                message=clean(self._plan, message) or "",
            )
        )

    def _update(self, **fields: object) -> None:
        self._writer.update_run(self._plan.run_id, fence=self._context.attempt, **fields)

    async def progress(
        self,
        current: int,
        message: str,
        *,
        data: StepData | None = None,
        status: RunStatus = RunStatus.RUNNING,
    ) -> None:
        """Report that this number of steps is done."""
        await self._report(
            JobProgress(
                test_run_id=self._plan.run_id,
                current_step=current,
                total_steps=self._plan.total,
                percentage=percentage(current, self._plan.total),
                message=clean(self._plan, message) or "",
                status=status,
                step_data=data,
            )
        )


def percentage(done: int, total: int | None) -> int | None:
    """Return the progress of a run in percent, at most 100; None while the total is unknown."""
    return min(100, done * 100 // total) if total else None


def _words(result: StepResult) -> str:
    """Return the end of a step in words."""
    if result.heal is not None and result.heal.performed:
        return f"healed, by {result.heal.target} ({result.heal.decision.score:.0%} sure)"
    if result.found is not None and result.found.by_learned and result.error is None:
        return "passed by a learned locator"
    return _WORDS.get(result.status, result.status.value)


def _between(start: datetime | None, end: datetime) -> int | None:
    return None if start is None else max(0, round((end - start).total_seconds() * 1000))
