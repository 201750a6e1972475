"""A batch as a value, made from the rows of its runs. Pure.

Looking at batches, cancelling them, and the runs of theirs that are worth making again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from redis import Redis

from qa_queue.errors import ConflictError, NotFoundError
from qa_queue.models import RunStatus
from qa_queue.models.outcomes import BatchVerdict, verdict_of
from qa_queue.progress import ProgressReader
from qa_queue.queues.cancellation import CancelOutcome, cancel_runs
from qa_queue.store.protocol import RunStore
from qa_queue.store.records import MOST_RUNS, BatchRecord, RunPlace, RunRecord


@dataclass(frozen=True, kw_only=True)
class BatchView:
    """The state of a batch. `percentage` is 0..100; running runs add their own. `counts` has every status."""

    id: str
    total: int
    ended: int
    counts: dict[RunStatus, int]
    flaky: int
    percentage: int
    verdict: BatchVerdict
    queued_at: datetime
    finished_at: datetime | None
    run_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class BatchSummary:
    """A batch in a list; `counts` has every status."""

    id: str
    total: int
    ended: int
    counts: dict[RunStatus, int]
    flaky: int
    verdict: BatchVerdict
    queued_at: datetime
    finished_at: datetime | None


def summary_of(record: BatchRecord) -> BatchSummary:
    """The summary of a batch's row."""
    return BatchSummary(
        id=record.id,
        total=record.total,
        ended=sum(number for status, number in record.counts.items() if status.final),
        counts=record.counts,
        flaky=record.flaky,
        verdict=verdict_of(record.counts, flaky=record.flaky),
        queued_at=record.queued_at,
        finished_at=record.finished_at,
    )


def view_of(batch_id: str, runs: Sequence[RunRecord], percentages: Mapping[str, int]) -> BatchView:
    """The view of at least one run; `percentages` are those of the runs that go on."""
    counts = Counter(run.status for run in runs)
    ended = sum(run.status.final for run in runs)
    done = sum(100 if run.status.final else min(100, percentages.get(run.id, 0)) for run in runs)
    flaky = sum(run.flaky for run in runs)
    ends = [run.finished_at for run in runs if run.finished_at]
    return BatchView(
        id=batch_id,
        total=len(runs),
        ended=ended,
        counts={status: counts[status] for status in RunStatus},
        flaky=flaky,
        percentage=done // len(runs),
        verdict=verdict_of(counts, flaky=flaky),
        queued_at=min(run.queued_at for run in runs),
        finished_at=max(ends) if ended == len(runs) and ends else None,
        run_ids=tuple(run.id for run in runs),
    )


class Batches:
    """The batches of one Redis and one store. Their record are the rows of their runs."""

    def __init__(self, connection: Redis, store: RunStore) -> None:
        self._connection = connection
        self._store = store

    def newest(self, *, limit: int = 20, after: RunPlace | None = None) -> list[BatchSummary]:
        """Batches, the newest first, from behind the one that stands at `after`."""
        return [summary_of(record) for record in self._store.batches.newest(limit=limit, after=after)]

    def view(self, batch_id: str) -> BatchView:
        """Return how a batch stands now.

        Raises:
            NotFoundError: no run belongs to it.
        """
        runs = self.runs(batch_id)
        going_on = [run.id for run in runs if run.status is RunStatus.RUNNING]
        latest = ProgressReader(self._connection).latest(going_on)
        return view_of(batch_id, runs, {run_id: report.percentage or 0 for run_id, report in latest.items()})

    def runs(self, batch_id: str) -> list[RunRecord]:
        """The runs of a batch, in the order in which they were queued.

        Raises:
            NotFoundError: no run belongs to it.
        """
        runs = self._store.list_runs(batch_id=batch_id, limit=MOST_RUNS, oldest_first=True)
        if not runs:
            raise NotFoundError(f"No run belongs to batch {batch_id}: it was never submitted, or was cleaned up.")
        return runs

    def worth_again(self, batch_id: str, *, only_failed: bool = True) -> Sequence[RunRecord]:
        """The runs of a batch that ended badly, and not because somebody cancelled them; or all that have ended.

        Raises:
            NotFoundError: no run belongs to it.
            ConflictError: no run can be repeated.
        """
        ended = [run for run in self.runs(batch_id) if run.status.final]
        wanted = [run for run in ended if run.status.bad or not only_failed]
        if not wanted:
            what = "failed" if only_failed else "has ended"
            raise ConflictError(f"No run of batch {batch_id} {what}, so there is nothing to rerun.")
        return wanted

    def cancel(self, batch_id: str, reason: str = "its batch was cancelled") -> dict[str, CancelOutcome]:
        """Cancel every run that has not ended; waiting ones never start, running ones are asked to stop.

        Raises:
            NotFoundError: no run belongs to it.
        """
        living = [run.id for run in self.runs(batch_id) if not run.status.final]
        return cancel_runs(self._connection, self._store, living, reason)
