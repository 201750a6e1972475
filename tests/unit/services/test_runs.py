"""The read model of a run: one count of its steps for its last report, the tables and the API."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from qa_queue.models import JobProgress, RunStatus, StepStatus
from qa_queue.models.results import steps_done
from qa_queue.services import Backend
from qa_queue.services.runs import RunReport, done_of, last_report, reports_of
from qa_queue.settings import load_settings
from qa_queue.store.memory import MemoryStore
from qa_queue.store.records import CaseRecord, RunRecord
from tests.support.records import case_record, finished_run, run_record, step_record


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
    report = JobProgress.ended("r", status, "label", done=done, total=total, message="m")
    assert (report.percentage, report.current_step, report.total_steps) == (percentage, done, total)
    assert (report.message, report.status, report.step_data) == ("m", status, None)


class CountingStore(MemoryStore):
    """Counts the calls that read runs and cases."""

    calls = 0

    def get_run(self, run_id: str) -> RunRecord | None:
        self.calls += 1
        return super().get_run(run_id)

    def get_case(self, case_id: str) -> CaseRecord | None:
        self.calls += 1
        return super().get_case(case_id)


def test_the_runs_of_a_batch_are_read_together() -> None:
    """In the order asked for, with those of no batch, without those that do not exist, and in few calls."""
    store, batch = CountingStore(), str(uuid4())
    cases = [case_record(name=f"Case {number}") for number in range(30)]
    runs = [finished_run(case, batch_id=batch) for case in cases]
    alone = finished_run(cases[0])
    store.save_cases(cases)
    store.save([*runs, alone, step_record(runs[3])])
    store.calls = 0
    wanted = [runs[3].id, str(uuid4()), alone.id, *(run.id for run in reversed(runs))]
    reports = reports_of(Backend(load_settings(), store), wanted)
    assert [report.run.id for report in reports] == [one for one in wanted if one != wanted[1]]
    assert [len(report.steps) for report in reports[:2]] == [1, 0]
    assert reports[-1].case_name == "Case 0"
    assert store.calls <= 3
    store.calls = 0
    (known,) = reports_of(Backend(load_settings(), store), [alone.id], {alone.id: "known"})
    assert (known.case_name, store.calls) == ("known", 1)
