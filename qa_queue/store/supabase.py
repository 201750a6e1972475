"""The store on Supabase, hosted or embedded: the same calls, another URL and key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from postgrest.types import CountMethod, ReturnMethod

from qa_queue.errors import SettingsError
from qa_queue.models import RunStatus
from qa_queue.settings import Settings
from qa_queue.store.connection import Connection, behind, one_of, when, which
from qa_queue.store.mapping import TABLES, by_kind, chunks, columns, run_changes, to_record, to_row, uuids
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
from qa_queue.store.supabase_batches import SupabaseBatches
from qa_queue.store.supabase_schedules import SupabaseSchedules

ROWS_A_CALL = 500
IDS_A_CALL = 100  # a UUID is 37 characters of URL, and some servers take 8 KB
PAGE = 1000  # PostgREST's usual `max_rows`
SMALLEST_PAGE = 100  # no server is set to fewer rows a call, so a page shorter than this is the last

R = TypeVar("R", bound=Record)
Filter = Callable[[Any], Any]


class SupabaseStore:
    """A `RunStore` on supabase-py. Safe to use from several threads; `close` when done.

    Raises:
        SettingsError: the URL or the key cannot be one.
    """

    def __init__(self, url: str, key: str) -> None:
        self._line = Connection(url, key)
        self.batches = SupabaseBatches(self._line)
        self.schedules = SupabaseSchedules(self._line)

    @classmethod
    def from_settings(cls, settings: Settings) -> SupabaseStore:
        """The store that the settings name.

        Raises:
            SettingsError: SUPABASE_URL or the key is not set, or cannot be one.
        """
        if not settings.supabase_url or not settings.supabase_secret_key:
            raise SettingsError(
                "SUPABASE_URL and SUPABASE_SECRET_KEY are not both set: set them in the environment or in .env to "
                "the URL and the secret key of your project, or start the embedded one with `qa-queue up`."
            )
        return cls(settings.supabase_url, settings.supabase_secret_key.get_secret_value().strip())

    def close(self) -> None:
        """Close the connections."""
        self._line.close()

    def check(self) -> None:
        """Return when the database answers, the key is good and every table has its columns."""
        for kind, table in TABLES.items():
            self._line.send(self._line.table(table).select(*columns(kind)).limit(1))

    def save_cases(self, cases: Sequence[CaseRecord]) -> list[CaseRecord]:
        """Insert or update cases; a trigger of the table counts the versions, so writers cannot collide."""
        # In one order everywhere: two writers of the same cases must not wait for each other.
        rows = sorted(
            (to_row(case) for case in {case.id: case for case in cases}.values()), key=lambda row: row["id"]
        )
        stored: dict[str, CaseRecord] = {}
        for chunk in chunks(rows, ROWS_A_CALL):
            query = (
                self._line.table("test_cases").upsert(list(chunk), on_conflict="id").select(*columns(CaseRecord))
            )
            stored |= {row["id"]: to_record(CaseRecord, row) for row in self._line.send(query).data}
        return [stored[case.id] for case in cases]

    def save_learned(self, case_id: str, *, reliability_score: float, flake_rate: float, runs_learned: int) -> None:
        """Set what was learned of a case."""
        learned = {
            "reliability_score": reliability_score,
            "flake_rate": flake_rate,
            "runs_learned": runs_learned,
        }
        self._update("test_cases", case_id, learned)

    def save(self, records: Iterable[Record]) -> None:
        """Upsert records of any kinds, parents before children, a call for each kind and 500 rows."""
        for kind, group in by_kind(records):
            for chunk in chunks(group, ROWS_A_CALL):
                self._upsert(TABLES[kind], [to_row(record) for record in chunk])

    def update_run(self, run_id: str, **fields: Any) -> None:
        """Change these columns of a run; a trigger of the table keeps the status of one that ended."""
        self._update("test_runs", run_id, run_changes(fields))

    def get_case(self, case_id: str) -> CaseRecord | None:
        """The case, or None."""
        return next(iter(self._of(CaseRecord, "id", [case_id])), None)

    def list_cases(self) -> list[CaseRecord]:
        """Every case, by name."""
        return sorted(self._all(CaseRecord, lambda query: query), key=lambda case: (case.name, case.id))

    def delete_cases(self, case_ids: Sequence[str]) -> int:
        """Delete cases; the tables' cascades take their runs and patterns along."""
        return self._delete("test_cases", case_ids)

    def get_run(self, run_id: str) -> RunRecord | None:
        """The run, or None."""
        return next(iter(self._of(RunRecord, "id", [run_id])), None)

    def list_runs(
        self,
        *,
        case_id: str | None = None,
        batch_id: str | None = None,
        statuses: Sequence[RunStatus] | None = None,
        user_id: str | None = None,
        queued_since: datetime | None = None,
        finished_before: datetime | None = None,
        limit: int = 50,
        oldest_first: bool = False,
        after: RunRecord | RunPlace | None = None,
    ) -> list[RunRecord]:
        """Runs by `queued_at`, newest first unless said otherwise; `after` goes on behind the last one seen."""
        parents = {parent for parent in (case_id, batch_id) if parent is not None}
        if len(uuids(parents)) < len(parents) or (statuses is not None and not statuses):
            return []
        found: list[RunRecord] = []
        last: RunRecord | RunPlace | None = after
        while len(found) < limit:
            wanted = min(PAGE, limit - len(found))
            query = self._line.table("test_runs").select(*columns(RunRecord))
            query = which(query, case_id=case_id, statuses=statuses, user_id=user_id)
            query = query if batch_id is None else query.eq("batch_id", batch_id)
            query = when(query, queued_since=queued_since, finished_before=finished_before)
            query = behind(query, last, oldest_first=oldest_first).limit(wanted)
            page = [to_record(RunRecord, row) for row in self._line.send(query).data]
            found += page
            if len(page) < min(wanted, SMALLEST_PAGE):
                break
            last = page[-1]
        return found

    def count_runs(self) -> dict[RunStatus, int]:
        """How many runs there are of each status, a call for each."""
        return {status: self._count_status(status) for status in RunStatus}

    def existing_runs(self, run_ids: Sequence[str]) -> set[str]:
        """Those of these ids that are runs."""
        found: set[str] = set()
        for chunk in chunks(uuids(run_ids), IDS_A_CALL):
            answer = self._line.send(self._line.table("test_runs").select("id").in_("id", chunk))
            found |= {row["id"] for row in answer.data}
        return found

    def count_rows(self, run_ids: Sequence[str]) -> RowCounts:
        """How many rows these runs have."""
        return RowCounts(
            runs=self._count("test_runs", "id", run_ids),
            steps=self._count("test_steps", "test_run_id", run_ids),
            artifacts=self._count("test_artifacts", "test_run_id", run_ids),
            adaptations=self._count("adaptations", "test_run_id", run_ids),
        )

    def list_steps(self, run_ids: Sequence[str]) -> list[StepRecord]:
        """The steps of these runs, by run, attempt and number."""
        found = self._of(StepRecord, "test_run_id", run_ids)
        return sorted(found, key=lambda row: (row.test_run_id, row.attempt, row.number))

    def list_artifacts(self, run_ids: Sequence[str]) -> list[ArtifactRecord]:
        """The artifacts of these runs, by run, attempt and name."""
        found = self._of(ArtifactRecord, "test_run_id", run_ids)
        return sorted(found, key=lambda row: (row.test_run_id, row.attempt, row.name))

    def list_adaptations(self, run_ids: Sequence[str]) -> list[AdaptationRow]:
        """The adaptations of these runs, by run, attempt and step."""
        found = self._of(AdaptationRow, "test_run_id", run_ids)
        return sorted(found, key=lambda row: (row.test_run_id, row.attempt, row.step_number))

    def get_adaptation(self, adaptation_id: str) -> AdaptationRow | None:
        """The adaptation, or None."""
        return next(iter(self._of(AdaptationRow, "id", [adaptation_id])), None)

    def find_adaptations(
        self,
        *,
        case_id: str | None = None,
        run_id: str | None = None,
        statuses: Sequence[str] | None = None,
        limit: int = 50,
    ) -> list[AdaptationRow]:
        """Adaptations of any runs, the newest first."""
        parents = {"test_case_id": case_id, "test_run_id": run_id}
        given = {column: parent for column, parent in parents.items() if parent is not None}
        if any(not uuids([parent]) for parent in given.values()):
            return []
        query = self._line.table("adaptations").select(*columns(AdaptationRow))
        for column, parent in given.items():
            query = query.eq(column, parent)
        query = query if statuses is None else query.in_("status", list(statuses))
        answer = self._line.send(query.order("created_at", desc=True).order("id", desc=True).limit(limit))
        return [to_record(AdaptationRow, row) for row in answer.data]

    def knowledge(self, case_id: str) -> CaseKnowledge:
        """What is known of the elements of a case: one call, as the tables hang on the case's."""
        kinds = (FingerprintRecord, PatternRecord, VerdictRecord)
        if not uuids([case_id]):
            return CaseKnowledge()
        nested = (f"{TABLES[kind]}({','.join(columns(kind))})" for kind in kinds)
        answer = self._line.send(self._line.table("test_cases").select("id", *nested).eq("id", case_id))
        rows = answer.data[0] if answer.data else {}
        found = {kind: [to_record(kind, row) for row in rows.get(TABLES[kind]) or ()] for kind in kinds}
        return CaseKnowledge(
            fingerprints=tuple(sorted(found[FingerprintRecord], key=lambda row: (row.step_key, row.id))),
            patterns=tuple(sorted(found[PatternRecord], key=_by_confidence)),
            verdicts=tuple(sorted(found[VerdictRecord], key=lambda row: (row.step_key, row.id))),
        )

    def list_patterns(self, case_id: str) -> list[PatternRecord]:
        """What is known of the locators of a case, by step key and falling confidence."""
        found = self._of(PatternRecord, "test_case_id", [case_id])
        return sorted(found, key=_by_confidence)

    def delete_patterns(self, pattern_ids: Sequence[str]) -> None:
        """Delete what is known of these locators."""
        for chunk in chunks(uuids(pattern_ids), IDS_A_CALL):
            query = self._line.table("locator_patterns").delete(returning=ReturnMethod.minimal)
            self._line.send(query.in_("id", chunk))

    def delete_runs(self, run_ids: Sequence[str]) -> int:
        """Delete runs; the tables' cascades take their other rows along."""
        return self._delete("test_runs", run_ids)

    def _delete(self, table: str, ids: Sequence[str]) -> int:
        deleted = 0
        for chunk in chunks(uuids(ids), IDS_A_CALL):
            query = self._line.table(table).delete(count=CountMethod.exact, returning=ReturnMethod.minimal)
            deleted += self._line.send(query.in_("id", chunk)).count or 0
        return deleted

    def _count_status(self, status: RunStatus) -> int:
        query = self._line.table("test_runs").select("id", count=CountMethod.exact, head=True)
        return self._line.send(query.eq("status", status.value)).count or 0

    def _upsert(self, table: str, rows: list[dict[str, Any]]) -> None:
        query = self._line.table(table).upsert(rows, on_conflict="id", returning=ReturnMethod.minimal)
        self._line.send(query)

    def _update(self, table: str, row_id: str, changes: dict[str, Any]) -> None:
        if changes and uuids([row_id]):
            query = self._line.table(table).update(changes, returning=ReturnMethod.minimal)
            self._line.send(query.eq("id", row_id))

    def _count(self, table: str, column: str, ids: Sequence[str]) -> int:
        total = 0
        for chunk in chunks(uuids(ids), IDS_A_CALL):
            query = self._line.table(table).select("id", count=CountMethod.exact, head=True)
            total += self._line.send(query.in_(column, chunk)).count or 0
        return total

    def _of(self, kind: type[R], column: str, ids: Sequence[str]) -> list[R]:
        """The rows whose `column` is one of the ids."""
        found: list[R] = []
        for chunk in chunks(uuids(ids), IDS_A_CALL):
            found += self._all(kind, partial(one_of, column, chunk))
        return found

    def _all(self, kind: type[R], chosen: Filter) -> list[R]:
        """Every row that the filter lets through, page by page in the order of ids, so that none is met twice."""
        found: list[R] = []
        while True:
            query = chosen(self._line.table(TABLES[kind]).select(*columns(kind)))
            if found:
                query = query.gt("id", found[-1].id)
            page = self._line.send(query.order("id").limit(PAGE)).data
            found += [to_record(kind, row) for row in page]
            if len(page) < SMALLEST_PAGE:
                return found


def _by_confidence(row: Any) -> tuple[str, float, str]:
    return row.step_key, -row.confidence, row.id
