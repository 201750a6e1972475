"""The estimate of a job's start."""

from __future__ import annotations

import pytest

from qa_queue.queues.stats import wait_ms


@pytest.mark.parametrize(
    ("ahead", "slots", "expected"), [(0, 1, 500), (1, 1, 1500), (10, 1, 10_500), (10, 5, 2100), (0, 10, 50)]
)
def test_jobs_leave_one_after_the_other_as_many_as_there_are_slots(ahead: int, slots: int, expected: float) -> None:
    """The first one waits for half of a job that runs."""
    assert wait_ms(ahead, slots=slots, mean_ms=1000) == expected
