"""Records as rows: tables, columns, order, and values that Postgres can keep. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from pydantic import ValidationError

from qa_queue.errors import StoreError, StoreSchemaError
from qa_queue.models import Frozen, RunStatus
from qa_queue.store.audit import AuditRecord
from qa_queue.store.ledger import LedgerEntry
from qa_queue.store.protocol import Record
from qa_queue.store.records import (
    AdaptationRow,
    ArtifactRecord,
    CaseRecord,
    FingerprintRecord,
    PatternRecord,
    RunRecord,
    StepRecord,
    VerdictRecord,
)
from qa_queue.store.sanitize import sanitize
from qa_queue.store.schedule_records import ScheduleRecord

IDS_PER_CALL = 100  # a UUID takes 37 characters of the URL, and some servers allow 8 KB
TABLES: dict[type[Frozen], str] = {  # parents before children: the order in which they are written
    CaseRecord: "test_cases",
    LedgerEntry: "job_ledger",
    RunRecord: "test_runs",
    StepRecord: "test_steps",
    ArtifactRecord: "test_artifacts",
    AdaptationRow: "adaptations",
    PatternRecord: "locator_patterns",
    FingerprintRecord: "fingerprints",
    VerdictRecord: "locator_verdicts",
    ScheduleRecord: "schedules",
    AuditRecord: "audit_log",
}
CASE_COLUMNS = (
    "id",
    "key",
    "name",
    "source",
    "definition",
    "step_lines",
    "content_hash",
    "tags",
)  # the store sets the others
_KEPT_BY_RUNS = {"pinned"}  # columns that an upsert of a run does not change
REVIVABLE = (RunStatus.DEAD, RunStatus.FAILED, RunStatus.TIMED_OUT)  # the statuses of runs in the dead letters
_ORDER = {kind: place for place, kind in enumerate(TABLES)}

R = TypeVar("R", bound=Frozen)
T = TypeVar("T")


def columns(kind: type[Frozen]) -> tuple[str, ...]:
    """Return the columns of a kind's table, which are the fields of its record."""
    return tuple(kind.model_fields)


def parents_first(records: Iterable[Record]) -> list[Record]:
    """Return the records in an order that foreign keys allow; those of one kind keep their order."""
    return sorted(records, key=lambda record: _ORDER[type(record)])


def by_kind(records: Iterable[Record]) -> list[tuple[type[Record], list[Record]]]:
    """Return the records by kind, parents first; of two with the same id the last one counts."""
    kinds: dict[type[Record], dict[str, Record]] = {}
    for record in parents_first(records):
        kinds.setdefault(type(record), {})[record.id] = record
    return [(kind, list(found.values())) for kind, found in kinds.items()]


def run_of(record: Record) -> str | None:
    """Return the id of the run that a record belongs to; None for cases and patterns."""
    if isinstance(record, RunRecord):
        return record.id
    return getattr(record, "test_run_id", None)


def to_row(record: Record) -> dict[str, Any]:
    """Return the row of a record, as JSON."""
    kept = _KEPT_BY_RUNS if isinstance(record, RunRecord) else None
    row: dict[str, Any] = sanitize(record.model_dump(exclude=kept))
    return {name: row[name] for name in CASE_COLUMNS} if isinstance(record, CaseRecord) else row


def to_record(kind: type[R], row: dict[str, Any]) -> R:
    """Return the record of a row.

    Raises:
        StoreSchemaError: the row does not match the record, which can happen if a newer qa-queue wrote it.
    """
    try:
        return kind.model_validate(
            {name: _moment(value) if name.endswith("_at") else value for name, value in row.items()}
        )
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        table = TABLES.get(kind, kind.__name__)
        raise StoreSchemaError(
            f"the row {row.get('id')} of {table} cannot be read: {where}: {first['msg']}. "
            "Was it written by another version of qa-queue? Update qa-queue, then run `qa-queue migrate`."
        ) from None


def _moment(value: Any) -> Any:
    """Parse a time as Postgres writes it (`2026-01-08 13:30:04.5+00`) or as PostgREST does (ISO 8601)."""
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return value  # not a time: the record's validation reports it


def run_changes(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the changes of a run's row as JSON.

    Raises:
        StoreError: a field is not a column of `test_runs`.
    """
    unknown = sorted(fields.keys() - RunRecord.model_fields.keys() | fields.keys() & {"id"})
    if unknown:
        raise StoreError(
            f"test_runs has no column {unknown[0]!r} that can be changed: its columns are {columns(RunRecord)}."
        )
    changes: dict[str, Any] = sanitize(fields)
    return changes


def uuid_bounds(prefix: str) -> tuple[str, str] | None:
    """Return the smallest and the largest UUID that begin with this text; None if none does."""
    pattern = "00000000-0000-0000-0000-000000000000"
    low = f"{prefix.lower()}{pattern[len(prefix) :]}"
    high = f"{prefix.lower()}{pattern[len(prefix) :].replace('0', 'f')}"
    return (low, high) if uuids([low]) == [low] else None


def uuids(ids: Iterable[str]) -> list[str]:
    """Return those of these ids that are UUIDs, each once, sorted, in the form that the database returns."""
    return sorted({text for text in map(_uuid, ids) if text})


def _uuid(text: str) -> str | None:
    try:
        return str(UUID(text))
    except ValueError:
        return None


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Return the items in slices of at most `size`."""
    return (items[start : start + size] for start in range(0, len(items), size))


def is_outrun(old: RunRecord, changes: Mapping[str, Any]) -> bool:
    """Return whether these changes of the run `old` come from an execution that a later one has replaced."""
    fence: int = changes.get("fence", 0)
    return 0 < fence < old.fence


def ends_differently(old: RunRecord, changes: Mapping[str, Any]) -> bool:
    """Return whether the run `old` has ended and these changes would undo that other than by its next requeue."""
    status = changes.get("status")
    if not old.status.final or status is None or RunStatus(status) is old.status:
        return False
    next_requeue = changes.get("requeues") == old.requeues + 1 and RunStatus(status) is RunStatus.QUEUED
    return not (next_requeue and old.status in REVIVABLE)
