"""Deadlines of attempts."""

from __future__ import annotations

import pytest

from qa_queue.worker.slots import SlotDeadline


@pytest.mark.parametrize("timeout", [None, -1])
def test_without_a_timeout_there_is_no_deadline(timeout):
    """RQ's -1 means unlimited."""
    deadline = SlotDeadline.of(timeout, now=0, grace=5)
    assert not deadline.to_cancel(1e9)
    assert not deadline.to_kill(1e9)


def test_an_attempt_is_cancelled_first_and_killed_after_the_grace_time():
    """10 s, then 5 more."""
    deadline = SlotDeadline.of(10, now=100, grace=5)
    assert [deadline.to_cancel(t) for t in (109.9, 110)] == [False, True]
    assert [deadline.to_kill(t) for t in (114.9, 115)] == [False, True]


def test_a_cancelled_attempt_is_not_cancelled_again():
    """It is killed after the grace time, and never later than it would have been."""
    cancelled = SlotDeadline.of(10, now=100, grace=5).after_cancel(now=102, grace=5)
    assert not cancelled.to_cancel(200)
    assert [cancelled.to_kill(t) for t in (106.9, 107)] == [False, True]
    assert SlotDeadline.of(10, now=100, grace=5).after_cancel(now=112, grace=5).kill_at == 115
    assert SlotDeadline.of(None, now=100, grace=5).after_cancel(now=102, grace=5).kill_at == 107
