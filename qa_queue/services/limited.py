"""The service as a token that is limited to cases sees it: these cases, and what belongs to them.

Operations and pages read through the store, so the limit holds for all of them. Single records of other cases are
refused, lists leave them out. A method that the store gets later is closed until it is named here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

from qa_queue.auth.tokens import Identity, TokenScope
from qa_queue.errors import ForbiddenError
from qa_queue.models import QueueName
from qa_queue.services.backend import MOST_SINGLE_READS, Backend
from qa_queue.store.mapping import IDS_PER_CALL, chunks
from qa_queue.store.memory_schedules import newest_batches
from qa_queue.store.protocol import RunStore
from qa_queue.store.records import (
    MOST_RUNS,
    AdaptationRow,
    ArtifactRecord,
    BatchRecord,
    CaseRecord,
    RunPlace,
    RunRecord,
    StepRecord,
)
from qa_queue.store.schedule_records import ScheduleRecord

if TYPE_CHECKING:
    from qa_queue.redis import RedisClient
    from qa_queue.store.artifacts import ArtifactFiles

# Writes are made by operations that check the limits themselves; these reads name no case.
_UNCHANGED = ("audit", "check", "existing_runs", "ledger", "retention", "save", "save_cases", "update_run")


def covers(scope: TokenScope, case: CaseRecord) -> bool:
    """Return True for a case that these limits allow."""
    return scope.covers({case.id, case.key, case.name}, case.tags)


class LimitedBackend(Backend):
    """The backend for one request of a limited token; it shares the connections of the whole one."""

    def __init__(self, whole: Backend, caller: Identity, scope: TokenScope) -> None:
        super().__init__(whole.settings, cast(RunStore, LimitedStore(whole, caller.name, scope)))
        self._whole = whole
        self._owner = caller.name

    @property
    def redis_client(self) -> RedisClient:
        """The client of the whole backend."""
        return self._whole.redis_client

    def require_whole_batch(self, batch_id: str) -> None:
        """Return if the token covers every run of the batch.

        Raises:
            NotFoundError: it covers none.
            ForbiddenError: it covers some.
        """
        if len(self.batches.runs(batch_id)) < len(self._whole.batches.runs(batch_id)):
            raise _refusal(self._owner, f"every run of the batch {batch_id}: name those that it covers")

    @property
    def artifacts(self) -> ArtifactFiles:
        """The files of the whole backend; an operation finds them by rows that it may read."""
        return self._whole.artifacts


class LimitedStore:
    """The rows of a `RunStore` that a limited token may read. Opens the store of the backend on its first use."""

    def __init__(self, whole: Backend, owner: str, scope: TokenScope) -> None:
        self._whole = whole
        self._owner = owner
        self._scope = scope
        self._readable: dict[str, bool] = {}  # runs that were looked at

    def __getattr__(self, name: str) -> Any:
        if name not in _UNCHANGED:
            raise AttributeError(f"a limited store has no {name!r}")
        return getattr(self._store, name)

    @property
    def _store(self) -> RunStore:
        return self._whole.store

    @property
    def batches(self) -> LimitedBatches:
        """Batches with a run that may be read, with those runs alone."""
        return LimitedBatches(self)

    @property
    def schedules(self) -> LimitedSchedules:
        """Schedules of cases that may all be read."""
        return LimitedSchedules(self._store, self._owner, self._scope)

    def get_case(self, case_id: str) -> CaseRecord | None:
        """Return the case, or None.

        Raises:
            ForbiddenError: the token does not cover it.
        """
        case = self._store.get_case(case_id)
        if case is not None and not covers(self._scope, case):
            raise _refusal(self._owner, f"the case {case.name!r}")
        return case

    def list_cases(self) -> list[CaseRecord]:
        """Return the covered cases, by name."""
        return [case for case in self._store.list_cases() if covers(self._scope, case)]

    def get_run(self, run_id: str) -> RunRecord | None:
        """Return the run, or None.

        Raises:
            ForbiddenError: the token does not cover its case.
        """
        run = self._store.get_run(run_id)
        if run is not None and not self._may_read(run):
            raise _refusal(self._owner, f"the case of the run {run.id}")
        return run

    def list_runs(
        self, *, case_ids: Sequence[str] | None = None, limit: int = 50, oldest_first: bool = False, **filters: Any
    ) -> list[RunRecord]:
        """Return runs of covered cases; see `RunStore.list_runs`."""
        each = (
            self._store.list_runs(case_ids=some, limit=limit, oldest_first=oldest_first, **filters)
            for some in self._covered(case_ids)
        )
        found = sorted(chain(*each), key=_place, reverse=not oldest_first)[:limit]
        self._readable |= dict.fromkeys((run.id for run in found), True)
        return found

    def find_run_ids(self, prefix: str, limit: int = 2) -> list[str]:
        """Return the ids of runs that may be read and begin with this text."""
        return self._readable_ids(self._store.find_run_ids(prefix, MOST_SINGLE_READS))[:limit]

    def list_steps(self, run_ids: Sequence[str]) -> list[StepRecord]:
        """Return the steps of those of these runs that may be read."""
        return self._store.list_steps(self._readable_ids(run_ids))

    def list_artifacts(self, run_ids: Sequence[str]) -> list[ArtifactRecord]:
        """Return the artifacts of those of these runs that may be read."""
        return self._store.list_artifacts(self._readable_ids(run_ids))

    def list_adaptations(self, run_ids: Sequence[str]) -> list[AdaptationRow]:
        """Return the adaptations of those of these runs that may be read."""
        return self._store.list_adaptations(self._readable_ids(run_ids))

    def get_adaptation(self, adaptation_id: str) -> AdaptationRow | None:
        """Return the adaptation, or None.

        Raises:
            ForbiddenError: the token does not cover its case.
        """
        found = self._store.get_adaptation(adaptation_id)
        if found is not None:
            self.get_case(found.test_case_id)
        return found

    def find_adaptations(
        self, *, case_ids: Sequence[str] | None = None, limit: int = 50, **filters: Any
    ) -> list[AdaptationRow]:
        """Return adaptations of covered cases; see `RunStore.find_adaptations`."""
        each = (
            self._store.find_adaptations(case_ids=some, limit=limit, **filters) for some in self._covered(case_ids)
        )
        return sorted(chain(*each), key=lambda row: (row.created_at, row.id), reverse=True)[:limit]

    def _covered(self, case_ids: Sequence[str] | None) -> Iterator[Sequence[str]]:
        """Return the ids of the covered cases, or those among these, as many at once as a call takes."""
        covered = [case.id for case in self.list_cases() if case_ids is None or case.id in case_ids]
        return chunks(covered, IDS_PER_CALL)

    def _may_read(self, run: RunRecord) -> bool:
        if run.id not in self._readable:
            case = self._store.get_case(run.test_case_id)
            self._readable[run.id] = case is not None and covers(self._scope, case)
        return self._readable[run.id]

    def _readable_ids(self, run_ids: Sequence[str]) -> list[str]:
        unknown = (self._store.get_run(run_id) for run_id in run_ids if run_id not in self._readable)
        known = {run.id: self._may_read(run) for run in unknown if run is not None} | self._readable
        return [run_id for run_id in run_ids if known.get(run_id)]


class LimitedBatches:
    """Batches of the runs that may be read."""

    def __init__(self, store: LimitedStore) -> None:
        self._store = store

    def newest(self, *, limit: int = 50, after: RunPlace | None = None) -> list[BatchRecord]:
        """Return the batches of the newest runs, newest first, with the runs that may be read."""
        return newest_batches(self._store.list_runs(limit=MOST_RUNS), limit=limit, after=after)

    def find_ids(self, prefix: str, limit: int = 2) -> list[str]:
        """Return the ids of batches that begin with this text."""
        return sorted(one.id for one in self.newest(limit=MOST_RUNS) if one.id.startswith(prefix.lower()))[:limit]


class LimitedSchedules:
    """Schedules of covered cases only: by their tag, or by each of their cases."""

    def __init__(self, store: RunStore, owner: str, scope: TokenScope) -> None:
        self._schedules = store.schedules
        self._owner = owner
        self._scope = scope
        self._covered = {case.id for case in store.list_cases() if covers(scope, case)}
        self.statuses = store.schedules.statuses

    def get(self, schedule_id: str) -> ScheduleRecord | None:
        """Return the schedule, or None.

        Raises:
            ForbiddenError: it runs other cases.
        """
        return self._checked(self._schedules.get(schedule_id))

    def find(self, name: str) -> ScheduleRecord | None:
        """Return the schedule with this name, or None.

        Raises:
            ForbiddenError: it runs other cases.
        """
        return self._checked(self._schedules.find(name))

    def list_all(self) -> list[ScheduleRecord]:
        """Return the schedules that may be read, by name."""
        return [row for row in self._schedules.list_all() if self._may_read(row)]

    def _checked(self, row: ScheduleRecord | None) -> ScheduleRecord | None:
        if row is not None and not self._may_read(row):
            raise _refusal(self._owner, f"the schedule {row.id}")
        return row

    def _may_read(self, row: ScheduleRecord) -> bool:
        of_runs, by_tag = row.queue == QueueName.TEST_EXECUTION, row.tag in self._scope.tags
        return of_runs and (by_tag or (bool(row.cases) and self._covered.issuperset(row.cases)))


def _refusal(owner: str, what: str) -> ForbiddenError:
    return ForbiddenError(f"The token of {owner} does not cover {what}.")


def _place(run: RunRecord) -> tuple[datetime, str]:
    return run.queued_at, run.id
