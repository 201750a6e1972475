"""From a step's or a run's outcome to its row, record and result. Pure; secrets are masked here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from processors.browser.describe import alternatives, describe, target_json, target_of
from processors.browser.protocol import Found
from processors.execution.heals import evidence_of, plain_document
from processors.execution.plan import RunPlan
from processors.execution.redaction import redact, redact_json
from processors.execution.step_tree import PlannedStep
from processors.execution.verdict import RunVerdict, StepResult
from qa_queue.cases.model import Target
from qa_queue.models import AdaptationRecord, StepStatus, TestJobResult, utc_now
from qa_queue.models.outcomes import result_status
from qa_queue.models.results import steps_done
from qa_queue.store.records import AdaptationRow, StepRecord, adaptation_id, step_id


@dataclass(frozen=True, kw_only=True)
class RunOutcome:
    """What a run came to, and in what time. `notes` say what evidence is missing; durations are in ms."""

    verdict: RunVerdict
    attempt: int
    total_steps: int = 0
    results: tuple[StepResult, ...] = ()
    adaptations: tuple[AdaptationRecord, ...] = ()
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
        """The number of the last step that was executed."""
        return steps_done(self.results)


def clean(plan: RunPlan, text: str | None) -> str | None:
    """The text without the run's secrets."""
    return None if text is None else redact(text, plan.secrets)


def step_record(plan: RunPlan, attempt: int, planned: PlannedStep, result: StepResult) -> StepRecord:
    """The row of a step. Targets stand in it as written, so that they are the same in every run."""
    step, target = planned.written, target_of(planned.written.args)
    return StepRecord(
        id=step_id(plan.run_id, attempt, planned.position),
        test_run_id=plan.run_id,
        attempt=attempt,
        number=planned.number,
        position=planned.position,
        parents=tuple(redact(name, plan.secrets) for name in planned.parents),
        step_key=planned.key,
        action=step.action,
        name=describe(step),
        target=None if target is None else target_json(target, fallbacks=True),
        status=result.status,
        started_at=result.started_at,
        duration_ms=result.duration_ms,
        error=clean(plan, result.error),
        error_kind=result.kind,
        locator=redact_json(_locator(planned, result), plan.secrets),
        matches=_matches(planned, result),
    )


def adaptation_row(plan: RunPlan, attempt: int, planned: PlannedStep, result: StepResult) -> AdaptationRow:
    """The row of a step that found its element, or might have, by another way than its target says."""
    adaptation, heal = adaptation_of(planned, result), result.heal
    return AdaptationRow(
        id=adaptation_id(plan.run_id, attempt, planned.position),
        test_run_id=plan.run_id,
        test_case_id=plan.case_id,
        attempt=attempt,
        step_number=planned.number,
        step_key=planned.key,
        reason=adaptation.reason,
        old_target=adaptation.old,
        new_target=redact_json(adaptation.new, plan.secrets),
        score=adaptation.score,
        margin=adaptation.margin,
        runner_up=_runner_up(plan, result),
        evidence=None if heal is None else evidence_of(heal, plan.secrets),
        status="applied" if heal is None or heal.performed else "proposed",
        created_at=utc_now(),
    )


def adaptation_of(planned: PlannedStep, result: StepResult) -> AdaptationRecord:
    """How an adapted step found its element."""
    target, found, heal = target_of(planned.written.args), result.found, result.heal
    assert target is not None
    old = target_json(alternatives(target)[0])
    if heal is not None:
        score, margin = heal.decision.score, heal.decision.margin
        new = target_json(heal.target)
        return AdaptationRecord(
            step_number=planned.number, reason="healed", old=old, new=new, score=score, margin=margin
        )
    assert found is not None
    reason: Literal["learned", "fallback"] = "learned" if found.by_learned else "fallback"
    new = target_json(_alternatives(target, found)[found.index])
    return AdaptationRecord(step_number=planned.number, reason=reason, old=old, new=new)


def is_adaptation(result: StepResult) -> bool:
    """Whether a step leaves a row of `adaptations`: a heal also where it was only proposed."""
    return (
        result.status is StepStatus.ADAPTED
        or result.heal is not None
        or (result.status is StepStatus.PASSED and result.found is not None and result.found.by_learned)
    )


def job_result(plan: RunPlan, outcome: RunOutcome) -> TestJobResult:
    """The result of the job; a run that timed out is `failed` there."""
    verdict = outcome.verdict
    return TestJobResult(
        test_run_id=plan.run_id,
        status=result_status(verdict.status),
        total_steps=outcome.total_steps,
        completed_steps=verdict.passed,
        failed_steps=verdict.failed,
        adapted_steps=verdict.adapted,
        duration=outcome.starting_ms + outcome.running_ms,
        error=clean(plan, outcome.error),
        error_kind=verdict.error_kind,
        flaky=outcome.flaky,
        adaptations=outcome.adaptations,
    )


def _locator(planned: PlannedStep, result: StepResult) -> dict[str, Any] | None:
    """The alternative that found the element; None for a step that did not pass."""
    target = target_of(planned.written.args)
    if target is None or result.error is not None:
        return None
    if result.heal is not None:
        return target_json(result.heal.target)
    return None if result.found is None else target_json(_alternatives(target, result.found)[result.found.index])


def _alternatives(target: Target, found: Found) -> tuple[Target, ...]:
    return (*alternatives(target), *([found.learned] if found.learned else []))


def _runner_up(plan: RunPlan, result: StepResult) -> dict[str, Any] | None:
    if result.heal is None or result.heal.runner_up is None:
        return None
    document: dict[str, Any] = redact_json(plain_document(result.heal.runner_up), plan.secrets)
    return document


def _matches(planned: PlannedStep, result: StepResult) -> list[dict[str, Any]] | None:
    target = target_of(planned.written.args)
    if target is None or result.found is None or not result.found.matches:
        return None
    pairs = zip(_alternatives(target, result.found), result.found.matches, strict=True)
    return [{"locator": target_json(one), "count": match.count, "same": match.same} for one, match in pairs]
