"""Rows and verdicts of pytest tests. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from processors.execution.plan import RunPlan
from processors.execution.records import clean
from processors.execution.verdict import RunVerdict
from qa_queue.models import ErrorKind, RunStatus, StepStatus
from qa_queue.models.outcomes import KINDS, PASSED_OVER, Outcome, passed_over_text
from qa_queue.reports.model import ReportStep
from qa_queue.reports.phases import PHASES, Phase, masked, moment, outcome_of, problem_of, steps_of
from qa_queue.reports.pytest_facts import action_of
from qa_queue.store.records import StepRecord, step_id

_STATUSES = {
    Outcome.PASSED: StepStatus.PASSED,
    Outcome.FAILED: StepStatus.FAILED,
    Outcome.ERROR: StepStatus.FAILED,
    Outcome.UNFINISHED: StepStatus.FAILED,
    Outcome.SKIPPED: StepStatus.SKIPPED,
    Outcome.EXPECTED_FAILURE: StepStatus.SKIPPED,
}
_KINDS = {"call": ErrorKind.ASSERTION, "setup": ErrorKind.FIXTURE, "teardown": ErrorKind.FIXTURE}


@dataclass
class SuiteTest:
    """A test of an attempt; `place` counts from 1. `crash` says how its process ended, if it did."""

    id: str
    place: int
    phases: dict[str, Phase] = field(default_factory=dict)
    rerun: bool = False  # by a plugin of the suite, after a failure
    crash: str | None = None
    ended: bool = False

    @property
    def name(self) -> str:
        """The test within its file."""
        return self.id.partition("::")[2] or self.id

    @property
    def outcome(self) -> Outcome:
        """Its outcome as pytest counts it; a test that ended its process has failed."""
        return Outcome.FAILED if self.crash is not None else outcome_of(self.phases)

    @property
    def problem(self) -> tuple[ErrorKind | None, str | None]:
        """The kind and message of its failure; of a skip None and the reason."""
        if self.crash is not None:
            return ErrorKind.PROCESS_CRASH, self.crash
        kind, message = problem_of(self.phases)
        return _KINDS["call" if kind == "assertion" else kind] if kind else None, message


def rows_of(
    plan: RunPlan, attempt: int, test: SuiteTest, phase: Phase, first: int, *, alone: bool
) -> Iterator[StepRecord]:
    """Yield the rows of a phase and of the steps named in it, numbered from `first`.

    Those of several tests stand under the names of their tests.
    """
    for number, step in enumerate(steps_of({phase.when: phase}), first):
        whole = step.name if step.name in PHASES and "." not in step.position else None
        reason = problem_of({phase.when: phase})[1] if step.outcome is Outcome.SKIPPED else None
        yield StepRecord(
            **_place(plan, attempt, test, step.position, alone=alone),
            number=number,
            step_key=f"{test.id} {step.position}",
            action=action_of(whole, expected_failure=step.outcome is Outcome.EXPECTED_FAILURE),
            name=clean(plan, step.name) or step.name,
            status=_STATUSES[step.outcome],
            started_at=moment(phase.start),
            duration_ms=step.duration_ms,
            error=clean(plan, _error(step) or reason),
            error_kind=_KINDS[phase.when] if _STATUSES[step.outcome] is StepStatus.FAILED else None,
        )


def ended_row(
    plan: RunPlan, attempt: int, test: SuiteTest, number: int, now: datetime, *, alone: bool, stack: str
) -> StepRecord:
    """Return the row of the phase in which a test ended its process or, without a crash, ran out of time.

    `stack` is where the process was then.
    """
    begun = [when for when in PHASES if when in test.phases]
    when = PHASES[min(len(begun), len(PHASES) - 1)]
    return StepRecord(
        **_place(plan, attempt, test, str(PHASES.index(when) + 1), alone=alone),
        number=number,
        step_key=f"{test.id} {when}",
        action=action_of(when, expected_failure=False),
        name=when,
        status=StepStatus.FAILED,
        started_at=now,
        duration_ms=0,
        error=clean(plan, test.crash or _at(_LATE.format(seconds_text(plan.timeout_ms)), stack)),
        error_kind=ErrorKind.TIMEOUT if test.crash is None else ErrorKind.PROCESS_CRASH,
    )


_LATE = "it had not ended when the run had run for {}"


def _at(error: str, stack: str) -> str:
    """Return the error of a test that was ended, with the stack of its process."""
    return f"{error}; it was at\n{masked(stack)}" if stack else error


def _place(plan: RunPlan, attempt: int, test: SuiteTest, position: str, *, alone: bool) -> dict[str, Any]:
    """Return the fields that place a row in its run; `position` is that within the test."""
    whole = position if alone else f"{test.place}.{position}"
    return {
        "id": step_id(plan.run_id, attempt, whole),
        "test_run_id": plan.run_id,
        "attempt": attempt,
        "position": whole,
        "parents": () if alone else (test.id,),
    }


def _error(step: ReportStep) -> str | None:
    return masked(step.error) if step.error else None


def seconds_text(milliseconds: float) -> str:
    """Return a time in words, as `1.5 s`."""
    return f"{milliseconds / 1000:g} s"


def verdict_of(
    tests: Sequence[SuiteTest],
    rows: Sequence[StepRecord],
    stopped: ErrorKind | None,
    timeout_ms: float,
    stack: str = "",
) -> RunVerdict:
    """Return the verdict on an attempt with these rows; `stopped` is why it ended early: `TIMEOUT` or `CANCELLED`.

    `stack` is where the process was then. The error of a good run says why its tests were skipped.
    """
    bad = [test for test in tests if test.outcome.bad]
    unfinished = [test for test in tests if not test.ended]
    status, kind, error = RunStatus.COMPLETED, None, None
    if stopped is not None:
        running = f" while {unfinished[0].name} ran" if unfinished else ""
        late = f"exceeded its time of {seconds_text(timeout_ms)}"
        what = "was cancelled" if stopped is ErrorKind.CANCELLED else late
        error = f"the run {what}{running}"
        status, kind = KINDS[stopped], stopped
        if stopped is ErrorKind.TIMEOUT:
            error = _at(error, stack)
    elif bad:
        kind, message = bad[0].problem
        status, error = RunStatus.FAILED, message if len(tests) == 1 else _many(bad, tests, message)
    else:
        error = _skipped(tests)
    return RunVerdict(
        status=status,
        error=error,
        error_kind=kind,
        passed=sum(row.status is not StepStatus.FAILED for row in rows),
        failed=sum(row.status is StepStatus.FAILED for row in rows),
    )


def _many(bad: Sequence[SuiteTest], tests: Sequence[SuiteTest], message: str | None) -> str:
    return f"{len(bad)} of {len(tests)} tests failed; {bad[0].name}: {message}"


def _skipped(tests: Sequence[SuiteTest]) -> str | None:
    passed_over = [test for test in tests if test.outcome in PASSED_OVER]
    if not passed_over:
        return None
    first = passed_over[0]
    text = passed_over_text(first.outcome, first.problem[1])
    return (
        text if len(tests) == 1 else f"{len(passed_over)} of {len(tests)} tests did not run; {first.name}: {text}"
    )
