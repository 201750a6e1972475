"""What is said of a run whose worker could not say its end."""

from datetime import UTC, datetime
from typing import Any

import pytest

from qa_queue.cli.follow import last_report
from qa_queue.models import RunStatus
from qa_queue.store.records import RunRecord


def make_run(**changes: Any) -> RunRecord:
    values = {"id": "r", "test_case_id": "c", "queued_at": datetime(2026, 1, 8, tzinfo=UTC), "total_steps": 4}
    return RunRecord(**(values | changes))


@pytest.mark.parametrize(
    ("run", "step", "percentage"),
    [
        (make_run(status=RunStatus.COMPLETED, completed_steps=4), 4, 100),
        (make_run(status=RunStatus.ADAPTED, completed_steps=4, adapted_steps=1), 4, 100),
        (make_run(status=RunStatus.FAILED, completed_steps=1, failed_steps=1), 2, 50),
        (make_run(status=RunStatus.DEAD), 0, 0),
        (make_run(status=RunStatus.CANCELLED, total_steps=0), 0, 0),
    ],
)
def test_the_last_report_is_made_from_the_row(run: RunRecord, step: int, percentage: int) -> None:
    report = last_report(run)
    assert (report.current_step, report.percentage, report.status) == (step, percentage, run.status)


def test_the_first_line_of_the_error_is_the_message() -> None:
    assert last_report(make_run(status=RunStatus.DEAD, error="worker died\ntraceback")).message == "worker died"
