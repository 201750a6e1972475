"""The tests of a run that ran pytest tests: one run may have several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from qa_queue.models import ErrorKind, StepStatus
from qa_queue.models.outcomes import STATUSES, Outcome
from qa_queue.reports.model import Evidence, ReportStep, Test, TestAttempt
from qa_queue.reports.phases import compared
from qa_queue.reports.pytest_facts import SNAPSHOT_TITLE, XFAIL_ACTION, action_of, title_of
from qa_queue.reports.rows import RunRows
from qa_queue.reports.trace_calls import with_calls
from qa_queue.store.records import StepRecord

_SETUP, _CALL, _TEARDOWN = (action_of(phase, expected_failure=False) for phase in ("setup", "call", "teardown"))
_PHASES = (_SETUP, _CALL, _TEARDOWN, XFAIL_ACTION)


def suite_tests(rows: RunRows) -> list[Test]:
    """Return the tests of the run: those with rows, and those that it did not come to."""
    wanted = _wanted(rows)
    found = list(dict.fromkeys(_test_id(step, wanted) for step in rows.steps))
    missing = [one for one in wanted if not any(_is_in(test_id, one) for test_id in found)]
    return [_test(rows, test_id, alone=len(found) + len(missing) == 1) for test_id in (*found, *missing)]


def _wanted(rows: RunRows) -> list[str]:
    return [str(one) for one in _suite(rows).get("tests", ())] or [rows.run.test_case_id]


def _suite(rows: RunRows) -> Mapping[str, Any]:
    """Return the value of `pytest` in the case; nothing where the case is gone."""
    return rows.case.definition.get("pytest", {}) if rows.case else {}


def _test_id(step: StepRecord, wanted: Sequence[str]) -> str:
    return step.parents[0] if step.parents else wanted[0]


def _is_in(test_id: str, wanted: str) -> bool:
    return test_id == wanted or test_id.startswith((f"{wanted}::", f"{wanted}["))


def _test(rows: RunRows, test_id: str, *, alone: bool) -> Test:
    run = rows.run
    own = [step for step in rows.steps if not step.parents or step.parents[0] == test_id]
    attempts = tuple(_attempt(rows, number, test_id, own, alone=alone) for number in rows.attempts)
    last = attempts[-1].outcome if attempts else STATUSES[run.status].outcome
    flaky = last is Outcome.PASSED and (
        any(one.outcome.bad for one in attempts[:-1]) or (alone and run.flaky and run.status.good)
    )
    failed = next((step for step in reversed(own) if step.error and step.attempt == run.attempt), None)
    kind = (failed.error_kind if failed else None) or (run.error_kind if last.bad else None)
    file, _, name = test_id.partition("::")
    return Test(
        id=run.id if alone else f"{run.id} {test_id}",
        name=title_of(test_id),
        suite=file if name else "",
        file=file if name else None,
        tags=tuple(_suite(rows).get("tags", {}).get(test_id, rows.case.tags)) if rows.case else (),
        outcome=Outcome.FLAKY if flaky else last,
        error=failed.error
        if failed
        else (run.error if last.bad or (alone and last is not Outcome.PASSED) else None),
        error_kind=kind.value if kind else None,
        worker=run.worker,
        base_url=run.base_url,
        notes=run.notes,
        queued_at=run.queued_at,
        started_at=min((step.started_at for step in own), default=run.started_at),
        finished_at=max((_end(step) for step in own), default=run.finished_at),
        duration_ms=sum(one.duration_ms for one in attempts),
        attempts=attempts,
    )


def _end(step: StepRecord) -> datetime:
    return step.started_at + timedelta(milliseconds=step.duration_ms)


def _attempt(rows: RunRows, number: int, test_id: str, own: Sequence[StepRecord], *, alone: bool) -> TestAttempt:
    steps = [step for step in own if step.attempt == number]
    ended = STATUSES[rows.run.status].outcome if number == rows.attempts[-1] else Outcome.FAILED
    texts = [entry for entry in rows.console(number) if entry.get("test") == test_id or alone]
    sections = {str(entry["title"]): str(entry["text"]) for entry in texts if "title" in entry}
    attempt = TestAttempt(
        number=number,
        outcome=outcome_of_rows(steps, ended),
        duration_ms=sum(step.duration_ms for step in steps if step.action in _PHASES),
        steps=tuple(_step(step) for step in steps),
        snapshot=sections.pop(SNAPSHOT_TITLE, None),
        sections=sections,
        evidence=_files(rows, number, {step.place for step in steps}, alone=alone),
    )
    return with_calls(attempt)


def outcome_of_rows(steps: Sequence[StepRecord], ended: Outcome) -> Outcome:
    """Return the outcome of a test as pytest counts it; of one that was cut short that of its run, `ended`."""
    phases = {step.action: step for step in steps}
    failed = [
        step
        for step in steps
        if step.status is StepStatus.FAILED and step.action != action_of(None, expected_failure=False)
    ]
    if any(step.error_kind is ErrorKind.TIMEOUT for step in failed):
        return Outcome.TIMED_OUT
    if any(step.action == _CALL or step.error_kind is ErrorKind.PROCESS_CRASH for step in failed):
        return Outcome.FAILED
    if failed:
        return Outcome.ERROR
    if _TEARDOWN not in phases:
        return ended
    if XFAIL_ACTION in phases:
        return Outcome.EXPECTED_FAILURE
    skipped = any(phases[one].status is StepStatus.SKIPPED for one in (_SETUP, _CALL) if one in phases)
    return Outcome.SKIPPED if skipped else Outcome.PASSED


def _step(row: StepRecord) -> ReportStep:
    failed = row.status is StepStatus.FAILED
    return ReportStep(
        position=row.place,
        name=row.name,
        outcome=Outcome.EXPECTED_FAILURE if row.action == XFAIL_ACTION else row.outcome,
        duration_ms=row.duration_ms,
        error=row.error,
        comparison=compared(row.error) if failed else None,
        started_at=row.started_at if row.action in _PHASES else None,
    )


def _files(rows: RunRows, number: int, positions: set[str], *, alone: bool) -> tuple[Evidence, ...]:
    return tuple(file for file in rows.evidence(number) if alone or file.step in positions)
