"""Looking at batches and cancelling them. Their record are the rows of their runs."""

from __future__ import annotations

from redis import Redis

from qa_queue.batches.view import BatchView, view_of
from qa_queue.cancel import CancelOutcome, request_cancel
from qa_queue.errors import NotFoundError
from qa_queue.models import RunStatus, utc_now
from qa_queue.progress import ProgressReader
from qa_queue.store.base import RunStore
from qa_queue.store.records import RunRecord

MOST_RUNS = 10_000


class Batches:
    """The batches of one Redis and one store."""

    def __init__(self, connection: Redis, store: RunStore) -> None:
        self._connection = connection
        self._store = store

    def view(self, batch_id: str) -> BatchView:
        """How a batch stands now.

        Raises:
            NotFoundError: no run belongs to it.
        """
        runs = self._runs(batch_id)
        going_on = [run.id for run in runs if run.status is RunStatus.RUNNING]
        latest = ProgressReader(self._connection).latest(going_on)
        return view_of(batch_id, runs, {run_id: report.percentage for run_id, report in latest.items()})

    def cancel(self, batch_id: str) -> dict[str, CancelOutcome]:
        """Cancel every run that has not ended; those that wait never start, those that run are told.

        Raises:
            NotFoundError: no run belongs to it.
        """
        living = [run.id for run in self._runs(batch_id) if not run.status.final]
        outcomes = request_cancel(self._connection, living)
        for run_id, outcome in outcomes.items():
            if outcome is CancelOutcome.REMOVED:
                self._store.update_run(run_id, status=RunStatus.CANCELLED, finished_at=utc_now())
        return outcomes

    def _runs(self, batch_id: str) -> list[RunRecord]:
        runs = self._store.list_runs(batch_id=batch_id, limit=MOST_RUNS, oldest_first=True)
        if not runs:
            raise NotFoundError(f"No run belongs to batch {batch_id}: it was never submitted, or was cleaned up.")
        return runs
