"""The audit log: a row for each change to the service."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal, Protocol

from qa_queue.models import Frozen, utc_now
from qa_queue.store.records import RunPlace

MIN_KEEP_DAYS = 30  # the database keeps rows for at least as long
AuditOutcome = Literal["done", "failed", "unknown"]


class AuditKind(StrEnum):
    """The kinds of changes, as `OBJECT.VERB`."""

    TOKEN_CREATE = "token.create"  # noqa: S105 - a kind
    TOKEN_REVOKE = "token.revoke"  # noqa: S105 - a kind
    LOGIN_LINK = "login.link"
    LOGIN_OPEN = "login.open"
    LOGIN_REFUSE = "login.refuse"
    LOGIN_CLOSE = "login.close"
    SCHEDULE_CREATE = "schedule.create"
    SCHEDULE_CHANGE = "schedule.change"
    SCHEDULE_DELETE = "schedule.delete"
    SCHEDULE_PAUSE = "schedule.pause"
    SCHEDULE_RESUME = "schedule.resume"
    SCHEDULE_RUN = "schedule.run"
    CASE_CREATE = "case.create"
    CASE_REPLACE = "case.replace"
    CASE_DELETE = "case.delete"
    ADAPTATION_ACCEPT = "adaptation.accept"
    ADAPTATION_REJECT = "adaptation.reject"
    DEAD_LETTER_REQUEUE = "dead_letter.requeue"
    DEAD_LETTER_DISCARD = "dead_letter.discard"
    QUEUE_PAUSE = "queue.pause"
    QUEUE_RESUME = "queue.resume"
    QUEUE_CLEAN = "queue.clean"
    JOB_SUBMIT = "job.submit"
    LIMIT_SET = "limit.set"
    LIMIT_REMOVE = "limit.remove"
    RUN_CANCEL = "run.cancel"
    RUN_PIN = "run.pin"
    RUN_UNPIN = "run.unpin"
    BATCH_CANCEL = "batch.cancel"
    FILE_LINK = "file.link"
    DASHBOARD = "dashboard.change"
    PACKAGE = "package.change"


class AuditRecord(Frozen):
    """A row of `audit_log`: one change.

    `actor` is the name of a token or login, or `cli:USER@HOST`. `outcome` is `failed` where a part of the service
    failed, so that the change may be made in part, and `unknown` where the process ended meanwhile. `before` and
    `after` have the state in short, without secrets.
    """

    id: str
    happened_at: datetime
    actor: str
    token_id: str | None = None
    address: str | None = None
    kind: AuditKind
    object: str
    outcome: AuditOutcome = "unknown"
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    error: str | None = None

    @property
    def place(self) -> RunPlace:
        """Its place in the log, for the next page."""
        return RunPlace(queued_at=self.happened_at, id=self.id)


@dataclass(frozen=True, kw_only=True)
class AuditFilter:
    """The rows of a page: by an actor, of any of these kinds, from `since` to before `until`, behind `after`."""

    actor: str | None = None
    kinds: Sequence[AuditKind] | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 50
    after: RunPlace | None = None

    def matches(self, row: AuditRecord) -> bool:
        """Return True for a row of this page or a later one."""
        return (
            (self.actor is None or row.actor == self.actor)
            and (self.kinds is None or row.kind in self.kinds)
            and (self.since is None or row.happened_at >= self.since)
            and (self.until is None or row.happened_at < self.until)
            and (self.after is None or (row.happened_at, row.id) < (self.after.queued_at, self.after.id))
        )


LATEST = AuditFilter()


class AuditStore(Protocol):
    """The audit log in a store; every method raises the errors of `RunStore`."""

    def add(self, rows: Sequence[AuditRecord]) -> None:
        """Insert rows; those that exist stay as they are."""

    def list(self, wanted: AuditFilter = LATEST) -> list[AuditRecord]:
        """Return the rows of a page by time, the newest first."""

    def expire(self, keep_days: int) -> int:
        """Delete rows older than this many days, at least 30; return their number."""


class MemoryAudit:
    """An `AuditStore` over a table of a `MemoryStore`, under its lock."""

    def __init__(self, lock: threading.RLock, rows: dict[str, AuditRecord]) -> None:
        self._lock = lock
        self._rows = rows

    def add(self, rows: Sequence[AuditRecord]) -> None:
        """Insert rows; those that exist stay as they are."""
        with self._lock:
            for row in rows:
                self._rows.setdefault(row.id, row)

    def list(self, wanted: AuditFilter = LATEST) -> list[AuditRecord]:
        """Return the rows of a page by time, the newest first."""
        with self._lock:
            rows = sorted(self._rows.values(), key=lambda row: (row.happened_at, row.id), reverse=True)
        return [row for row in rows if wanted.matches(row)][: max(0, wanted.limit)]

    def expire(self, keep_days: int) -> int:
        """Delete rows older than this many days, at least 30."""
        before = utc_now() - timedelta(days=max(keep_days, MIN_KEEP_DAYS))
        with self._lock:
            old = [row.id for row in self._rows.values() if row.happened_at < before]
            for row_id in old:
                del self._rows[row_id]
        return len(old)
