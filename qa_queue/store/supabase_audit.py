"""The audit log on Supabase."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from postgrest.types import ReturnMethod

from qa_queue.store.audit import LATEST, AuditFilter, AuditRecord
from qa_queue.store.client import Row, SupabaseClient, rows_after, with_text
from qa_queue.store.mapping import chunks, columns, to_record
from qa_queue.store.sanitize import sanitize

_TABLE = "audit_log"
_ROWS_PER_CALL = 500


class SupabaseAudit:
    """An `AuditStore` on the client of a `SupabaseStore`."""

    def __init__(self, client: SupabaseClient) -> None:
        self._client = client

    def add(self, rows: Sequence[AuditRecord]) -> None:
        """Insert rows; those that exist stay as they are."""
        for chunk in chunks(rows, _ROWS_PER_CALL):
            query = self._client.table(_TABLE).upsert(
                [sanitize(row.model_dump()) for row in chunk],
                on_conflict="id",
                ignore_duplicates=True,
                returning=ReturnMethod.minimal,
            )
            self._client.send(query)

    def list(self, wanted: AuditFilter = LATEST) -> list[AuditRecord]:
        """Return the rows of a page by time, the newest first."""
        if wanted.kinds is not None and not wanted.kinds:
            return []

        def page(found: list[Row], size: int) -> Any:
            query = _filtered(self._client.table(_TABLE).select(*columns(AuditRecord)), wanted)
            last = to_record(AuditRecord, found[-1]).place if found else wanted.after
            return rows_after(query, last, oldest_first=False, column="happened_at").limit(size)

        return [to_record(AuditRecord, row) for row in self._client.read(page, wanted.limit)]

    def expire(self, keep_days: int) -> int:
        """Delete rows older than this many days, at least 30; the database does it, and no more."""
        return len(self._client.send(self._client.function("expire_audit_log", {"keep_days": keep_days})).data)


def _filtered(query: Any, wanted: AuditFilter) -> Any:
    """Return a query with the conditions of a filter, without those of its page."""
    if wanted.actor is not None:
        query = with_text(query, "actor", sanitize(wanted.actor))
    if wanted.kinds is not None:
        query = query.in_("kind", [kind.value for kind in wanted.kinds])
    if wanted.since is not None:
        query = query.gte("happened_at", wanted.since.isoformat())
    if wanted.until is not None:
        query = query.lt("happened_at", wanted.until.isoformat())
    return query
