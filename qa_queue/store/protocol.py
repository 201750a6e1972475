"""The protocols of the database; `memory` and `supabase` implement the same contract."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from qa_queue.models import RunStatus
from qa_queue.store.audit import AuditStore
from qa_queue.store.ledger import JobLedger, LedgerEntry
from qa_queue.store.records import (
    AdaptationRow,
    ArtifactRecord,
    BatchRecord,
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
from qa_queue.store.retention import RetentionStore
from qa_queue.store.schedule_records import ScheduleRecord

Record = (
    CaseRecord
    | RunRecord
    | StepRecord
    | ArtifactRecord
    | AdaptationRow
    | PatternRecord
    | FingerprintRecord
    | VerdictRecord
    | LedgerEntry
)


class BatchStore(Protocol):
    """Batches, which are computed from the rows of their runs."""

    def newest(self, *, limit: int = 50, after: RunPlace | None = None) -> list[BatchRecord]:
        """Return batches by the time at which their first run was queued, newest first, starting after `after`."""

    def find_ids(self, prefix: str, limit: int = 2) -> list[str]:
        """Return the ids of at most `limit` batches that begin with this text, in order."""


class ScheduleStore(Protocol):
    """Schedules in a store; every method raises the errors of `RunStore`.

    A row that cannot be read is left out of the lists, and can be removed by its id like any other.
    """

    def add(self, schedule: ScheduleRecord) -> bool:
        """Insert a schedule; return False, and write nothing, if its name is taken."""

    def replace(self, schedule: ScheduleRecord) -> bool:
        """Overwrite the row with this id and revision, and increment the revision.

        Return False, and write nothing, if the row has changed since or is gone, or if another has the name.
        """

    def get(self, schedule_id: str) -> ScheduleRecord | None:
        """Return the schedule, or None."""

    def find(self, name: str) -> ScheduleRecord | None:
        """Return the schedule with this name, or None."""

    def list_all(self) -> list[ScheduleRecord]:
        """Return every schedule, by name."""

    def list_due(self, now: datetime, limit: int = 200) -> list[ScheduleRecord]:
        """Return the schedules whose `next_run_at` has come, the longest overdue first."""

    def remove(self, schedule_id: str) -> bool:
        """Delete a schedule but not its runs; return False if it does not exist."""

    def open_runs(self, runs: Sequence[RunRecord]) -> None:
        """Insert these runs; those that exist stay as they are."""

    def statuses(self, batch_ids: Sequence[str]) -> Mapping[str, Mapping[RunStatus, int]]:
        """Return the number of runs by status of each of these batches; batches without runs are left out."""


class RunStore(Protocol):
    """Cases, runs and their rows. Synchronous, and safe to use from several threads.

    Every write is an idempotent upsert by `id`; that of a run does not change whether it is pinned. A record whose
    parent (the case of a run, the run of a step) is missing is refused with a `RowRefusedError`. Values that
    Postgres cannot keep are replaced: NUL characters and lone surrogates in texts, NaN and infinity. An id that is
    not a UUID matches nothing.

    Every method raises a `StoreError` or one of its subclasses.
    """

    @property
    def schedules(self) -> ScheduleStore:
        """Schedules."""

    @property
    def ledger(self) -> JobLedger:
        """Jobs as they were submitted."""

    @property
    def audit(self) -> AuditStore:
        """Changes to the service."""

    @property
    def batches(self) -> BatchStore:
        """Batches of runs that were submitted together."""

    @property
    def retention(self) -> RetentionStore:
        """Pinned runs, and files by kind and age."""

    def check(self) -> None:
        """Return if the database answers, the key is accepted and every table exists; raise otherwise."""

    def save_cases(self, cases: Sequence[CaseRecord]) -> list[CaseRecord]:
        """Insert or update cases by id and return them as stored.

        A case whose `content_hash` differs from the stored one gets the stored version + 1; an equal one stays as
        it is. Learned values (reliability, flake rate) are never overwritten here.
        """

    def save_learned(self, case_id: str, *, reliability_score: float, flake_rate: float, runs_learned: int) -> None:
        """Set the learned values of a case."""

    def save(self, records: Iterable[Record]) -> None:
        """Upsert records of any kinds, parents before children, in one call for each kind."""

    def update_run(self, run_id: str, **fields: Any) -> None:
        """Change these columns of a run; ignore a run that does not exist.

        A run that has ended never changes its status again: such an update changes nothing at all, because it
        comes from a worker whose run was taken over. The exception is a requeue: status `queued`, with `requeues`
        one more than in the row, for a run that is dead, failed or timed out.

        A worker passes the number of its execution of the job as `fence`. An update with a lower fence than the
        row's changes nothing. A requeue resets the fence to 0.
        """

    def get_case(self, case_id: str) -> CaseRecord | None:
        """Return the case, or None."""

    def list_cases(self) -> list[CaseRecord]:
        """Return every case, by name."""

    def delete_cases(self, case_ids: Sequence[str]) -> int:
        """Delete cases with their runs and the knowledge of their elements; return the number of cases deleted."""

    def get_run(self, run_id: str) -> RunRecord | None:
        """Return the run, or None."""

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
        """Return runs by `queued_at`, newest first by default, starting after the run `after`.

        `case_ids` are at most `IDS_PER_CALL`.
        """

    def count_runs(self) -> dict[RunStatus, int]:
        """Return the number of runs of every status."""

    def existing_runs(self, run_ids: Sequence[str], *, begun: bool = False) -> set[str]:
        """Return those of these ids that belong to runs; with `begun`, to runs that a worker has begun or ended."""

    def find_run_ids(self, prefix: str, limit: int = 2) -> list[str]:
        """Return the ids of at most `limit` runs that begin with this text, in order."""

    def count_rows(self, run_ids: Sequence[str]) -> RowCounts:
        """Return the number of rows of these runs."""

    def list_steps(self, run_ids: Sequence[str]) -> list[StepRecord]:
        """Return the steps of these runs, by run, attempt and number."""

    def list_artifacts(self, run_ids: Sequence[str]) -> list[ArtifactRecord]:
        """Return the artifacts of these runs, by run, attempt and name."""

    def list_adaptations(self, run_ids: Sequence[str]) -> list[AdaptationRow]:
        """Return the adaptations of these runs, by run, attempt and step."""

    def get_adaptation(self, adaptation_id: str) -> AdaptationRow | None:
        """Return the adaptation, or None."""

    def find_adaptations(
        self,
        *,
        case_ids: Sequence[str] | None = None,
        run_id: str | None = None,
        statuses: Sequence[str] | None = None,
        limit: int = 50,
    ) -> list[AdaptationRow]:
        """Return adaptations of any runs, newest first; `case_ids` are at most `IDS_PER_CALL`."""

    def knowledge(self, case_id: str) -> CaseKnowledge:
        """Return the knowledge of a case's elements, each kind by step key, patterns by falling confidence too."""

    def knowledge_of_steps(self, step_keys: Sequence[str]) -> CaseKnowledge:
        """Return the knowledge of these steps in every case, as `knowledge` does; for the steps of flows."""

    def list_patterns(self, case_id: str) -> list[PatternRecord]:
        """Return the locators known for a case, by step key and falling confidence."""

    def delete_patterns(self, pattern_ids: Sequence[str]) -> None:
        """Delete these locators."""

    def delete_runs(self, run_ids: Sequence[str]) -> int:
        """Delete runs with their steps, artifacts' rows and adaptations; return the number of runs deleted."""
