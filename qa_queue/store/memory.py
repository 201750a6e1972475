"""The store in memory: the twin of `SupabaseStore`, for tests and experiments. It keeps nothing on disk."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

from pydantic import ValidationError

from qa_queue.errors import RowRefusedError
from qa_queue.models import Frozen, RunStatus, utc_now
from qa_queue.store.audit import AuditRecord, MemoryAudit
from qa_queue.store.ledger import LedgerEntry, MemoryLedger
from qa_queue.store.mapping import TABLES, by_kind, ends_differently, is_outrun, run_changes, uuids
from qa_queue.store.memory_schedules import MemoryBatches, MemorySchedules
from qa_queue.store.protocol import Record
from qa_queue.store.records import (
    AdaptationRow,
    ArtifactRecord,
    CaseKnowledge,
    CaseRecord,
    FingerprintRecord,
    PatternRecord,
    RowCounts,
    RunPlace,
    RunRecord,
    StepRecord,
    VerdictRecord,
)
from qa_queue.store.retention import MemoryRetention
from qa_queue.store.sanitize import sanitize
from qa_queue.store.schedule_records import ScheduleRecord

F = TypeVar("F", bound=Frozen)
R = TypeVar("R", bound=Record)
_OF_CASE: tuple[type[Record], ...] = (PatternRecord, FingerprintRecord, VerdictRecord)
_PARENTS: dict[str, type[Record]] = {"test_case_id": CaseRecord, "test_run_id": RunRecord}


class MemoryStore:
    """A `RunStore` that keeps its rows in dictionaries. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._tables: dict[type[Frozen], dict[str, Any]] = {kind: {} for kind in TABLES}
        self.ledger = MemoryLedger(self._lock, self._tables[LedgerEntry], self._tables[RunRecord])
        self.batches = MemoryBatches(self._lock, self._tables[RunRecord])
        self.schedules = MemorySchedules(self._lock, self._tables[ScheduleRecord], self._tables[RunRecord])
        self.retention = MemoryRetention(self._lock, self._tables[RunRecord], self._tables[ArtifactRecord])
        self.audit = MemoryAudit(self._lock, self._tables[AuditRecord])

    def check(self) -> None:
        """Return; memory is always available."""

    def save_cases(self, cases: Sequence[CaseRecord]) -> list[CaseRecord]:
        """Insert or update cases by id; another content hash is another version."""
        with self._lock:
            table = self._table(CaseRecord)
            for case in {case.id: _sanitized(case) for case in cases}.values():
                table[case.id] = _next_version(table.get(case.id), case)
            return [table[case.id] for case in cases]

    def save_learned(self, case_id: str, *, reliability_score: float, flake_rate: float, runs_learned: int) -> None:
        """Set the learned values of a case."""
        self._change(
            CaseRecord,
            case_id,
            {"reliability_score": reliability_score, "flake_rate": flake_rate, "runs_learned": runs_learned},
        )

    def save(self, records: Iterable[Record]) -> None:
        """Upsert records of any kinds, parents before children; either all of a kind or none."""
        with self._lock:
            for kind, group in by_kind(records):
                if kind is CaseRecord:
                    self.save_cases([case for case in group if isinstance(case, CaseRecord)])
                    continue
                for record in group:
                    self._refuse_orphan(record)
                self._tables[kind].update({record.id: self._next(_sanitized(record)) for record in group})

    def update_run(self, run_id: str, **fields: Any) -> None:
        """Change these columns of a run; one that has ended keeps its status."""
        with self._lock:
            changes, old = run_changes(fields), self.get_run(run_id)
            if old and not ends_differently(old, changes) and not is_outrun(old, changes):
                requeued = {"fence": 0} if changes.get("requeues", 0) > old.requeues else {}
                self._change(RunRecord, run_id, changes | requeued)

    def get_case(self, case_id: str) -> CaseRecord | None:
        """Return the case, or None."""
        return next(self._of(CaseRecord, "id", [case_id]), None)

    def list_cases(self) -> list[CaseRecord]:
        """Return every case, by name."""
        with self._lock:
            return sorted(self._table(CaseRecord).values(), key=lambda case: (case.name, case.id))

    def delete_cases(self, case_ids: Sequence[str]) -> int:
        """Delete cases with all their rows."""
        with self._lock:
            gone = set(uuids(case_ids)) & self._table(CaseRecord).keys()
            self.delete_runs([run.id for run in self._table(RunRecord).values() if run.test_case_id in gone])
            for kind in _OF_CASE:
                for row in list(self._of(kind, "test_case_id", list(gone))):
                    del self._tables[kind][row.id]
            for case_id in gone:
                del self._table(CaseRecord)[case_id]
            return len(gone)

    def get_run(self, run_id: str) -> RunRecord | None:
        """Return the run, or None."""
        return next(self._of(RunRecord, "id", [run_id]), None)

    def list_runs(
        self,
        *,
        case_ids: Sequence[str] | None = None,
        batch_id: str | None = None,
        statuses: Sequence[RunStatus] | None = None,
        user_id: str | None = None,
        queued_since: datetime | None = None,
        finished_before: datetime | None = None,
        limit: int = 50,
        oldest_first: bool = False,
        after: RunRecord | RunPlace | None = None,
    ) -> list[RunRecord]:
        """Return runs by `queued_at`, newest first by default, starting after the run `after`."""
        with self._lock:
            runs = sorted(self._table(RunRecord).values(), key=_place, reverse=not oldest_first)
        found = [
            run
            for run in runs
            if (case_ids is None or run.test_case_id in case_ids)
            and (batch_id is None or run.batch_id == batch_id)
            and (statuses is None or run.status in statuses)
            and (user_id is None or run.user_id == user_id)
            and (queued_since is None or run.queued_at >= queued_since)
            and (finished_before is None or (run.finished_at is not None and run.finished_at < finished_before))
            and (after is None or _comes_after(run, after, oldest_first=oldest_first))
        ]
        return found[: max(0, limit)]

    def count_runs(self) -> dict[RunStatus, int]:
        """Return the number of runs of every status."""
        with self._lock:
            found = Counter(run.status for run in self._table(RunRecord).values())
        return {status: found[status] for status in RunStatus}

    def existing_runs(self, run_ids: Sequence[str], *, begun: bool = False) -> set[str]:
        """Return those of these ids that belong to runs; with `begun`, to runs that a worker has begun or ended."""
        with self._lock:
            found = (run for run in self._of(RunRecord, "id", run_ids))
            return {run.id for run in found if not begun or run.status is not RunStatus.QUEUED or run.fence}

    def find_run_ids(self, prefix: str, limit: int = 2) -> list[str]:
        """Return the ids of at most `limit` runs that begin with this text, in order."""
        with self._lock:
            return sorted(run_id for run_id in self._table(RunRecord) if run_id.startswith(prefix.lower()))[:limit]

    def count_rows(self, run_ids: Sequence[str]) -> RowCounts:
        """Return the number of rows of these runs."""
        return RowCounts(
            runs=len(self.existing_runs(run_ids)),
            steps=len(self.list_steps(run_ids)),
            artifacts=len(self.list_artifacts(run_ids)),
            adaptations=len(self.list_adaptations(run_ids)),
        )

    def list_steps(self, run_ids: Sequence[str]) -> list[StepRecord]:
        """Return the steps of these runs, by run, attempt and number."""
        found = self._of(StepRecord, "test_run_id", run_ids)
        return sorted(found, key=lambda row: (row.test_run_id, row.attempt, row.number))

    def list_artifacts(self, run_ids: Sequence[str]) -> list[ArtifactRecord]:
        """Return the artifacts of these runs, by run, attempt and name."""
        found = self._of(ArtifactRecord, "test_run_id", run_ids)
        return sorted(found, key=lambda row: (row.test_run_id, row.attempt, row.name))

    def list_adaptations(self, run_ids: Sequence[str]) -> list[AdaptationRow]:
        """Return the adaptations of these runs, by run, attempt and step."""
        found = self._of(AdaptationRow, "test_run_id", run_ids)
        return sorted(found, key=lambda row: (row.test_run_id, row.attempt, row.step_number))

    def get_adaptation(self, adaptation_id: str) -> AdaptationRow | None:
        """Return the adaptation, or None."""
        return next(self._of(AdaptationRow, "id", [adaptation_id]), None)

    def find_adaptations(
        self,
        *,
        case_ids: Sequence[str] | None = None,
        run_id: str | None = None,
        statuses: Sequence[str] | None = None,
        limit: int = 50,
    ) -> list[AdaptationRow]:
        """Return adaptations of any runs, newest first."""
        with self._lock:
            rows = sorted(
                self._table(AdaptationRow).values(), key=lambda row: (row.created_at, row.id), reverse=True
            )
        found = [
            row
            for row in rows
            if (case_ids is None or row.test_case_id in case_ids)
            and (run_id is None or row.test_run_id == run_id)
            and (statuses is None or row.status in statuses)
        ]
        return found[: max(0, limit)]

    def knowledge(self, case_id: str) -> CaseKnowledge:
        """Return the knowledge of a case's elements."""
        return CaseKnowledge(
            fingerprints=tuple(sorted(self._of(FingerprintRecord, "test_case_id", [case_id]), key=_by_key)),
            patterns=tuple(self.list_patterns(case_id)),
            verdicts=tuple(sorted(self._of(VerdictRecord, "test_case_id", [case_id]), key=_by_key)),
        )

    def knowledge_of_steps(self, step_keys: Sequence[str]) -> CaseKnowledge:
        """Return the knowledge of these steps in every case."""

        def of(kind: type[R]) -> list[R]:
            return [row for row in self._table(kind).values() if getattr(row, "step_key", None) in step_keys]

        with self._lock:
            return CaseKnowledge(
                fingerprints=tuple(sorted(of(FingerprintRecord), key=_by_key)),
                patterns=tuple(sorted(of(PatternRecord), key=_by_confidence)),
                verdicts=tuple(sorted(of(VerdictRecord), key=_by_key)),
            )

    def list_patterns(self, case_id: str) -> list[PatternRecord]:
        """Return the locators known for a case, by step key and falling confidence."""
        found = self._of(PatternRecord, "test_case_id", [case_id])
        return sorted(found, key=_by_confidence)

    def delete_patterns(self, pattern_ids: Sequence[str]) -> None:
        """Delete these locators."""
        with self._lock:
            for pattern_id in uuids(pattern_ids):
                self._table(PatternRecord).pop(pattern_id, None)

    def delete_runs(self, run_ids: Sequence[str]) -> int:
        """Delete runs with all their rows."""
        with self._lock:
            gone = self.existing_runs(run_ids)
            self.ledger.remove(sorted(gone))
            for kind, table in self._tables.items():
                for row_id in [row.id for row in table.values() if kind is RunRecord and row.id in gone]:
                    del table[row_id]
                for row_id in [row.id for row in table.values() if getattr(row, "test_run_id", None) in gone]:
                    del table[row_id]
            return len(gone)

    def _table(self, kind: type[R]) -> dict[str, R]:
        return self._tables[kind]

    def _of(self, kind: type[R], column: str, ids: Sequence[str]) -> Iterator[R]:
        wanted = set(uuids(ids))
        with self._lock:
            return iter([row for row in self._table(kind).values() if getattr(row, column) in wanted])

    def _refuse_orphan(self, record: Record) -> None:
        for column, kind in _PARENTS.items():
            parent = getattr(record, column, None)
            if parent is not None and parent not in self._tables[kind]:
                raise RowRefusedError(
                    f"{TABLES[type(record)]} refused {record.id}: its {column} {parent} is not in {TABLES[kind]}."
                )

    def _next(self, record: Record) -> Record:
        """Return the row after an upsert of this record."""
        if isinstance(record, RunRecord):
            old = self.get_run(record.id)
            row = record.model_dump()
            if old and (ends_differently(old, row) or is_outrun(old, row)):
                return old
            requeues = max(old.requeues if old else 0, record.requeues)
            return record.model_copy(update={"requeues": requeues, "pinned": old is not None and old.pinned})
        return record

    def _change(self, kind: type[R], row_id: str, changes: dict[str, Any]) -> None:
        with self._lock:
            row = next(self._of(kind, "id", [row_id]), None)
            if row is None:
                return
            try:
                self._tables[kind][row.id] = kind.model_validate(row.model_dump() | changes)
            except ValidationError as error:
                first = error.errors()[0]
                raise RowRefusedError(f"{TABLES[kind]} refused {first['loc'][0]}: {first['msg']}.") from None


def _sanitized(record: F) -> F:
    return type(record).model_validate(sanitize(record.model_dump()))


def _by_confidence(row: PatternRecord) -> tuple[str, float, str]:
    return row.step_key, -row.confidence, row.id


def _by_key(row: FingerprintRecord | VerdictRecord) -> tuple[str, str]:
    return row.step_key, row.id


def _place(run: RunRecord | RunPlace) -> tuple[datetime, str]:
    return run.queued_at, run.id


def _comes_after(run: RunRecord, last: RunRecord | RunPlace, *, oldest_first: bool) -> bool:
    return _place(run) > _place(last) if oldest_first else _place(run) < _place(last)


def _next_version(old: CaseRecord | None, new: CaseRecord) -> CaseRecord:
    """Return the row after an upsert: the old one if the content is the same, else the next version."""
    now = utc_now()
    if old is None:
        fresh = {"version": 1, "reliability_score": None, "flake_rate": None, "runs_learned": 0}
        return new.model_copy(update=fresh | {"created_at": now, "updated_at": now})
    if new.content_hash == old.content_hash:
        return old.model_copy(update={"step_lines": new.step_lines})
    kept = old.model_dump(include={"reliability_score", "flake_rate", "runs_learned", "created_at"})
    return new.model_copy(update=kept | {"version": old.version + 1, "updated_at": now})
