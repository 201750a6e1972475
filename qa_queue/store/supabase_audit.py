"""The audit log on Supabase."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from postgrest.types import ReturnMethod

from qa_queue.store.audit import AuditKind, AuditRecord
from qa_queue.store.client import Row, SupabaseClient, rows_after
from qa_queue.store.mapping import chunks, columns, sanitize, to_record
from qa_queue.store.records import RunPlace

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

    def list(
        self,
        *,
        actor: str | None = None,
        kinds: Sequence[AuditKind] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
        after: RunPlace | None = None,
    ) -> list[AuditRecord]:
        """Return rows by time, the newest first, starting after `after`."""
        if kinds is not None and not kinds:
            return []

        def page(found: list[Row], size: int) -> Any:
            query = self._client.table(_TABLE).select(*columns(AuditRecord))
            query = query if actor is None else query.eq("actor", sanitize(actor))
            query = query if kinds is None else query.in_("kind", [kind.value for kind in kinds])
            query = query if since is None else query.gte("happened_at", since.isoformat())
            query = query if until is None else query.lt("happened_at", until.isoformat())
            last = to_record(AuditRecord, found[-1]).place if found else after
            return rows_after(query, last, oldest_first=False, column="happened_at").limit(size)

        return [to_record(AuditRecord, row) for row in self._client.read(page, limit)]

    def expire(self, keep_days: int) -> int:
        """Delete rows older than this many days, at least 30; the database does it, and no more."""
        return len(self._client.send(self._client.function("expire_audit_log", {"keep_days": keep_days})).data)
