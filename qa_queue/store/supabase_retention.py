"""Rows as retention sees them, on Supabase."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from postgrest.types import CountMethod, ReturnMethod

from qa_queue.models import ArtifactKind
from qa_queue.store.client import Row, SupabaseClient, page_by_id
from qa_queue.store.mapping import IDS_PER_CALL, chunks, columns, to_record, uuids
from qa_queue.store.records import ArtifactRecord, RunRecord

_RUNS, _FILES = "test_runs", "test_artifacts"


class SupabaseRetention:
    """A `RetentionStore` on the client of a `SupabaseStore`."""

    def __init__(self, client: SupabaseClient) -> None:
        self._client = client

    def pin(self, run_ids: Sequence[str], *, pinned: bool) -> int:
        """Pin or unpin runs; return the number of those that exist."""
        changed = 0
        for chunk in chunks(uuids(run_ids), IDS_PER_CALL):
            query = self._client.table(_RUNS).update(
                {"pinned": pinned}, count=CountMethod.exact, returning=ReturnMethod.minimal
            )
            changed += self._client.send(query.in_("id", list(chunk))).count or 0
        return changed

    def runs(self, run_ids: Sequence[str]) -> list[RunRecord]:
        """Return those of these runs that exist, by id."""
        return [
            to_record(RunRecord, row)
            for chunk in chunks(uuids(run_ids), IDS_PER_CALL)
            for row in self._client.read(partial(self._page_of_runs, chunk))
        ]

    def files(
        self,
        kind: ArtifactKind,
        *,
        limit: int,
        before: datetime | None = None,
        after: ArtifactRecord | None = None,
    ) -> list[ArtifactRecord]:
        """Return files of a kind, the newest first."""

        def page(found: list[Row], size: int) -> Any:
            query = self._client.table(_FILES).select(*columns(ArtifactRecord)).eq("kind", kind.value)
            query = query if before is None else query.lt("created_at", before.isoformat())
            last = to_record(ArtifactRecord, found[-1]) if found else after
            if last is not None:
                moment = last.created_at.isoformat()
                query = query.lte("created_at", moment)  # implied by the next line, but an index can serve it
                query = query.or_(f'created_at.lt."{moment}",and(created_at.eq."{moment}",id.lt.{last.id})')
            return query.order("created_at", desc=True).order("id", desc=True).limit(size)

        return [to_record(ArtifactRecord, row) for row in self._client.read(page, limit)]

    def delete_files(self, artifact_ids: Sequence[str]) -> None:
        """Delete the rows of these files."""
        for chunk in chunks(uuids(artifact_ids), IDS_PER_CALL):
            query = self._client.table(_FILES).delete(returning=ReturnMethod.minimal)
            self._client.send(query.in_("id", list(chunk)))

    def _page_of_runs(self, ids: Sequence[str], found: list[Row], size: int) -> Any:
        query = self._client.table(_RUNS).select(*columns(RunRecord)).in_("id", list(ids))
        return page_by_id(query, found, size)
