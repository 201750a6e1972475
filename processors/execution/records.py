"""Rows, records and results of the outcomes of steps and runs. Pure; secrets are masked here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from processors.browser.protocol import Found, Heal, NetworkUse
from processors.execution.plan import RunPlan
from processors.execution.redaction import redact, redact_json
from processors.execution.step_tree import PlannedStep
from processors.execution.verdict import RunVerdict, StepResult
from processors.healing.explain import explain
from processors.healing.fingerprint import Fingerprint, fingerprint_document
from qa_queue.cases.model import Target
from qa_queue.errors import RunCancelledError
from qa_queue.models import AdaptationRecord, RunStatus, StepStatus, TestJobResult, utc_now
from qa_queue.models.outcomes import result_status
from qa_queue.models.results import steps_done
from qa_queue.store.records import AdaptationRow, RunRecord, StepRecord, adaptation_id, step_id


@dataclass(frozen=True, kw_only=True)
class RunOutcome:
    """The outcome of a run; `notes` name missing artifacts, durations are in ms.

    After a `deferred` one, the test is tried again at the end of the queue.
    """

    verdict: RunVerdict
    attempt: int
    total_steps: int = 0
    results: tuple[StepResult, ...] = ()
    adaptations: tuple[AdaptationRecord, ...] = ()
    flaky: bool = False
    starting_ms: int = 0
    running_ms: int = 0
    notes: tuple[str, ...] = ()
    closing_notes: tuple[str, ...] = ()
    deferred: bool = False
    network: NetworkUse | None = None

    @property
    def error(self) -> str | None:
        """The verdict's error and the missing artifacts in one text; the latter also for a good run."""
        return "; ".join([*filter(None, [self.verdict.error]), *self.notes]) or None

    @property
    def step_notes(self) -> tuple[str, ...]:
        """The notes of the last try's steps, each with the step's position, and those that belong to no step."""
        of_steps = (
            f"step {result.place}: {note}"
            for result in self.results
            for note in result.notes
            if result.status is not StepStatus.SKIPPED
        )
        return (*of_steps, *self.closing_notes)

    @property
    def steps_done(self) -> int:
        """The number of the last step that was executed."""
        return steps_done(self.results)


def clean(plan: RunPlan, text: str | None) -> str | None:
    """Return the text without the run's secrets."""
    return None if text is None else redact(text, plan.secrets)


def step_record(plan: RunPlan, attempt: int, planned: PlannedStep, result: StepResult) -> StepRecord:
    """Return the row of a step. It has targets as written, so that they are the same in every run."""
    step, target = planned.written, planned.written.args.subject
    return StepRecord(
        id=step_id(plan.run_id, attempt, planned.position),
        test_run_id=plan.run_id,
        attempt=attempt,
        number=planned.number,
        position=planned.position,
        parents=tuple(redact(name, plan.secrets) for name in planned.parents),
        source=planned.source,
        step_key=planned.key,
        action=step.action,
        name=step.title,
        target=None if target is None else target.document(fallbacks=True),
        status=result.status,
        started_at=result.started_at,
        duration_ms=result.duration_ms,
        error=clean(plan, result.error),
        error_kind=result.kind,
        locator=redact_json(_locator(planned, result), plan.secrets),
        matches=_matches(planned, result),
        notes=tuple(redact(note, plan.secrets) for note in result.notes),
    )


def adaptation_row(plan: RunPlan, attempt: int, planned: PlannedStep, result: StepResult) -> AdaptationRow:
    """Return the row of a step that found its element otherwise than by its target, or could have."""
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
        evidence=None if heal is None else heal_evidence(heal, plan.secrets),
        status="applied" if heal is None or heal.performed else "proposed",
        created_at=utc_now(),
    )


def adaptation_of(planned: PlannedStep, result: StepResult) -> AdaptationRecord:
    """Return the adaptation of a step."""
    target, found, heal = planned.written.args.subject, result.found, result.heal
    assert target is not None
    old = target.alternatives()[0].document()
    if heal is not None:
        score, margin = heal.decision.score, heal.decision.margin
        new = heal.target.document()
        return AdaptationRecord(
            step_number=planned.number, reason="healed", old=old, new=new, score=score, margin=margin
        )
    assert found is not None
    reason: Literal["learned", "fallback"] = "learned" if found.by_learned else "fallback"
    new = _alternatives(target, found)[found.index].document()
    return AdaptationRecord(step_number=planned.number, reason=reason, old=old, new=new)


def is_adaptation(result: StepResult) -> bool:
    """Return True if a step has a row in `adaptations`; a heal has one even if it was only proposed.

    A step that used its own element, at a point that belongs to an ancestor, has a note only.
    """
    if result.heal is not None:
        return True
    by_other = result.found is not None and result.found.index > 0
    return by_other and result.status in (StepStatus.ADAPTED, StepStatus.PASSED)


def job_result(plan: RunPlan, outcome: RunOutcome) -> TestJobResult:
    """Return the result of the job, in which a run that timed out is `failed`."""
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


def stored_result(run: RunRecord) -> TestJobResult:
    """Return the job's result from the row of a run that has ended.

    Raises:
        RunCancelledError: the run was cancelled.
    """
    if run.status is RunStatus.CANCELLED:
        raise RunCancelledError(run.error or "")
    return TestJobResult(
        test_run_id=run.id,
        status=result_status(run.status),
        total_steps=run.total_steps,
        completed_steps=run.completed_steps,
        failed_steps=run.failed_steps,
        adapted_steps=run.adapted_steps,
        duration=(run.starting_ms or 0) + (run.running_ms or 0),
        error=run.error,
        error_kind=run.error_kind,
        flaky=run.flaky,
    )


def heal_evidence(heal: Heal, secrets: Mapping[str, str]) -> dict[str, Any]:
    """Return the `summary` (one line), the `properties` by weight, and the fingerprints `old` and `new`."""
    explanation = explain(heal.decision)
    document = {
        "summary": explanation.line,
        "properties": [asdict(row) | {"verdict": row.verdict} for row in explanation.rows],
        "old": plain_document(heal.old),
        "new": plain_document(heal.new),
    }
    cleaned: dict[str, Any] = redact_json(document, secrets)
    return cleaned


def plain_document(fingerprint: Fingerprint) -> dict[str, Any]:
    """Return a fingerprint as the store returns it: lists, not tuples, and nothing that holds only now."""
    return {key: _lists(value) for key, value in fingerprint_document(fingerprint).items() if key != "usable"}


def _lists(value: Any) -> Any:
    return [_lists(item) for item in value] if isinstance(value, (list, tuple)) else value


def _locator(planned: PlannedStep, result: StepResult) -> dict[str, Any] | None:
    """Return the alternative that found the element; None for a step that did not pass."""
    target = planned.written.args.subject
    if target is None or result.error is not None:
        return None
    if result.heal is not None:
        return result.heal.target.document()
    return None if result.found is None else _alternatives(target, result.found)[result.found.index].document()


def _alternatives(target: Target, found: Found) -> tuple[Target, ...]:
    return (*target.alternatives(), *([found.learned] if found.learned else []))


def _runner_up(plan: RunPlan, result: StepResult) -> dict[str, Any] | None:
    if result.heal is None or result.heal.runner_up is None:
        return None
    document: dict[str, Any] = redact_json(plain_document(result.heal.runner_up), plan.secrets)
    return document


def _matches(planned: PlannedStep, result: StepResult) -> list[dict[str, Any]] | None:
    target = planned.written.args.subject
    if target is None or result.found is None or not result.found.matches:
        return None
    pairs = zip(_alternatives(target, result.found), result.found.matches, strict=True)
    return [{"locator": one.document(), "count": match.count, "same": match.same} for one, match in pairs]
