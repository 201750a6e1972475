"""What a worker decides without looking at anything: renewal, and who pays for a death."""

from __future__ import annotations

import pytest

from qa_queue.models.outcomes import FailureKind
from qa_queue.settings import load_settings
from qa_queue.worker.ipc import ChildFailure
from qa_queue.worker.outcome import CrashBlame, Requeue, judge, share_of_death
from qa_queue.worker.renewal import MIB, RenewalLimits, reason_to_renew, too_big


@pytest.mark.parametrize(
    ("runs", "age", "memory", "reason"),
    [
        (9, 599, 99 * MIB, None),
        (10, 0, 0, "it has had 10 runs"),
        (0, 600, None, "it is 10 min old"),
        (0, 0, 100 * MIB, "it holds 100 MiB"),
        (0, 0, None, None),
    ],
)
def test_a_process_is_renewed_at_the_first_limit(runs, age, memory, reason):
    """By runs, by minutes, by memory where that is known."""
    limits = RenewalLimits(runs=10, age=600, memory=100 * MIB)
    assert reason_to_renew(limits, runs=runs, age=age, memory=memory) == reason


@pytest.mark.parametrize(
    ("memory", "limit", "ended"),
    [(199 * MIB, 100 * MIB, False), (200 * MIB, 100 * MIB, True), (10**15, 0, False), (None, 100 * MIB, False)],
)
def test_a_process_that_holds_twice_its_limit_is_ended(memory, limit, ended):
    """Renewal alone would wait for what runs in it, and that may never end."""
    assert too_big(RenewalLimits(runs=0, age=0, memory=limit), memory) is ended


def test_limits_of_zero_are_none():
    """Such a process is never renewed."""
    off = load_settings(queue_recycle_runs=0, queue_recycle_minutes=0, queue_recycle_mb=0)
    assert reason_to_renew(RenewalLimits.of(off), runs=10**9, age=1e9, memory=10**15) is None


@pytest.mark.parametrize(
    ("returning", "overdue", "somebody", "alone", "share"),
    [
        (True, False, False, True, CrashBlame.NOTHING),
        (True, True, True, True, CrashBlame.NOTHING),
        (False, True, True, False, CrashBlame.ATTEMPT),
        (False, False, True, False, CrashBlame.NOTHING),
        (False, False, False, True, CrashBlame.ATTEMPT),
        (False, False, False, False, CrashBlame.SUSPICION),
    ],
)
def test_who_pays_for_the_death_of_a_process(returning, overdue, somebody, alone, share):
    """The culprit where it is known; nobody where it is not, until each has run alone."""
    found = share_of_death(returning=returning, overdue=overdue, somebody_overdue=somebody, alone=alone)
    assert found is share


def test_a_run_that_is_returned_is_handed_back_whatever_is_left():
    """Without a retry too."""
    failure = ChildFailure(kind=FailureKind.RETURNED, message="the worker stops")
    assert judge(failure, retries_left=0) == Requeue(failure=failure)
