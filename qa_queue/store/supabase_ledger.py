"""The ledger of jobs on Supabase."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from postgrest.types import ReturnMethod

from qa_queue.models import QueueName
from qa_queue.store.client import Row, SupabaseClient, page_by_id
from qa_queue.store.ledger import UNFINISHED, LedgerEntry, OpenRun
from qa_queue.store.mapping import IDS_PER_CALL, chunks, columns, to_record, uuids

_TABLE = "job_ledger"


class SupabaseLedger:
    """A `JobLedger` on the client of a `SupabaseStore`."""

    def __init__(self, client: SupabaseClient) -> None:
        self._client = client

    def open_runs(self) -> list[OpenRun]:
        """Return every run that is queued or running, by id."""
        statuses = [status.value for status in UNFINISHED]

        def page(found: list[Row], size: int) -> Any:
            query = self._client.table("test_runs").select(*columns(OpenRun)).in_("status", statuses)
            return page_by_id(query, found, size)

        return [to_record(OpenRun, row) for row in self._client.read(page)]

    def entries(self, job_ids: Sequence[str]) -> dict[str, LedgerEntry]:
        """Return the entries of these jobs, by id."""
        found: dict[str, LedgerEntry] = {}
        for chunk in chunks(uuids(job_ids), IDS_PER_CALL):
            found |= {entry.id: entry for entry in self._entries(partial(_among, "id", chunk))}
        return found

    def with_claims(self, keys: Sequence[str] | None = None) -> list[LedgerEntry]:
        """Return the entries with an idempotency claim, or with one of these claims, by id."""
        if keys is None:
            return self._entries(lambda query: query.not_.is_("claim", "null"))
        return [
            entry
            for chunk in chunks(sorted(keys), IDS_PER_CALL)
            for entry in self._entries(partial(_among, "claim", chunk))
        ]

    def open_jobs(self) -> list[LedgerEntry]:
        """Return the entries of other queues than that of runs that have no end, by id."""
        return self._entries(lambda query: query.neq("queue", QueueName.TEST_EXECUTION).is_("ended_at", "null"))

    def oldest(self, before: datetime, limit: int) -> list[LedgerEntry]:
        """Return entries submitted before this time, the oldest first."""
        query = self._client.table(_TABLE).select(*columns(LedgerEntry)).lt("submitted_at", before.isoformat())
        rows = self._client.send(query.order("submitted_at").order("id").limit(limit)).data
        return [to_record(LedgerEntry, row) for row in rows]

    def remove(self, job_ids: Sequence[str]) -> None:
        """Delete the entries of these jobs."""
        for chunk in chunks(uuids(job_ids), IDS_PER_CALL):
            query = self._client.table(_TABLE).delete(returning=ReturnMethod.minimal)
            self._client.send(query.in_("id", chunk))

    def _entries(self, restrict: Callable[[Any], Any]) -> list[LedgerEntry]:
        def page(found: list[Row], size: int) -> Any:
            return page_by_id(restrict(self._client.table(_TABLE).select(*columns(LedgerEntry))), found, size)

        return [to_record(LedgerEntry, row) for row in self._client.read(page)]


def _among(column: str, values: Sequence[str], query: Any) -> Any:
    return query.in_(column, values)
