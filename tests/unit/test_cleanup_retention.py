"""Which runs are past their retention."""

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
def test_good_runs_go_after_their_days(status: RunStatus, age: int, goes: bool) -> None:
    """To the moment: a run that is exactly as old as allowed stays."""
    run = finished_run(CASE, status, finished_at=NOON - timedelta(days=age))
    assert expired([run], now=NOON, policy=POLICY) == ([run] if goes else [])


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.TIMED_OUT, RunStatus.CANCELLED, RunStatus.DEAD])
@pytest.mark.parametrize(("age", "goes"), [(31, False), (90, False), (91, True)])
def test_all_other_ends_are_kept_longer(status: RunStatus, age: int, goes: bool) -> None:
    """Whoever looks for a cause needs time."""
    run = finished_run(CASE, status, finished_at=NOON - timedelta(days=age))
    assert expired([run], now=NOON, policy=POLICY) == ([run] if goes else [])


@pytest.mark.parametrize("status", [RunStatus.QUEUED, RunStatus.RUNNING])
def test_a_run_that_has_not_ended_never_goes(status: RunStatus) -> None:
    """However long ago it was queued."""
    run = run_record(CASE, status=status, queued_at=NOON - timedelta(days=999))
    assert expired([run], now=NOON, policy=POLICY) == []


def test_what_is_to_be_kept_is_kept() -> None:
    """The ids that are named stay, the order of the rest too."""
    runs = [finished_run(CASE, finished_at=NOON - timedelta(days=age)) for age in (50, 40, 60)]
    assert expired(runs, now=NOON, policy=POLICY, keep=frozenset({runs[1].id})) == [runs[0], runs[2]]


def test_no_days_keep_nothing() -> None:
    """With 0 days every ended run has outlived its time."""
    run = finished_run(CASE, finished_at=NOON - timedelta(seconds=1))
    assert expired([run], now=NOON, policy=RetentionPolicy(keep_days=0, keep_failed_days=0)) == [run]


def test_evidence_without_a_run_stays_as_long_as_the_longer_lived_runs() -> None:
    """Whichever of the two that is."""
    assert POLICY.orphans_before(NOON) == NOON - timedelta(days=90)
    assert RetentionPolicy(keep_days=9, keep_failed_days=1).orphans_before(NOON) == NOON - timedelta(days=9)
