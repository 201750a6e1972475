"""The store on Supabase, hosted or embedded; only the URL and the key differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from postgrest.types import CountMethod, ReturnMethod

from qa_queue.models import RunStatus
from qa_queue.settings import Settings
from qa_queue.store.client import Row, SupabaseClient, page_by_id, project_of, rows_after, runs_between, runs_with
from qa_queue.store.mapping import (
    IDS_PER_CALL,
    TABLES,
    by_kind,
    chunks,
    columns,
    run_changes,
    to_record,
    to_row,
    uuid_bounds,
    uuids,
)
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
from qa_queue.store.supabase_audit import SupabaseAudit
from qa_queue.store.supabase_ledger import SupabaseLedger
from qa_queue.store.supabase_retention import SupabaseRetention
from qa_queue.store.supabase_schedules import SupabaseBatches, SupabaseSchedules
from qa_queue.store.supabase_schema import check_schema, embedded

ROWS_PER_CALL = 500

R = TypeVar("R", bound=Record)
Restrict = Callable[[Any], Any]  # of a query


class SupabaseStore:
    """A `RunStore` on supabase-py. Safe to use from several threads; `close` when done.

    Raises:
        SettingsError: the URL or the key is impossible.
    """

    def __init__(self, url: str, key: str) -> None:
        self._client = SupabaseClient(url, key)
        self.ledger = SupabaseLedger(self._client)
        self.batches = SupabaseBatches(self._client)
        self.schedules = SupabaseSchedules(self._client)
        self.retention = SupabaseRetention(self._client)
        self.audit = SupabaseAudit(self._client)

    @classmethod
    def from_settings(cls, settings: Settings) -> SupabaseStore:
        """Return the store that the settings name.

        Raises:
            SettingsError: SUPABASE_URL or the key is not set, or impossible.
        """
        return cls(*project_of(settings))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def check(self) -> None:
        """Return if the database answers, the key is accepted and every table has its columns."""
        check_schema(self._client)

    def save_cases(self, cases: Sequence[CaseRecord]) -> list[CaseRecord]:
        """Insert or update cases; a trigger of the table counts the versions, so writers cannot collide."""
        # Always in the same order, so that two writers of the same cases cannot deadlock.
        rows = sorted(
            (to_row(case) for case in {case.id: case for case in cases}.values()), key=lambda row: row["id"]
        )
        stored: dict[str, CaseRecord] = {}
        for chunk in chunks(rows, ROWS_PER_CALL):
            query = self._client.table("test_cases").upsert(list(chunk), on_conflict="id")
            rows = self._client.send(query.select(*columns(CaseRecord))).data
            stored |= {row["id"]: to_record(CaseRecord, row) for row in rows}
        return [stored[case.id] for case in cases]

    def save_learned(self, case_id: str, *, reliability_score: float, flake_rate: float, runs_learned: int) -> None:
        """Set the learned values of a case."""
        self._update(
            "test_cases",
            case_id,
            {"reliability_score": reliability_score, "flake_rate": flake_rate, "runs_learned": runs_learned},
        )

    def save(self, records: Iterable[Record]) -> None:
        """Upsert records of any kinds, parents before children, in a call for each kind and 500 rows."""
        for kind, group in by_kind(records):
            for chunk in chunks(group, ROWS_PER_CALL):
                self._upsert(TABLES[kind], [to_row(record) for record in chunk])

    def update_run(self, run_id: str, **fields: Any) -> None:
        """Change these columns of a run; a trigger of the table keeps the status of a run that has ended."""
        self._update("test_runs", run_id, run_changes(fields))

    def get_case(self, case_id: str) -> CaseRecord | None:
        """Return the case, or None."""
        return self._one(CaseRecord, case_id)

    def list_cases(self) -> list[CaseRecord]:
        """Return every case, by name."""
        return sorted(self._all(CaseRecord), key=lambda case: (case.name, case.id))

    def delete_cases(self, case_ids: Sequence[str]) -> int:
        """Delete cases; the tables' cascades delete their runs and patterns."""
        return self._delete("test_cases", case_ids)

    def get_run(self, run_id: str) -> RunRecord | None:
        """Return the run, or None."""
        return self._one(RunRecord, run_id)

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
        cases = None if case_ids is None else uuids(case_ids)
        batches = None if batch_id is None else uuids([batch_id])
        if any(given is not None and not given for given in (statuses, cases, batches)):
            return []

        def page(found: list[Row], size: int) -> Any:
            counted = CountMethod.exact if batch_id is not None and not found else None  # a batch is short
            query = self._client.table("test_runs").select(*columns(RunRecord), count=counted)
            query = runs_with(query, cases=cases, statuses=statuses, user_id=user_id)
            query = query if batch_id is None else query.eq("batch_id", batch_id)
            query = runs_between(query, queued_since=queued_since, finished_before=finished_before)
            last = to_record(RunRecord, found[-1]) if found else after
            return rows_after(query, last, oldest_first=oldest_first).limit(size)

        return [to_record(RunRecord, row) for row in self._client.read(page, limit)]

    def count_runs(self) -> dict[RunStatus, int]:
        """Return the number of runs of every status, in a call for each."""
        return {status: self._count_status(status) for status in RunStatus}

    def existing_runs(self, run_ids: Sequence[str], *, begun: bool = False) -> set[str]:
        """Return those of these ids that belong to runs; with `begun`, to runs that a worker has begun or ended."""
        found: set[str] = set()
        for chunk in chunks(uuids(run_ids), IDS_PER_CALL):
            restrict = partial(_restrict_begun if begun else partial(_restrict, "id"), chunk)
            rows = self._client.read(partial(self._page, "test_runs", ("id",), restrict))
            found |= {row["id"] for row in rows}
        return found

    def find_run_ids(self, prefix: str, limit: int = 2) -> list[str]:
        """Return the ids of at most `limit` runs that begin with this text, in order."""
        if (bounds := uuid_bounds(prefix)) is None:
            return []

        def page(found: list[Row], size: int) -> Any:
            first = found[-1]["id"] if found else bounds[0]
            query = self._client.table("test_runs").select("id").lte("id", bounds[1]).order("id").limit(size)
            return query.gt("id", first) if found else query.gte("id", first)

        return [row["id"] for row in self._client.read(page, limit)]

    def count_rows(self, run_ids: Sequence[str]) -> RowCounts:
        """Return the number of rows of these runs."""
        return RowCounts(
            runs=self._count("test_runs", "id", run_ids),
            steps=self._count("test_steps", "test_run_id", run_ids),
            artifacts=self._count("test_artifacts", "test_run_id", run_ids),
            adaptations=self._count("adaptations", "test_run_id", run_ids),
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
        return self._one(AdaptationRow, adaptation_id)

    def find_adaptations(
        self,
        *,
        case_ids: Sequence[str] | None = None,
        run_id: str | None = None,
        statuses: Sequence[str] | None = None,
        limit: int = 50,
    ) -> list[AdaptationRow]:
        """Return adaptations of any runs, newest first."""
        wanted = {"test_case_id": case_ids, "test_run_id": None if run_id is None else [run_id]}
        parents = {column: uuids(ids) for column, ids in wanted.items() if ids is not None}
        if not all(parents.values()):
            return []

        def page(found: list[Row], size: int) -> Any:
            query = self._client.table("adaptations").select(*columns(AdaptationRow))
            for column, ids in parents.items():
                query = query.in_(column, ids)
            query = query if statuses is None else query.in_("status", list(statuses))
            query = query.order("created_at", desc=True).order("id", desc=True)
            return query.range(len(found), len(found) + size - 1)

        return [to_record(AdaptationRow, row) for row in self._client.read(page, limit)]

    def knowledge(self, case_id: str) -> CaseKnowledge:
        """Return the knowledge of a case's elements in one call, as rows nested in the case's."""
        kinds = (FingerprintRecord, PatternRecord, VerdictRecord)
        if not uuids([case_id]):
            return CaseKnowledge()
        nested = map(embedded, kinds)
        answer = self._client.send(self._client.table("test_cases").select("id", *nested).eq("id", case_id))
        rows = answer.data[0] if answer.data else {}
        return _knowledge({kind: [to_record(kind, row) for row in rows.get(TABLES[kind]) or ()] for kind in kinds})

    def knowledge_of_steps(self, step_keys: Sequence[str]) -> CaseKnowledge:
        """Return the knowledge of these steps in every case."""
        found: dict[type[Any], list[Any]] = {FingerprintRecord: [], PatternRecord: [], VerdictRecord: []}
        for chunk in chunks(step_keys, IDS_PER_CALL):
            for kind in found:
                found[kind] += self._all(kind, partial(_restrict, "step_key", chunk))
        return _knowledge(found)

    def list_patterns(self, case_id: str) -> list[PatternRecord]:
        """Return the locators known for a case, by step key and falling confidence."""
        found = self._of(PatternRecord, "test_case_id", [case_id])
        return sorted(found, key=_by_confidence)

    def delete_patterns(self, pattern_ids: Sequence[str]) -> None:
        """Delete these locators."""
        for chunk in chunks(uuids(pattern_ids), IDS_PER_CALL):
            query = self._client.table("locator_patterns").delete(returning=ReturnMethod.minimal)
            self._client.send(query.in_("id", chunk))

    def delete_runs(self, run_ids: Sequence[str]) -> int:
        """Delete runs; the tables' cascades delete their other rows."""
        return self._delete("test_runs", run_ids)

    def _delete(self, table: str, ids: Sequence[str]) -> int:
        deleted = 0
        for chunk in chunks(uuids(ids), IDS_PER_CALL):
            query = self._client.table(table).delete(count=CountMethod.exact, returning=ReturnMethod.minimal)
            deleted += self._client.send(query.in_("id", chunk)).count or 0
        return deleted

    def _count_status(self, status: RunStatus) -> int:
        query = self._client.table("test_runs").select("id", count=CountMethod.exact, head=True)
        return self._client.send(query.eq("status", status.value)).count or 0

    def _upsert(self, table: str, rows: list[dict[str, Any]]) -> None:
        query = self._client.table(table).upsert(rows, on_conflict="id", returning=ReturnMethod.minimal)
        self._client.send(query)

    def _update(self, table: str, row_id: str, changes: dict[str, Any]) -> None:
        if changes and uuids([row_id]):
            query = self._client.table(table).update(changes, returning=ReturnMethod.minimal)
            self._client.send(query.eq("id", row_id))

    def _count(self, table: str, column: str, ids: Sequence[str]) -> int:
        total = 0
        for chunk in chunks(uuids(ids), IDS_PER_CALL):
            query = self._client.table(table).select("id", count=CountMethod.exact, head=True)
            total += self._client.send(query.in_(column, chunk)).count or 0
        return total

    def _one(self, kind: type[R], row_id: str) -> R | None:
        return next(iter(self._of(kind, "id", [row_id])), None)

    def _of(self, kind: type[R], column: str, ids: Sequence[str]) -> list[R]:
        """Return the rows whose `column` is one of the ids."""
        found: list[R] = []
        for chunk in chunks(uuids(ids), IDS_PER_CALL):
            found += self._all(kind, partial(_restrict, column, chunk), len(chunk) if column == "id" else None)
        return found

    def _all(self, kind: type[R], restrict: Restrict = lambda query: query, limit: int | None = None) -> list[R]:
        """Return every row that the query restricts to, in pages by id, so that no row is read twice."""
        rows = self._client.read(partial(self._page, TABLES[kind], columns(kind), restrict), limit)
        return [to_record(kind, row) for row in rows]

    def _page(self, table: str, names: Sequence[str], restrict: Restrict, found: list[Row], size: int) -> Any:
        """Return the query of a page; the first one counts the rows, which saves asking for another."""
        counted = None if found else CountMethod.exact
        return page_by_id(restrict(self._client.table(table).select(*names, count=counted)), found, size)


def _restrict(column: str, ids: Sequence[str], query: Any) -> Any:
    return query.in_(column, ids)


def _restrict_begun(ids: Sequence[str], query: Any) -> Any:
    return query.in_("id", ids).or_(f"status.neq.{RunStatus.QUEUED.value},fence.gt.0")


def _knowledge(found: Mapping[type[Any], Sequence[Any]]) -> CaseKnowledge:
    return CaseKnowledge(
        fingerprints=tuple(sorted(found[FingerprintRecord], key=lambda row: (row.step_key, row.id))),
        patterns=tuple(sorted(found[PatternRecord], key=_by_confidence)),
        verdicts=tuple(sorted(found[VerdictRecord], key=lambda row: (row.step_key, row.id))),
    )


def _by_confidence(row: Any) -> tuple[str, float, str]:
    return row.step_key, -row.confidence, row.id
