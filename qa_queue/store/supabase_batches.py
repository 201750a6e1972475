"""Batches on Supabase."""

from __future__ import annotations

from qa_queue.store.batch_records import BatchRecord
from qa_queue.store.connection import Connection, behind
from qa_queue.store.mapping import columns, to_record
from qa_queue.store.records import RunPlace

_VIEW = "test_batches"


class SupabaseBatches:
    """A `BatchStore` on the connection of a `SupabaseStore`."""

    def __init__(self, line: Connection) -> None:
        self._line = line

    def newest(self, *, limit: int = 50, after: RunPlace | None = None) -> list[BatchRecord]:
        """Batches by the moment their first run was queued, the newest first, from behind `after`."""
        query = self._line.table(_VIEW).select(*columns(BatchRecord))
        query = behind(query, after, oldest_first=False).limit(limit)
        return [to_record(BatchRecord, row) for row in self._line.send(query).data]
