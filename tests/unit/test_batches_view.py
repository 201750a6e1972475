"""What a batch comes to."""

from __future__ import annotations

from datetime import timedelta

import pytest

from qa_queue.models import RunStatus
from qa_queue.models.outcomes import BatchVerdict
from qa_queue.queues.batches import view_of
from tests.support.records import NOON, finished_run, run_record


@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [
        ("completed adapted", BatchVerdict.PASSED),
        ("completed failed dead cancelled", BatchVerdict.FAILED),
        ("completed timed_out dead", BatchVerdict.FAILED),
        ("completed dead cancelled", BatchVerdict.BROKEN),
        ("completed cancelled", BatchVerdict.CANCELLED),
        ("failed queued", BatchVerdict.RUNNING),
        ("completed running", BatchVerdict.RUNNING),
    ],
)
def test_the_worst_run_decides_once_all_have_ended(statuses: str, verdict: BatchVerdict) -> None:
    """The site's faults come before the infrastructure's, and those before what was cancelled."""
    runs = [run_record("case", status=status) for status in statuses.split()]
    assert view_of("b", runs, {}).verdict is verdict


def test_a_good_batch_with_a_flaky_run_is_flaky() -> None:
    """A run that failed decides before it."""
    flaky = [finished_run("case"), finished_run("case", flaky=True)]
    assert view_of("b", flaky, {}).verdict is BatchVerdict.FLAKY
    assert view_of("b", [*flaky, run_record("case", status=RunStatus.FAILED)], {}).verdict is BatchVerdict.FAILED


def test_progress_counts_ended_runs_whole_and_others_by_their_own() -> None:
    """One of four has ended, one is halfway, two wait."""
    runs = [finished_run("case"), run_record("case", status=RunStatus.RUNNING), *(run_record("case") for _ in "ab")]
    view = view_of("b", runs, {runs[1].id: 50})
    assert (view.percentage, view.total, view.ended, view.finished_at) == (37, 4, 1, None)
    assert view.counts[RunStatus.QUEUED] == 2
    assert view.counts[RunStatus.DEAD] == 0


def test_a_batch_lasts_from_its_first_run_to_its_last() -> None:
    """And knows how many passed only on a retry."""
    runs = [finished_run("case", finished_at=NOON + timedelta(minutes=n), flaky=n == 1) for n in range(3)]
    view = view_of("b", runs, {})
    assert (view.queued_at, view.finished_at) == (NOON - timedelta(minutes=1), NOON + timedelta(minutes=2))
    assert (view.flaky, view.percentage, view.run_ids) == (1, 100, tuple(run.id for run in runs))
