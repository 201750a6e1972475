"""The values that packages exchange."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from qa_queue.models import CleanupJobData, JobContext, Priority, RunStatus, TestJobData


@pytest.mark.parametrize("status", RunStatus)
def test_every_run_status_is_open_or_good_or_bad_or_cancelled(status: RunStatus) -> None:
    """The four exclude each other, so that no count of runs misses one or counts it twice."""
    assert [not status.final, status.good, status.bad, status is RunStatus.CANCELLED].count(True) == 1


def test_a_larger_priority_is_more_urgent() -> None:
    assert sorted(Priority) == [Priority.LOW, Priority.NORMAL, Priority.HIGH, Priority.URGENT]


def test_a_value_cannot_be_changed_and_refuses_unknown_fields() -> None:
    data = TestJobData(test_case_id="login", test_run_id="run-1")
    with pytest.raises(ValidationError, match="frozen"):
        data.test_run_id = "run-2"  # type: ignore[misc] # the test is that it raises
    with pytest.raises(ValidationError, match="keep_day"):
        CleanupJobData.model_validate({"keep_day": 1})


@pytest.mark.parametrize(("attempt", "last"), [(1, False), (2, False), (3, True), (4, True)])
def test_the_last_attempt_is_the_one_that_reaches_the_maximum(attempt: int, last: bool) -> None:
    context = JobContext(job_id="1", queue="cleanup", attempt=attempt, max_attempts=3)
    assert context.last_attempt is last
