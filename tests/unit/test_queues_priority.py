"""The order of waiting jobs as a pure function of arrival and priority."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qa_queue.models import Priority
from qa_queue.queues.enqueue import LOW_AGEING_S, offset_us

CENTURY_ENDS_US = 2_240_000_000_000_000  # the year 2040
moments = st.integers(0, CENTURY_ENDS_US)
bands = (Priority.URGENT, Priority.HIGH, Priority.NORMAL)


def score(priority: Priority, arrival_us: int) -> int:
    return arrival_us + offset_us(priority)


@given(moments, moments)
def test_urgent_goes_before_high_before_normal_whenever_they_came(one: int, other: int) -> None:
    assert score(Priority.URGENT, one) < score(Priority.HIGH, other)
    assert score(Priority.HIGH, one) < score(Priority.NORMAL, other)
    assert score(Priority.HIGH, one) < score(Priority.LOW, other)


@given(st.sampled_from(Priority), moments)
def test_within_a_priority_first_come_is_first_served(priority: Priority, arrival: int) -> None:
    assert score(priority, arrival) < score(priority, arrival + 1)


@given(moments)
def test_low_lets_normal_jobs_of_ten_minutes_pass_and_no_more(arrival: int) -> None:
    ageing_us = LOW_AGEING_S * 1_000_000
    low = score(Priority.LOW, arrival)
    assert score(Priority.NORMAL, arrival + ageing_us - 1) < low < score(Priority.NORMAL, arrival + ageing_us + 1)


@given(st.sampled_from(Priority), moments)
def test_every_rank_is_exact_as_a_score_in_redis(priority: Priority, arrival: int) -> None:
    """Scores are doubles: whole numbers are exact up to 2**53."""
    assert abs(score(priority, arrival)) < 2**53
