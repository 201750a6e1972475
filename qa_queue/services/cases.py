"""Stored cases: find, create, replace, duplicate and delete them; how long they took and which of them failed."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping

from redis import Redis

from qa_queue.cases.locations import with_step_lines
from qa_queue.cases.model import Case
from qa_queue.errors import ConflictError
from qa_queue.models import RunStatus
from qa_queue.producer import RunRequest
from qa_queue.producer.planning import case_record
from qa_queue.queues.cancellation import CancelOutcome
from qa_queue.queues.keys import SHARDS_PREFIX
from qa_queue.services.backend import Backend
from qa_queue.store.protocol import RunStore
from qa_queue.store.records import CaseRecord, RunRecord, digest
from qa_queue.suites.ordering import MOST_DURATIONS, CaseHistory, Shard, shards

HISTORY_RUNS = 3_000  # read, the newest of all cases
SHARDS_TTL_S = 6 * 3_600
_ENDED = tuple(status for status in RunStatus if status.final and status is not RunStatus.CANCELLED)
_PAGE = 500


def find_case(backend: Backend, ref: str) -> CaseRecord:
    """Return the case with this id, key or name.

    Raises:
        InputError: there is no such case, or several have the name.
    """
    from qa_queue.schedules.jobs import case_named

    return case_named(ref, backend.store.list_cases())


def case_of(record: CaseRecord) -> Case:
    """Return the case of a row.

    Raises:
        CaseError: this version cannot read it.
    """
    from qa_queue.cases.reader import parse_case

    return with_step_lines(parse_case(record.definition, source=record.name), record.step_lines)


def create_case(store: RunStore, case: Case) -> CaseRecord:
    """Store a new case.

    Raises:
        ConflictError: a case with its key exists.
    """
    record = case_record(RunRequest(case=case))
    if store.get_case(record.id) is not None:
        raise ConflictError(f"There is a case {record.key!r} already, {record.id}: replace it, or use another id.")
    return store.save_cases([record])[0]


def replace_case(store: RunStore, old: CaseRecord, case: Case) -> CaseRecord:
    """Store the next version of a case; an equal definition changes nothing.

    Raises:
        ConflictError: the new definition belongs to a case of another key.
    """
    record = case_record(RunRequest(case=case, source=old.source))
    if record.id != old.id:
        raise ConflictError(
            f"The document names the case {record.key!r}, and {old.id} is {old.key!r}: give it the id {old.key!r}."
        )
    return store.save_cases([record])[0]


def duplicate_case(store: RunStore, record: CaseRecord, *, name: str, case_id: str | None) -> CaseRecord:
    """Store a copy of a case under another name.

    Raises:
        ConflictError: a case with the copy's key exists.
        CaseError: this version cannot read the case.
    """
    return create_case(store, case_of(record).model_copy(update={"name": name, "id": case_id}))


def delete_case(backend: Backend, case: CaseRecord, *, by: str) -> int:
    """Delete a case with its runs and return the number of runs; those that wait are cancelled first.

    Raises:
        ConflictError: one of its runs is running; nothing was deleted, but waiting ones may be cancelled.
    """
    store = backend.store
    if store.list_runs(case_ids=[case.id], statuses=[RunStatus.RUNNING], limit=1):
        raise _busy(case)
    while waiting := store.list_runs(case_ids=[case.id], statuses=[RunStatus.QUEUED], limit=_PAGE):
        outcomes = backend.cancel([run.id for run in waiting], f"its case was deleted by {by}")
        if CancelOutcome.SIGNALLED in outcomes.values():
            raise _busy(case)
        if CancelOutcome.REMOVED not in outcomes.values():
            break  # rows without jobs: no worker will ever run them
    runs = _count(store, case)
    store.delete_cases([case.id])
    return runs


def _count(store: RunStore, case: CaseRecord) -> int:
    count = 0
    last = None
    while page := store.list_runs(case_ids=[case.id], limit=_PAGE, after=last):
        count, last = count + len(page), page[-1]
    return count


def _busy(case: CaseRecord) -> ConflictError:
    return ConflictError(f"A run of {case.name!r} is running: cancel it, or wait for its end, and ask again.")


def history_of(store: RunStore, case_ids: Collection[str]) -> dict[str, CaseHistory]:
    """Return the history of these cases, as far as the newest runs of the service tell."""
    newest: defaultdict[str, list[RunRecord]] = defaultdict(list)
    for run in store.list_runs(statuses=_ENDED, limit=min(HISTORY_RUNS, MOST_DURATIONS * 10 * len(case_ids))):
        if run.test_case_id in case_ids and len(newest[run.test_case_id]) < MOST_DURATIONS:
            newest[run.test_case_id].append(run)
    return {case_id: _history(runs) for case_id, runs in newest.items()}


def _history(runs: list[RunRecord]) -> CaseHistory:
    durations = tuple(run.running_ms for run in runs if run.running_ms is not None)
    return CaseHistory(durations_ms=durations, failed=runs[0].status.bad)


def shard_of(
    connection: Redis, case_ids: Collection[str], history: Mapping[str, CaseHistory], shard: Shard
) -> frozenset[str]:
    """Return the cases of a shard.

    The first machine that asks decides for all: results that arrive meanwhile must not move a case to another part.
    """
    wanted = sorted(case_ids)
    key = SHARDS_PREFIX + digest({"cases": wanted, "total": shard.total})
    connection.set(key, json.dumps(shards(wanted, history, shard.total)), nx=True, ex=SHARDS_TTL_S)
    kept: list[list[str]] = json.loads(connection.get(key) or "[]")
    return frozenset(kept[shard.index - 1])
