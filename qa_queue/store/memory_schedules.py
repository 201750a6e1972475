"""Schedules and batches in memory: the twins of those on Supabase."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from qa_queue.models import RunStatus
from qa_queue.store.mapping import uuids
from qa_queue.store.records import BatchRecord, RunPlace, RunRecord
from qa_queue.store.sanitize import sanitize
from qa_queue.store.schedule_records import ScheduleRecord


class MemoryBatches:
    """A `BatchStore` over the runs of a `MemoryStore`, under its lock."""

    def __init__(self, lock: threading.RLock, runs: Mapping[str, RunRecord]) -> None:
        self._lock = lock
        self._runs = runs

    def newest(self, *, limit: int = 50, after: RunPlace | None = None) -> list[BatchRecord]:
        """Return batches by the time at which their first run was queued, newest first, starting after `after`."""
        with self._lock:
            runs = list(self._runs.values())
        return newest_batches(runs, limit=limit, after=after)

    def find_ids(self, prefix: str, limit: int = 2) -> list[str]:
        """Return the ids of at most `limit` batches that begin with this text, in order."""
        with self._lock:
            ids = {run.batch_id for run in self._runs.values() if run.batch_id is not None}
        return sorted(one for one in ids if one.startswith(prefix.lower()))[:limit]


class MemorySchedules:
    """A `ScheduleStore` over the tables of a `MemoryStore`, under its lock."""

    def __init__(
        self, lock: threading.RLock, schedules: dict[str, ScheduleRecord], runs: dict[str, RunRecord]
    ) -> None:
        self._lock = lock
        self._schedules = schedules
        self._runs = runs

    def add(self, schedule: ScheduleRecord) -> bool:
        """Insert a schedule, unless its name is taken."""
        with self._lock:
            if self._taken(schedule):
                return False
            self._schedules[schedule.id] = _sanitized(schedule)
            return True

    def replace(self, schedule: ScheduleRecord) -> bool:
        """Overwrite the row with this id and revision."""
        with self._lock:
            old = self._schedules.get(schedule.id)
            if old is None or old.revision != schedule.revision or self._taken(schedule):
                return False
            new = schedule.model_copy(update={"revision": old.revision + 1})
            self._schedules[schedule.id] = _sanitized(new)
            return True

    def get(self, schedule_id: str) -> ScheduleRecord | None:
        """Return the schedule, or None."""
        with self._lock:
            return next((self._schedules.get(found) for found in uuids([schedule_id])), None)

    def find(self, name: str) -> ScheduleRecord | None:
        """Return the schedule with this name, or None."""
        with self._lock:
            return next((schedule for schedule in self._schedules.values() if schedule.name == name), None)

    def list_all(self) -> list[ScheduleRecord]:
        """Return every schedule, by name."""
        with self._lock:
            return sorted(self._schedules.values(), key=lambda schedule: schedule.name)

    def list_due(self, now: datetime, limit: int = 200) -> list[ScheduleRecord]:
        """Return the schedules whose `next_run_at` has come, the longest overdue first."""
        with self._lock:
            times = sorted((one.next_run_at, one.id) for one in self._schedules.values() if one.next_run_at)
            return [self._schedules[schedule_id] for time, schedule_id in times if time <= now][:limit]

    def remove(self, schedule_id: str) -> bool:
        """Delete a schedule."""
        with self._lock:
            return any(self._schedules.pop(found, None) is not None for found in uuids([schedule_id]))

    def open_runs(self, runs: Sequence[RunRecord]) -> None:
        """Insert these runs; those that exist stay as they are."""
        with self._lock:
            for run in runs:
                self._runs.setdefault(run.id, run)

    def statuses(self, batch_ids: Sequence[str]) -> Mapping[str, Mapping[RunStatus, int]]:
        """Return the number of runs by status of each of these batches."""
        wanted = set(uuids(batch_ids))
        counts: dict[str, Counter[RunStatus]] = {}
        with self._lock:
            for run in self._runs.values():
                if run.batch_id in wanted and run.batch_id is not None:
                    counts.setdefault(run.batch_id, Counter())[run.status] += 1
        return counts

    def _taken(self, schedule: ScheduleRecord) -> bool:
        return any(one.name == schedule.name and one.id != schedule.id for one in self._schedules.values())


def newest_batches(runs: Iterable[RunRecord], *, limit: int, after: RunPlace | None) -> list[BatchRecord]:
    """Return the batches of these runs by the time of their first run, newest first, from behind `after`. Pure."""
    members: dict[str, list[RunRecord]] = defaultdict(list)
    for run in runs:
        if run.batch_id is not None:
            members[run.batch_id].append(run)
    batches = sorted(map(_batch, members, members.values()), key=_place)
    older = [batch for batch in batches if after is None or _place(batch) < _place(after)]
    return older[::-1][: max(0, limit)]


def _batch(batch_id: str, runs: Sequence[RunRecord]) -> BatchRecord:
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


def _place(batch: BatchRecord | RunPlace) -> tuple[datetime, str]:
    return batch.queued_at, batch.id


def _sanitized(schedule: ScheduleRecord) -> ScheduleRecord:
    return ScheduleRecord.model_validate(sanitize(schedule.model_dump()))
