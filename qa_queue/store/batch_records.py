"""Batches in the store: a view that counts the runs of each."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from qa_queue.models import Frozen, RunStatus
from qa_queue.store.records import RunPlace


class BatchRecord(Frozen):
    """A row of `test_batches`: how many runs there are in all and of each status. `finished_at` once all ended."""

    id: str
    queued_at: datetime
    finished_at: datetime | None
    total: int
    flaky: int
    queued: int
    running: int
    completed: int
    adapted: int
    failed: int
    timed_out: int
    cancelled: int
    dead: int

    @property
    def counts(self) -> dict[RunStatus, int]:
        """How many runs there are of each status; every status is in it."""
        return {status: getattr(self, status.value) for status in RunStatus}


class BatchStore(Protocol):
    """Batches; their record are the rows of their runs."""

    def newest(self, *, limit: int = 50, after: RunPlace | None = None) -> list[BatchRecord]:
        """Batches by the moment their first run was queued, the newest first, from behind `after`."""
