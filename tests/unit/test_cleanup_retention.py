"""The runs that are past their retention."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from processors.cleanup.retention import RetentionPolicy, expired
from qa_queue.models import ArtifactKind, RunStatus
from tests.support.records import NOON, artifact_record, case_record, finished_run, run_record

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


def test_a_pinned_run_never_expires() -> None:
    """Of any age and status."""
    run = finished_run(CASE, RunStatus.FAILED, finished_at=NOON - timedelta(days=999), pinned=True)
    assert expired([run], now=NOON, policy=POLICY) == []


@pytest.mark.parametrize(
    ("days", "size", "kept", "gone"),
    [
        pytest.param(None, None, 0, [], id="no limit"),
        pytest.param(10, None, 0, [], id="a file as old as allowed is kept"),
        pytest.param(9, None, 0, [2], id="one day more"),
        pytest.param(0, None, 0, [1, 2], id="0 days keep the present"),
        pytest.param(None, 30, 0, [], id="as many bytes as allowed"),
        pytest.param(None, 29, 0, [2], id="one byte more, and the oldest goes"),
        pytest.param(None, 30, 15, [1, 2], id="beside the bytes of newer files"),
        pytest.param(4, 15, 0, [1, 2], id="whichever limit is reached first"),
    ],
)
def test_files_of_a_kind_expire_by_age_and_by_size(
    days: int | None, size: int | None, kept: int, gone: list[int]
) -> None:
    """Three files of ten bytes, of today, of five and of ten days ago."""
    files = [
        artifact_record("run", f"{age}.zip", size_bytes=10, created_at=NOON - timedelta(days=age))
        for age in (0, 5, 10)
    ]
    policy = replace(
        POLICY,
        evidence_days={} if days is None else {ArtifactKind.TRACE: days},
        evidence_bytes={} if size is None else {ArtifactKind.TRACE: size},
    )
    found, left = policy.surplus(ArtifactKind.TRACE, files, now=NOON, kept=kept)
    assert found == [files[place] for place in gone]
    assert left == kept + 10 * (3 - len(gone))
    assert policy.kinds == ([] if days is size is None else [ArtifactKind.TRACE])
