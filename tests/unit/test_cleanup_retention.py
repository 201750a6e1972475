"""The runs that are past their retention."""

from __future__ import annotations

from datetime import timedelta

import pytest

from processors.cleanup.retention import RetentionPolicy, expired
from qa_queue.models import RunStatus
from tests.support.records import NOON, case_record, finished_run, run_record

CASE = case_record()
POLICY = RetentionPolicy(keep_days=30, keep_failed_days=90)


@pytest.mark.parametrize("status", [RunStatus.COMPLETED, RunStatus.ADAPTED])
@pytest.mark.parametrize(("age", "goes"), [(29, False), (30, False), (31, True)])
def test_good_runs_expire_after_their_days(status: RunStatus, age: int, goes: bool) -> None:
    """A run exactly as old as allowed is kept."""
    run = finished_run(CASE, status, finished_at=NOON - timedelta(days=age))
    assert expired([run], now=NOON, policy=POLICY) == ([run] if goes else [])


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.TIMED_OUT, RunStatus.CANCELLED, RunStatus.DEAD])
@pytest.mark.parametrize(("age", "goes"), [(31, False), (90, False), (91, True)])
def test_all_other_runs_are_kept_longer(status: RunStatus, age: int, goes: bool) -> None:
    """Finding the cause of a failure takes time."""
    run = finished_run(CASE, status, finished_at=NOON - timedelta(days=age))
    assert expired([run], now=NOON, policy=POLICY) == ([run] if goes else [])


@pytest.mark.parametrize("status", [RunStatus.QUEUED, RunStatus.RUNNING])
def test_a_run_that_has_not_ended_never_expires(status: RunStatus) -> None:
    """No matter how long ago it was queued."""
    run = run_record(CASE, status=status, queued_at=NOON - timedelta(days=999))
    assert expired([run], now=NOON, policy=POLICY) == []


def test_named_runs_are_kept() -> None:
    """The others stay in their order."""
    runs = [finished_run(CASE, finished_at=NOON - timedelta(days=age)) for age in (50, 40, 60)]
    assert expired(runs, now=NOON, policy=POLICY, keep=frozenset({runs[1].id})) == [runs[0], runs[2]]


def test_no_days_keep_nothing() -> None:
    """With 0 days every ended run has expired."""
    run = finished_run(CASE, finished_at=NOON - timedelta(seconds=1))
    assert expired([run], now=NOON, policy=RetentionPolicy(keep_days=0, keep_failed_days=0)) == [run]


def test_artifacts_without_a_run_are_kept_as_long_as_the_longer_lived_runs() -> None:
    """The longer of the two periods counts."""
    assert POLICY.orphans_before(NOON) == NOON - timedelta(days=90)
    assert RetentionPolicy(keep_days=9, keep_failed_days=1).orphans_before(NOON) == NOON - timedelta(days=9)
