"""From a step's or a run's outcome to its row, record and result. Pure; secrets are masked here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from processors.describe import alternatives, describe, step_key, target_json, target_of
from processors.plan import PlannedStep, RunPlan
from processors.redaction import redact
from processors.verdict import StepResult, Verdict
from qa_queue.models import AdaptationRecord, RunStatus, StepStatus, TestJobResult, utc_now
from qa_queue.store.records import AdaptationRow, StepRecord, adaptation_id, step_id

_RESULTS: dict[RunStatus, Literal["completed", "adapted"]] = {
    RunStatus.COMPLETED: "completed",
    RunStatus.ADAPTED: "adapted",
}


@dataclass(frozen=True, kw_only=True)
class RunOutcome:
    """What a run came to, and in what time. `notes` say what evidence is missing; durations are in ms."""

    verdict: Verdict
    attempt: int
    results: tuple[StepResult, ...] = ()
    flaky: bool = False
    starting_ms: int = 0
    running_ms: int = 0
    notes: tuple[str, ...] = ()

    @property
    def error(self) -> str | None:
        """The verdict's error and the missing evidence, in one text; the latter also where the run went well."""
        return "; ".join([*filter(None, [self.verdict.error]), *self.notes]) or None

    @property
    def steps_done(self) -> int:
        """The number of the last step that was not passed over."""
        done = (r.number for r in self.results if r.status is not StepStatus.SKIPPED or r.error)
        return max(done, default=0)


def clean(plan: RunPlan, text: str | None) -> str | None:
    """The text without the run's secrets."""
    return None if text is None else redact(text, plan.secrets)


def step_record(plan: RunPlan, attempt: int, planned: PlannedStep, result: StepResult) -> StepRecord:
    """The row of a step. Targets stand in it as written, so that they are the same in every run."""
    step, target = planned.written, target_of(planned.written.args)
    return StepRecord(
        id=step_id(plan.run_id, attempt, planned.number),
        test_run_id=plan.run_id,
        attempt=attempt,
        number=planned.number,
        step_key=step_key(step, planned.number),
        action=step.action,
        name=describe(step),
        target=None if target is None else target_json(target, fallbacks=True),
        status=result.status,
        started_at=result.started_at,
        duration_ms=result.duration_ms,
        error=clean(plan, result.error),
        error_kind=result.kind,
        locator=_locator(planned, result),
        matches=_matches(planned, result),
    )


def adaptation_row(plan: RunPlan, attempt: int, planned: PlannedStep, result: StepResult) -> AdaptationRow:
    """The row of a step that found its element by a fallback."""
    adaptation = adaptation_of(planned, result)
    return AdaptationRow(
        id=adaptation_id(plan.run_id, attempt, planned.number),
        test_run_id=plan.run_id,
        test_case_id=plan.case_id,
        attempt=attempt,
        step_number=planned.number,
        step_key=step_key(planned.written, planned.number),
        reason=adaptation.reason,
        old_target=adaptation.old,
        new_target=adaptation.new,
        created_at=utc_now(),
    )


def adaptation_of(planned: PlannedStep, result: StepResult) -> AdaptationRecord:
    """How an adapted step found its element."""
    target, found = target_of(planned.written.args), result.found
    assert target is not None
    assert found is not None
    chosen = alternatives(target)
    return AdaptationRecord(
        step_number=planned.number,
        reason="fallback",
        old=target_json(chosen[0]),
        new=target_json(chosen[found.index]),
    )


def job_result(plan: RunPlan, outcome: RunOutcome) -> TestJobResult:
    """The result of the job; a run that timed out is `failed` there."""
    verdict = outcome.verdict
    adapted = [result for result in outcome.results if result.status is StepStatus.ADAPTED]
    return TestJobResult(
        test_run_id=plan.run_id,
        status=_RESULTS.get(verdict.status, "failed"),
        total_steps=len(plan.steps),
        completed_steps=verdict.passed,
        failed_steps=verdict.failed,
        adapted_steps=verdict.adapted,
        duration=outcome.starting_ms + outcome.running_ms,
        error=clean(plan, outcome.error),
        error_kind=verdict.error_kind,
        flaky=outcome.flaky,
        adaptations=tuple(adaptation_of(plan.steps[result.number - 1], result) for result in adapted),
    )


def _locator(planned: PlannedStep, result: StepResult) -> dict[str, Any] | None:
    """The alternative that found the element; None for a step that did not pass."""
    target = target_of(planned.written.args)
    if target is None or result.found is None or result.error is not None:
        return None
    return target_json(alternatives(target)[result.found.index])


def _matches(planned: PlannedStep, result: StepResult) -> list[dict[str, Any]] | None:
    target = target_of(planned.written.args)
    if target is None or result.found is None or not result.found.matches:
        return None
    pairs = zip(alternatives(target), result.found.matches, strict=True)
    return [{"locator": target_json(one), "count": match.count, "same": match.same} for one, match in pairs]
