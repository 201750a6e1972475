"""What the service asks of its database; `memory` and `supabase` keep the same contract."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol

from qa_queue.models import RunStatus
from qa_queue.store.batch_records import BatchStore
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
from qa_queue.store.schedule_records import ScheduleStore

Record = (
    CaseRecord
    | RunRecord
    | StepRecord
    | ArtifactRecord
    | AdaptationRow
    | PatternRecord
    | FingerprintRecord
    | VerdictRecord
)


class RunStore(Protocol):
    """Synchronous and safe to use from several threads. Every write is an idempotent upsert by `id`.

    A record whose parent (the case of a run, the run of a step) is missing is refused with a `StoreError`. What
    Postgres cannot keep is mended on the way: NUL characters and lone surrogates in texts, numbers that are none.
    An id that is no UUID names nothing, so it finds nothing.

    Every method raises `StoreUnavailableError`, `StoreAuthError`, `StoreSchemaError` or `StoreError`.
    """

    @property
    def schedules(self) -> ScheduleStore:
        """What is started at set times."""

    @property
    def batches(self) -> BatchStore:
        """Runs that were submitted together."""

    def check(self) -> None:
        """Return when the database answers, the key is good and every table is there; raise otherwise."""

    def save_cases(self, cases: Sequence[CaseRecord]) -> list[CaseRecord]:
        """Insert or update cases by id and return them as stored.

        A case whose `content_hash` differs from the stored one gets the stored version + 1; an equal one stays
        as it is. What was learned of a case (reliability, flake rate) is never overwritten here.
        """

    def save_learned(self, case_id: str, *, reliability_score: float, flake_rate: float, runs_learned: int) -> None:
        """Set what was learned of a case."""

    def save(self, records: Iterable[Record]) -> None:
        """Upsert records of any kinds, parents before children, in as few calls as kinds allow."""

    def update_run(self, run_id: str, **fields: Any) -> None:
        """Change these columns of a run; a run that is not there is left alone.

        A run that ended never changes its status again: an update that would do so changes nothing at all, for
        it comes from a worker that was thought dead. The one way back is a requeue: status `queued` together with
        `requeues` one more than the row has, for a run that is dead, failed or timed out.

        A worker says with `fence` which execution of the job speaks. Once a later one has spoken, what an earlier
        one says changes nothing. A requeue sets the fence back to 0.
        """

    def get_case(self, case_id: str) -> CaseRecord | None:
        """The case, or None."""

    def list_cases(self) -> list[CaseRecord]:
        """Every case, by name."""

    def delete_cases(self, case_ids: Sequence[str]) -> int:
        """Delete cases with their runs and what is known of their elements; returns how many cases there were."""

    def get_run(self, run_id: str) -> RunRecord | None:
        """The run, or None."""

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

    def count_runs(self) -> dict[RunStatus, int]:
        """How many runs there are of each status; every status is in it."""

    def existing_runs(self, run_ids: Sequence[str]) -> set[str]:
        """Those of these ids that are runs."""

    def count_rows(self, run_ids: Sequence[str]) -> RowCounts:
        """How many rows these runs have."""

    def list_steps(self, run_ids: Sequence[str]) -> list[StepRecord]:
        """The steps of these runs, by run, attempt and number."""

    def list_artifacts(self, run_ids: Sequence[str]) -> list[ArtifactRecord]:
        """The artifacts of these runs, by run, attempt and name."""

    def list_adaptations(self, run_ids: Sequence[str]) -> list[AdaptationRow]:
        """The adaptations of these runs, by run, attempt and step."""

    def get_adaptation(self, adaptation_id: str) -> AdaptationRow | None:
        """The adaptation, or None."""

    def find_adaptations(
        self,
        *,
        case_id: str | None = None,
        run_id: str | None = None,
        statuses: Sequence[str] | None = None,
        limit: int = 50,
    ) -> list[AdaptationRow]:
        """Adaptations of any runs, the newest first."""

    def knowledge(self, case_id: str) -> CaseKnowledge:
        """What is known of the elements of a case, each kind by step key; patterns by falling confidence too."""

    def list_patterns(self, case_id: str) -> list[PatternRecord]:
        """What is known of the locators of a case, by step key and falling confidence."""

    def delete_patterns(self, pattern_ids: Sequence[str]) -> None:
        """Delete what is known of these locators."""

    def delete_runs(self, run_ids: Sequence[str]) -> int:
        """Delete runs with their steps, artifacts' rows and adaptations; returns how many runs there were."""
