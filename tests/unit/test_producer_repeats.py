"""Requests that are repeated."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from qa_queue.errors import CaseError
from qa_queue.producer.validation import check_requests, expanded, repeat_problems
from tests.support.queueing import run_request

NOON = datetime(2026, 1, 8, 12, tzinfo=UTC)
TEN_MINUTES = 600_000


def test_a_request_that_is_not_repeated_stays_as_it_is() -> None:
    """One run, at once."""
    request = run_request()
    assert expanded(request) == [request]


@pytest.mark.parametrize(("delay", "delays"), [(None, [None, 600_000, 1_200_000]), (5, [5, 600_005, 1_200_005])])
def test_each_one_starts_so_much_later_than_the_one_before(delay: int | None, delays: list[int | None]) -> None:
    """Counted from the first."""
    found = expanded(run_request(repeat=3, every_ms=TEN_MINUTES, delay_ms=delay))
    assert [one.delay_ms for one in found] == delays
    assert {(one.repeat, one.every_ms) for one in found} == {(1, None)}


def test_a_first_moment_may_be_given() -> None:
    """The others follow it."""
    found = expanded(run_request(repeat=2, every_ms=TEN_MINUTES, run_at=NOON))
    assert [(one.run_at, one.delay_ms) for one in found] == [(NOON, None), (NOON + timedelta(minutes=10), None)]


def test_an_idempotency_key_names_each_of_them() -> None:
    """Sent again, it gives the same runs."""
    found = expanded(run_request(repeat=3, every_ms=1, idempotency_key="deploy-7"))
    assert [one.idempotency_key for one in found] == ["deploy-7", "deploy-7#1", "deploy-7#2"]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"repeat": 0, "every_ms": 1}, "repeat is 0: it should be 1 to 1000"),
        ({"repeat": 1001, "every_ms": 1}, "create a schedule"),
        ({"repeat": 2}, "repeat and every_ms belong together"),
        ({"every_ms": 5}, "repeat and every_ms belong together"),
        ({"repeat": 2, "every_ms": -1}, "every_ms is -1"),
        ({"repeat": 100, "every_ms": 7 * 24 * 3600 * 1000}, "within a year"),
    ],
)
def test_what_cannot_be_repeated_is_reported(fields: dict[str, Any], problem: str) -> None:
    """One problem each."""
    (found,) = repeat_problems(run_request(**fields))
    assert problem in found


def test_a_bad_repeat_is_found_with_everything_else() -> None:
    """Before anything is written."""
    with pytest.raises(CaseError, match=r"run 1 .*repeat is 0"):
        check_requests([run_request(repeat=0, every_ms=1)])
