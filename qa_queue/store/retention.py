"""Rows as retention sees them: pinned runs, and the files of each kind by age."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from qa_queue.models import ArtifactKind
from qa_queue.store.records import ArtifactRecord, RunRecord


class RetentionStore(Protocol):
    """Retention in a store; every method raises the errors of `RunStore`."""

    def pin(self, run_ids: Sequence[str], *, pinned: bool) -> int:
        """Pin runs, so that no cleanup deletes them, or unpin them; return the number of those that exist."""

    def runs(self, run_ids: Sequence[str]) -> list[RunRecord]:
        """Return those of these runs that exist, by id."""

    def files(
        self,
        kind: ArtifactKind,
        *,
        limit: int,
        before: datetime | None = None,
        after: ArtifactRecord | None = None,
    ) -> list[ArtifactRecord]:
        """Return at most `limit` files of a kind created before a time, newest first, starting after `after`."""

    def delete_files(self, artifact_ids: Sequence[str]) -> None:
        """Delete the rows of these files."""


class MemoryRetention:
    """A `RetentionStore` over the tables of a `MemoryStore`, under its lock."""

    def __init__(self, lock: threading.RLock, runs: dict[str, RunRecord], files: dict[str, ArtifactRecord]) -> None:
        self._lock = lock
        self._runs = runs
        self._files = files

    def pin(self, run_ids: Sequence[str], *, pinned: bool) -> int:
        """Pin or unpin runs; return the number of those that exist."""
        with self._lock:
            found = self.runs(run_ids)
            self._runs |= {run.id: run.model_copy(update={"pinned": pinned}) for run in found}
            return len(found)

    def runs(self, run_ids: Sequence[str]) -> list[RunRecord]:
        """Return those of these runs that exist, by id."""
        with self._lock:
            return [self._runs[run_id] for run_id in sorted(self._runs.keys() & set(run_ids))]

    def files(
        self,
        kind: ArtifactKind,
        *,
        limit: int,
        before: datetime | None = None,
        after: ArtifactRecord | None = None,
    ) -> list[ArtifactRecord]:
        """Return files of a kind, the newest first."""
        with self._lock:
            found = sorted((file for file in self._files.values() if file.kind is kind), key=_place, reverse=True)
        return [
            file
            for file in found
            if (before is None or file.created_at < before) and (after is None or _place(file) < _place(after))
        ][:limit]

    def delete_files(self, artifact_ids: Sequence[str]) -> None:
        """Delete the rows of these files."""
        with self._lock:
            for artifact_id in artifact_ids:
                self._files.pop(artifact_id, None)


def _place(file: ArtifactRecord) -> tuple[datetime, str]:
    return file.created_at, file.id
