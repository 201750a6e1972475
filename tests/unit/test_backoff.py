"""Delays between attempts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_queue.models.values import BASE_MS, CAP_MS, Backoff, exponential, schedule

jitters = st.floats(0, 1)


@pytest.mark.parametrize(
    ("attempt", "jitter", "expected"),
    [
        (1, 1, 2000),
        (2, 1, 4000),
        (3, 1, 8000),
        (1, 0, 1000),
        (3, 0.5, 6000),
        (20, 1, CAP_MS),
        (500, 0, CAP_MS // 2),
    ],
)
def test_the_delay_doubles_up_to_the_cap_and_jitter_takes_half(attempt: int, jitter: float, expected: int) -> None:
    assert exponential(attempt, jitter=jitter) == expected


@given(st.integers(1, 1000), jitters)
def test_a_delay_is_never_below_half_the_base_nor_above_the_cap(attempt: int, jitter: float) -> None:
    assert BASE_MS / 2 <= exponential(attempt, jitter=jitter) <= CAP_MS


@given(st.lists(jitters, max_size=24))
def test_a_schedule_has_one_whole_second_or_more_between_attempts(chosen: list[float]) -> None:
    """RQ repeats the first value of a list that is too short, so the length matters."""
    delays = schedule(len(chosen) + 1, jitters=tuple(chosen))
    assert len(delays) == len(chosen)
    assert all(delay >= 1 for delay in delays)


def test_jitters_that_do_not_match_the_attempts_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        schedule(3, jitters=(0.5,))


@pytest.mark.parametrize(
    ("backoff", "expected"),
    [
        (Backoff(), [2, 4, 8]),
        (Backoff(delay_ms=10_000), [10, 20, 40]),
        (Backoff(kind="fixed", delay_ms=7000), [7, 7, 7]),
        (Backoff(kind="fixed", delay_ms=0), [1, 1, 1]),
        (Backoff(delay_ms=3_600_000), [3600, 3600, 3600]),
    ],
)
def test_a_job_waits_as_its_backoff_says(backoff: Backoff, expected: list[int]) -> None:
    """Exponential doubles up to the cap, fixed repeats; the least is a second."""
    assert schedule(4, jitters=(1, 1, 1), backoff=backoff) == expected
