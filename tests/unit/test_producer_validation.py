"""What is wrong with how runs are to be queued."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from qa_queue.errors import CaseError
from qa_queue.models import utc_now
from qa_queue.producer.validation import check_requests, timing_problems
from tests.support.queueing import run_request
from tests.support.steps import goto

NAIVE = datetime(2026, 1, 8)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"attempts": 0}, "attempts is 0: it should be 1 to 25"),
        ({"attempts": 26}, "attempts is 26"),
        ({"delay_ms": -1}, "delay_ms is -1"),
        ({"delay_ms": 10**12}, "delay_ms is 1000000000000"),
        ({"delay_ms": 1, "run_at": datetime(2026, 1, 8, tzinfo=UTC)}, "both given"),
        ({"run_at": NAIVE}, "no time zone"),
        ({"run_at": utc_now() + timedelta(days=999)}, "within a year"),
        ({"idempotency_key": ""}, "is empty"),
    ],
)
def test_what_cannot_be_queued_is_reported(fields: dict[str, Any], problem: str) -> None:
    """One problem each, in words that say what is allowed."""
    (found,) = timing_problems(run_request(**fields))
    assert problem in found


@pytest.mark.parametrize(
    "fields", [{}, {"attempts": 25}, {"delay_ms": 0}, {"run_at": datetime(2020, 1, 1, tzinfo=UTC)}]
)
def test_what_can_be_queued_has_no_problem(fields: dict[str, Any]) -> None:
    """A moment that has passed means at once."""
    assert list(timing_problems(run_request(**fields))) == []


def test_every_bad_run_of_many_is_named() -> None:
    """By its number, and with whatever else is wrong in the same submission."""
    requests = [run_request(f"Case {n}") for n in range(1, 1001)]
    requests[6] = run_request("Case 7", attempts=99)
    requests[499] = run_request("Case 500", delay_ms=-5)
    requests[999] = run_request("Case 1000", steps=(goto("/${env.NOT_SET}"),))
    with pytest.raises(CaseError) as caught:
        check_requests(requests)
    first, second, third = caught.value.problems
    assert first.startswith("run 7 (Case 7): attempts is 99")
    assert second.startswith("run 500 (Case 500): delay_ms is -5")
    assert "NOT_SET" in third
