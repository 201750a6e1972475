"""Batches in memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from threading import RLock

from qa_queue.models import RunStatus
from qa_queue.store.batch_records import BatchRecord
from qa_queue.store.records import RunPlace, RunRecord


class MemoryBatches:
    """A `BatchStore` over the runs of a `MemoryStore`."""

    def __init__(self, lock: RLock, runs: Mapping[str, RunRecord]) -> None:
        self._lock = lock
        self._runs = runs

    def newest(self, *, limit: int = 50, after: RunPlace | None = None) -> list[BatchRecord]:
        """Batches by the moment their first run was queued, the newest first, from behind `after`."""
        with self._lock:
            runs = list(self._runs.values())
        members: dict[str, list[RunRecord]] = defaultdict(list)
        for run in runs:
            if run.batch_id is not None:
                members[run.batch_id].append(run)
        found = sorted(map(_counted, members, members.values()), key=lambda one: (one.queued_at, one.id))
        behind_last = [
            one for one in found if after is None or (one.queued_at, one.id) < (after.queued_at, after.id)
        ]
        return behind_last[::-1][: max(0, limit)]


def _counted(batch_id: str, runs: Sequence[RunRecord]) -> BatchRecord:
    counts = Counter(run.status for run in runs)
    ends = [run.finished_at for run in runs if run.finished_at is not None]
    ended = all(run.status.final for run in runs)
    return BatchRecord(
        id=batch_id,
        queued_at=min(run.queued_at for run in runs),
        finished_at=max(ends) if ended and ends else None,
        total=len(runs),
        flaky=sum(run.flaky for run in runs),
        **{status.value: counts[status] for status in RunStatus},
    )
