"""Schedules and batches on Supabase."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from postgrest.types import CountMethod, ReturnMethod

from qa_queue.errors import StoreError, StoreSchemaError, StoreUnavailableError
from qa_queue.models import RunStatus
from qa_queue.store.client import Row, SupabaseClient, page_by_id, rows_after, with_text
from qa_queue.store.mapping import chunks, columns, to_record, to_row, uuid_bounds, uuids
from qa_queue.store.records import BatchRecord, RunPlace, RunRecord
from qa_queue.store.sanitize import sanitize
from qa_queue.store.schedule_records import ScheduleRecord

log = logging.getLogger(__name__)

_TABLE = "schedules"
_BATCHES = "test_batches"  # a view
_ROWS_PER_CALL = 500
_BATCHES_PER_CALL = 50


class SupabaseBatches:
    """A `BatchStore` on the client of a `SupabaseStore`."""

    def __init__(self, client: SupabaseClient) -> None:
        self._client = client

    def newest(self, *, limit: int = 50, after: RunPlace | None = None) -> list[BatchRecord]:
        """Return batches by the time at which their first run was queued, newest first, starting after `after`."""

        def page(found: list[Row], size: int) -> Any:
            query = self._client.table(_BATCHES).select(*columns(BatchRecord))
            last = _place(to_record(BatchRecord, found[-1])) if found else after
            return rows_after(query, last, oldest_first=False).limit(size)

        return [to_record(BatchRecord, row) for row in self._client.read(page, limit)]

    def find_ids(self, prefix: str, limit: int = 2) -> list[str]:
        """Return the ids of at most `limit` batches that begin with this text, in order."""
        if (bounds := uuid_bounds(prefix)) is None:
            return []

        def page(found: list[Row], size: int) -> Any:
            query = self._client.table(_BATCHES).select("id").lte("id", bounds[1]).order("id").limit(size)
            return query.gt("id", found[-1]["id"]) if found else query.gte("id", bounds[0])

        return [row["id"] for row in self._client.read(page, limit)]


class SupabaseSchedules:
    """A `ScheduleStore` on the client of a `SupabaseStore`.

    A row that cannot be read, because a newer qa-queue wrote it, is left out of the lists and logged once, so that
    it does not block the other schedules. `get` and `find` raise `StoreSchemaError` for it.
    """

    def __init__(self, client: SupabaseClient) -> None:
        self._client = client
        self._logged: set[str] = set()  # messages on rows that cannot be read

    def add(self, schedule: ScheduleRecord) -> bool:
        """Insert a schedule, unless its name is taken."""
        query = self._client.table(_TABLE).insert(_row(schedule), returning=ReturnMethod.minimal)
        return self._unless_taken(schedule, query) is not None

    def replace(self, schedule: ScheduleRecord) -> bool:
        """Overwrite the row with this id and revision, in one statement."""
        row = _row(schedule) | {"revision": schedule.revision + 1}
        query = self._client.table(_TABLE).update(row).eq("id", schedule.id).eq("revision", schedule.revision)
        response = self._unless_taken(schedule, query)
        return response is not None and bool(response.data)

    def get(self, schedule_id: str) -> ScheduleRecord | None:
        """Return the schedule, or None."""
        return next((self._one("id", found) for found in uuids([schedule_id])), None)

    def find(self, name: str) -> ScheduleRecord | None:
        """Return the schedule with this name, or None."""
        return self._one("name", sanitize(name))

    def list_all(self) -> list[ScheduleRecord]:
        """Return every schedule, by name."""
        rows = self._client.read(lambda found, size: page_by_id(self._select(), found, size))
        return sorted(self._readable(rows), key=lambda schedule: schedule.name)

    def list_due(self, now: datetime, limit: int = 200) -> list[ScheduleRecord]:
        """Return the schedules whose `next_run_at` has come, the longest overdue first."""
        found: list[ScheduleRecord] = []
        seen = 0
        while True:  # because rows that cannot be read stay due, and must not fill the list
            rows = self._client.read(partial(self._due, now, seen), limit)
            found += self._readable(rows)
            seen += len(rows)
            if len(found) >= limit or len(rows) < limit:
                return found[:limit]

    def remove(self, schedule_id: str) -> bool:
        """Delete a schedule."""
        query = self._client.table(_TABLE).delete(count=CountMethod.exact, returning=ReturnMethod.minimal)
        return any(self._client.send(query.eq("id", found)).count for found in uuids([schedule_id]))

    def open_runs(self, runs: Sequence[RunRecord]) -> None:
        """Insert these runs; those that exist stay as they are."""
        for chunk in chunks(runs, _ROWS_PER_CALL):
            query = self._client.table("test_runs").upsert(
                [to_row(run) for run in chunk],
                on_conflict="id",
                ignore_duplicates=True,
                returning=ReturnMethod.minimal,
            )
            self._client.send(query)

    def statuses(self, batch_ids: Sequence[str]) -> Mapping[str, Mapping[RunStatus, int]]:
        """Return the number of runs by status of each of these batches."""
        counts: dict[str, Counter[RunStatus]] = {}
        for chunk in chunks(uuids(batch_ids), _BATCHES_PER_CALL):
            for row in self._client.read(partial(self._members, chunk)):
                counts.setdefault(row["batch_id"], Counter())[RunStatus(row["status"])] += 1
        return counts

    def _due(self, now: datetime, seen: int, found: list[Row], size: int) -> Any:
        query = self._select().lte("next_run_at", now.isoformat()).order("next_run_at").order("id")
        first = seen + len(found)
        return query.range(first, first + size - 1)

    def _members(self, batch_ids: Sequence[str], found: list[Row], size: int) -> Any:
        query = self._client.table("test_runs").select("id", "batch_id", "status").in_("batch_id", batch_ids)
        return page_by_id(query, found, size)

    def _readable(self, rows: Sequence[Row]) -> Iterator[ScheduleRecord]:
        for row in rows:
            try:
                yield to_record(ScheduleRecord, row)
            except StoreSchemaError as error:
                self._log_once(f"The schedule {row['name']} is left out: {error}", row["id"])

    def _log_once(self, message: str, schedule_id: str) -> None:
        if message not in self._logged:
            self._logged.add(message)
            log.error("%s Or delete it: `qa-queue schedule remove %s`.", message, schedule_id)

    def _one(self, column: str, value: str) -> ScheduleRecord | None:
        rows = self._client.send(with_text(self._select(), column, value).limit(1)).data
        return to_record(ScheduleRecord, rows[0]) if rows else None

    def _select(self) -> Any:
        return self._client.table(_TABLE).select(*columns(ScheduleRecord))

    def _unless_taken(self, schedule: ScheduleRecord, query: Any) -> Any:
        """Return the response, or None if the database refused the write because another schedule has the name.

        Servers report this in different ways, so the rows are read.
        """
        try:
            return self._client.send(query)
        except StoreUnavailableError:
            raise
        except StoreError:
            other = self.find(schedule.name)
            if other is None or other.id == schedule.id:
                raise
            return None


def _place(batch: BatchRecord) -> RunPlace:
    return RunPlace(queued_at=batch.queued_at, id=batch.id)


def _row(schedule: ScheduleRecord) -> Row:
    row: Row = sanitize(schedule.model_dump())
    return row
