"""Schedules on Supabase."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from postgrest.types import CountMethod, ReturnMethod

from qa_queue.errors import StoreError, StoreSchemaError, StoreUnavailableError
from qa_queue.models import RunStatus
from qa_queue.store.connection import Connection
from qa_queue.store.mapping import chunks, columns, sanitize, to_record, to_row, uuids
from qa_queue.store.records import RunRecord
from qa_queue.store.schedule_records import ScheduleRecord

log = logging.getLogger(__name__)

_TABLE = "schedules"
_ROWS_A_CALL = 500
_BATCHES_A_CALL = 50
_PAGE = 1000
_SMALLEST_PAGE = 100  # no server is set to fewer rows a call, so a page shorter than this is the last


class SupabaseSchedules:
    """A `ScheduleStore` on the connection of a `SupabaseStore`.

    A row that does not fit, as one that a newer qa-queue wrote may not, is left out of the lists and logged once:
    it must not hold up the other schedules. `get` and `find` raise `StoreSchemaError` for it.
    """

    def __init__(self, line: Connection) -> None:
        self._line = line
        self._logged: set[str] = set()  # what was said of rows that do not fit

    def add(self, schedule: ScheduleRecord) -> bool:
        """Insert a schedule, unless its name is taken."""
        query = self._line.table(_TABLE).insert(_row(schedule), returning=ReturnMethod.minimal)
        return self._unless_taken(schedule, query) is not None

    def replace(self, schedule: ScheduleRecord) -> bool:
        """Write a schedule over the row of its id and revision, in one statement."""
        row = _row(schedule) | {"revision": schedule.revision + 1}
        query = self._line.table(_TABLE).update(row).eq("id", schedule.id).eq("revision", schedule.revision)
        answer = self._unless_taken(schedule, query)
        return answer is not None and bool(answer.data)

    def get(self, schedule_id: str) -> ScheduleRecord | None:
        """The schedule, or None."""
        return next((self._one("id", found) for found in uuids([schedule_id])), None)

    def find(self, name: str) -> ScheduleRecord | None:
        """The schedule of this name, or None."""
        return self._one("name", sanitize(name))

    def list_all(self) -> list[ScheduleRecord]:
        """Every schedule, by name."""
        found: list[ScheduleRecord] = []
        last = None
        while True:
            query = self._select()
            query = query.gt("id", last) if last else query
            page = self._line.send(query.order("id").limit(_PAGE)).data
            found += self._readable(page)
            if len(page) < _SMALLEST_PAGE:
                return sorted(found, key=lambda one: one.name)
            last = page[-1]["id"]

    def list_due(self, now: datetime, limit: int = 200) -> list[ScheduleRecord]:
        """Those whose `next_run_at` has come, the longest overdue first."""
        found: list[ScheduleRecord] = []
        seen = 0
        while True:  # since rows that do not fit stay due, and must not fill every page
            query = self._select().lte("next_run_at", now.isoformat()).order("next_run_at").order("id")
            page = self._line.send(query.range(seen, seen + limit - 1)).data
            found += self._readable(page)
            seen += len(page)
            if len(found) >= limit or len(page) < min(limit, _SMALLEST_PAGE):
                return found[:limit]

    def remove(self, schedule_id: str) -> bool:
        """Delete a schedule."""
        query = self._line.table(_TABLE).delete(count=CountMethod.exact, returning=ReturnMethod.minimal)
        return any(self._line.send(query.eq("id", found)).count for found in uuids([schedule_id]))

    def open_runs(self, runs: Sequence[RunRecord]) -> None:
        """Insert these runs; one that is there stays as it is."""
        for chunk in chunks(runs, _ROWS_A_CALL):
            query = self._line.table("test_runs").upsert(
                [to_row(run) for run in chunk],
                on_conflict="id",
                ignore_duplicates=True,
                returning=ReturnMethod.minimal,
            )
            self._line.send(query)

    def statuses(self, batch_ids: Sequence[str]) -> Mapping[str, Mapping[RunStatus, int]]:
        """How many runs of each status these batches have."""
        counts: dict[str, Counter[RunStatus]] = {}
        for chunk in chunks(uuids(batch_ids), _BATCHES_A_CALL):
            for row in self._members(chunk):
                counts.setdefault(row["batch_id"], Counter())[RunStatus(row["status"])] += 1
        return counts

    def _members(self, batch_ids: Sequence[str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            query = self._line.table("test_runs").select("id", "batch_id", "status").in_("batch_id", batch_ids)
            query = query.gt("id", found[-1]["id"]) if found else query
            page = self._line.send(query.order("id").limit(_PAGE)).data
            found += page
            if len(page) < _SMALLEST_PAGE:
                return found

    def _readable(self, rows: Sequence[dict[str, Any]]) -> Iterator[ScheduleRecord]:
        for row in rows:
            try:
                yield to_record(ScheduleRecord, row)
            except StoreSchemaError as error:
                self._log_once(f"The schedule {row['name']} is left out: {error}", row["id"])

    def _log_once(self, words: str, schedule_id: str) -> None:
        if words not in self._logged:
            self._logged.add(words)
            log.error("%s Or delete it: `qa-queue schedule remove %s`.", words, schedule_id)

    def _one(self, column: str, value: str) -> ScheduleRecord | None:
        rows = self._line.send(self._select().eq(column, value).limit(1)).data
        return to_record(ScheduleRecord, rows[0]) if rows else None

    def _select(self) -> Any:
        return self._line.table(_TABLE).select(*columns(ScheduleRecord))

    def _unless_taken(self, schedule: ScheduleRecord, query: Any) -> Any:
        """The answer; None where the database refused the write because the name is another's.

        Servers differ in how they say so, so the rows are asked.
        """
        try:
            return self._line.send(query)
        except StoreUnavailableError:
            raise
        except StoreError:
            other = self.find(schedule.name)
            if other is None or other.id == schedule.id:
                raise
            return None


def _row(schedule: ScheduleRecord) -> dict[str, Any]:
    row: dict[str, Any] = sanitize(schedule.model_dump())
    return row
