"""The ledger of jobs: what was submitted, so that jobs that Redis has lost can be enqueued again."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from pydantic import Field

from qa_queue.models import Frozen, QueueName, RunStatus
from qa_queue.store.records import RunRecord

UNFINISHED = (RunStatus.QUEUED, RunStatus.RUNNING)


class LedgerEntry(Frozen):
    """A row of `job_ledger`: a job as it was submitted, at its `position` in its submission.

    `last_id` is the last job of the submission; the rows of runs are written in order, so the submission is
    complete once that one has a row. `claim` is the key of its idempotency claim. `instance` is the service
    (QA_INSTANCE) to which it was submitted. `ended_at` is set for jobs without a row in `test_runs` only.
    """

    id: str
    queue: str
    last_id: str
    position: int = Field(ge=0)
    spec: dict[str, Any]
    claim: str | None = None
    instance: str = ""
    submitted_at: datetime
    ended_at: datetime | None = None


class OpenRun(Frozen):
    """The columns of a run that has not ended which tell whether its job is missing."""

    id: str
    status: RunStatus
    fence: int = 0
    requeues: int = 0


class JobLedger(Protocol):
    """The ledger in a store; every method raises the errors of `RunStore`. Write entries with `RunStore.save`."""

    def open_runs(self) -> list[OpenRun]:
        """Return every run that is queued or running, by id."""

    def entries(self, job_ids: Sequence[str]) -> dict[str, LedgerEntry]:
        """Return the entries of these jobs, by id; those without an entry are left out."""

    def with_claims(self, keys: Sequence[str] | None = None) -> list[LedgerEntry]:
        """Return the entries with an idempotency claim, or with one of these claims, by id."""

    def open_jobs(self) -> list[LedgerEntry]:
        """Return the entries of other queues than that of runs that have no end, by id."""

    def oldest(self, before: datetime, limit: int) -> list[LedgerEntry]:
        """Return entries submitted before this time, the oldest first."""

    def remove(self, job_ids: Sequence[str]) -> None:
        """Delete the entries of these jobs."""


class MemoryLedger:
    """A `JobLedger` over the tables of a `MemoryStore`, under its lock."""

    def __init__(
        self, lock: threading.RLock, entries: dict[str, LedgerEntry], runs: Mapping[str, RunRecord]
    ) -> None:
        self._lock = lock
        self._entries = entries
        self._runs = runs

    def open_runs(self) -> list[OpenRun]:
        """Return every run that is queued or running, by id."""
        with self._lock:
            runs = sorted((run for run in self._runs.values() if not run.status.final), key=lambda run: run.id)
            return [OpenRun(**run.model_dump(include=set(OpenRun.model_fields))) for run in runs]

    def entries(self, job_ids: Sequence[str]) -> dict[str, LedgerEntry]:
        """Return the entries of these jobs, by id."""
        return {entry.id: entry for entry in self._sorted() if entry.id in set(job_ids)}

    def with_claims(self, keys: Sequence[str] | None = None) -> list[LedgerEntry]:
        """Return the entries with an idempotency claim, or with one of these claims, by id."""
        claimed = (entry for entry in self._sorted() if entry.claim is not None)
        return [entry for entry in claimed if keys is None or entry.claim in keys]

    def open_jobs(self) -> list[LedgerEntry]:
        """Return the entries of other queues than that of runs that have no end, by id."""
        return [one for one in self._sorted() if one.queue != QueueName.TEST_EXECUTION and one.ended_at is None]

    def oldest(self, before: datetime, limit: int) -> list[LedgerEntry]:
        """Return entries submitted before this time, the oldest first."""
        found = (entry for entry in self._sorted() if entry.submitted_at < before)
        return sorted(found, key=lambda entry: (entry.submitted_at, entry.id))[:limit]

    def remove(self, job_ids: Sequence[str]) -> None:
        """Delete the entries of these jobs."""
        with self._lock:
            for job_id in job_ids:
                self._entries.pop(job_id, None)

    def _sorted(self) -> list[LedgerEntry]:
        with self._lock:
            return sorted(self._entries.values(), key=lambda entry: entry.id)
