"""The read model of a run: one count of its steps for its last report, the tables and the API."""

from __future__ import annotations

from typing import Any

import pytest

from qa_queue.models import JobProgress, RunStatus, StepStatus
from qa_queue.models.results import steps_done
from qa_queue.services.runs import RunReport, done_of, last_report
from qa_queue.store.records import RunRecord
from tests.support.records import run_record, step_record


def make_run(**changes: Any) -> RunRecord:
    return run_record("c", **{"total_steps": 4} | changes)


@pytest.mark.parametrize(
    ("run", "step", "percentage"),
    [
        (make_run(status=RunStatus.COMPLETED, completed_steps=4), 4, 100),
        (make_run(status=RunStatus.ADAPTED, completed_steps=4, adapted_steps=1), 4, 100),
        (make_run(status=RunStatus.COMPLETED, completed_steps=3), 4, 100),
        (make_run(status=RunStatus.FAILED, completed_steps=1, failed_steps=1), 2, 50),
        (make_run(status=RunStatus.FAILED, completed_steps=3, failed_steps=1, adapted_steps=2), 4, 100),
        (make_run(status=RunStatus.DEAD), 0, 0),
        (make_run(status=RunStatus.CANCELLED, total_steps=0), 0, 0),
    ],
)
def test_the_last_report_is_made_from_the_row(run: RunRecord, step: int, percentage: int) -> None:
    """An adapted step passed, and counts once; a run that ended well has done all steps, skipped ones included."""
    report = last_report(run)
    assert (report.current_step, report.percentage, report.status) == (step, percentage, run.status)
    assert report.current_step <= (report.total_steps or 0)


def test_the_first_line_of_the_error_is_the_message() -> None:
    assert last_report(make_run(status=RunStatus.DEAD, error="worker died\ntraceback")).message == "worker died"


def test_the_steps_of_the_last_attempt_say_how_far_it_came() -> None:
    """An optional step that failed was executed, one behind a failure was not; the row alone cannot tell."""
    run = make_run(status=RunStatus.FAILED, completed_steps=1, failed_steps=1, attempt=2)
    first = [step_record(run, number, 1) for number in (1, 2, 3, 4)]
    last = [
        step_record(run, 1, 2),
        step_record(run, 2, 2, status=StepStatus.SKIPPED, error="no banner"),
        step_record(run, 3, 2, status=StepStatus.FAILED, error="no button"),
        step_record(run, 4, 2, status=StepStatus.SKIPPED),
    ]
    assert done_of(run) == 2
    assert done_of(run, [*first, *last]) == 3
    assert RunReport(case_name="Buy", run=run, steps=(*first, *last)).done == 3
    assert last_report(run, [*first, *last]).percentage == 75


def test_no_step_was_done_where_all_were_skipped() -> None:
    run = make_run()
    assert steps_done([]) == steps_done([step_record(run, 3, status=StepStatus.SKIPPED)]) == 0


@pytest.mark.parametrize(
    ("status", "done", "total", "percentage"),
    [
        (RunStatus.COMPLETED, 4, 4, 100),
        (RunStatus.COMPLETED, 3, 4, 100),
        (RunStatus.FAILED, 3, 4, 75),
        (RunStatus.FAILED, 5, 4, 100),
        (RunStatus.DEAD, 0, 0, 0),
    ],
)
def test_only_a_run_that_ended_well_is_complete(status: RunStatus, done: int, total: int, percentage: int) -> None:
    report = JobProgress.ended("r", status, done=done, total=total, message="m")
    assert (report.percentage, report.current_step, report.total_steps) == (percentage, done, total)
    assert (report.message, report.status, report.step_data) == ("m", status, None)
