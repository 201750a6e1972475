"""Schedules in memory: the twin of `SupabaseSchedules`."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from qa_queue.models import RunStatus
from qa_queue.store.mapping import sanitize, uuids
from qa_queue.store.records import RunRecord
from qa_queue.store.schedule_records import ScheduleRecord


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
        """Write a schedule over the row of its id and revision."""
        with self._lock:
            old = self._schedules.get(schedule.id)
            if old is None or old.revision != schedule.revision or self._taken(schedule):
                return False
            self._schedules[schedule.id] = _sanitized(schedule.model_copy(update={"revision": old.revision + 1}))
            return True

    def get(self, schedule_id: str) -> ScheduleRecord | None:
        """The schedule, or None."""
        with self._lock:
            return next((self._schedules.get(found) for found in uuids([schedule_id])), None)

    def find(self, name: str) -> ScheduleRecord | None:
        """The schedule of this name, or None."""
        with self._lock:
            return next((one for one in self._schedules.values() if one.name == name), None)

    def list_all(self) -> list[ScheduleRecord]:
        """Every schedule, by name."""
        with self._lock:
            return sorted(self._schedules.values(), key=lambda one: one.name)

    def list_due(self, now: datetime, limit: int = 200) -> list[ScheduleRecord]:
        """Those whose `next_run_at` has come, the longest overdue first."""
        with self._lock:
            due = [(one.next_run_at, one.id) for one in self._schedules.values() if one.next_run_at]
            return [self._schedules[found] for moment, found in sorted(due) if moment <= now][:limit]

    def remove(self, schedule_id: str) -> bool:
        """Delete a schedule."""
        with self._lock:
            return any(self._schedules.pop(found, None) is not None for found in uuids([schedule_id]))

    def open_runs(self, runs: Sequence[RunRecord]) -> None:
        """Insert these runs; one that is there stays as it is."""
        with self._lock:
            for run in runs:
                self._runs.setdefault(run.id, run)

    def statuses(self, batch_ids: Sequence[str]) -> Mapping[str, Mapping[RunStatus, int]]:
        """How many runs of each status these batches have."""
        wanted = set(uuids(batch_ids))
        counts: dict[str, Counter[RunStatus]] = {}
        with self._lock:
            for run in self._runs.values():
                if run.batch_id in wanted and run.batch_id is not None:
                    counts.setdefault(run.batch_id, Counter())[run.status] += 1
        return counts

    def _taken(self, schedule: ScheduleRecord) -> bool:
        return any(one.name == schedule.name and one.id != schedule.id for one in self._schedules.values())


def _sanitized(schedule: ScheduleRecord) -> ScheduleRecord:
    return ScheduleRecord.model_validate(sanitize(schedule.model_dump()))
