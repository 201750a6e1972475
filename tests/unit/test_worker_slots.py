"""Deadlines of attempts, and periodic work."""

from __future__ import annotations

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from qa_queue.worker.periodic import PeriodicThread
from qa_queue.worker.slots import SlotDeadline


@pytest.mark.parametrize("timeout", [None, -1])
def test_without_a_time_out_nothing_is_ever_due(timeout):
    """RQ says -1 for never."""
    deadline = SlotDeadline.of(timeout, now=0, grace=5)
    assert not deadline.to_cancel(1e9)
    assert not deadline.to_kill(1e9)


def test_an_attempt_is_told_first_and_ended_after_the_grace():
    """10 s, then 5 more."""
    deadline = SlotDeadline.of(10, now=100, grace=5)
    assert [deadline.to_cancel(t) for t in (109.9, 110)] == [False, True]
    assert [deadline.to_kill(t) for t in (114.9, 115)] == [False, True]


def test_an_attempt_that_was_told_is_not_told_again():
    """Its end comes after the grace, and never later than it was to be."""
    told = SlotDeadline.of(10, now=100, grace=5).sooner(now=102, grace=5)
    assert not told.to_cancel(200)
    assert [told.to_kill(t) for t in (106.9, 107)] == [False, True]
    assert SlotDeadline.of(10, now=100, grace=5).sooner(now=112, grace=5).kill_at == 115
    assert SlotDeadline.of(None, now=100, grace=5).sooner(now=102, grace=5).kill_at == 107


def test_periodic_work_is_done_when_due_and_not_before():
    """Counted from when it was done."""
    calls: list[int] = []
    periodic = PeriodicThread(5, lambda: calls.append(1))
    assert [periodic.run(t) for t in (0, 4, 5, 9.9, 30)] == [True] * 5
    assert len(calls) == 3


def test_periodic_work_that_meets_no_redis_says_so_and_waits_its_turn():
    """It does not raise."""

    def fail() -> None:
        raise RedisConnectionError("gone")

    periodic = PeriodicThread(5, fail)
    assert [periodic.run(t) for t in (0, 1, 5)] == [False, True, False]
