"""Storing, replacing and deleting cases."""

from __future__ import annotations

from redis import Redis

from qa_queue.cases.model import Case
from qa_queue.errors import ConflictError
from qa_queue.models import RunStatus
from qa_queue.producer.planning import case_record
from qa_queue.producer.requests import RunRequest
from qa_queue.queues.cancellation import CancelOutcome, cancel_runs
from qa_queue.store.protocol import RunStore
from qa_queue.store.records import CaseRecord

_PAGE = 500


def new_case(store: RunStore, case: Case) -> CaseRecord:
    """Store a case that was not there.

    Raises:
        ConflictError: one with its key is there.
    """
    record = case_record(RunRequest(case=case))
    if store.get_case(record.id) is not None:
        raise ConflictError(f"There is a case {record.key!r} already, {record.id}: replace it, or use another id.")
    return store.save_cases([record])[0]


def replaced_case(store: RunStore, old: CaseRecord, case: Case) -> CaseRecord:
    """Store the next version of a case.

    Raises:
        ConflictError: the new definition belongs to a case of another key.
    """
    record = case_record(RunRequest(case=case, source=old.source))
    if record.id != old.id:
        raise ConflictError(
            f"The document names the case {record.key!r}, and {old.id} is {old.key!r}: give it the id {old.key!r}."
        )
    return store.save_cases([record])[0]


def delete_case(connection: Redis, store: RunStore, case: CaseRecord, *, by: str) -> int:
    """Delete a case with its runs; those that wait are cancelled first, so that no worker meets them.

    Returns how many runs went with it.

    Raises:
        ConflictError: a run of it is running; nothing was deleted, but waiting ones may be cancelled.
    """
    if store.list_runs(case_id=case.id, statuses=[RunStatus.RUNNING], limit=1):
        raise _busy(case)
    while waiting := store.list_runs(case_id=case.id, statuses=[RunStatus.QUEUED], limit=_PAGE):
        outcomes = cancel_runs(connection, store, [run.id for run in waiting], f"its case was deleted by {by}")
        if CancelOutcome.SIGNALLED in outcomes.values():
            raise _busy(case)
        if CancelOutcome.REMOVED not in outcomes.values():
            break  # rows without jobs: nothing will ever run them
    runs = _count(store, case)
    store.delete_cases([case.id])
    return runs


def _count(store: RunStore, case: CaseRecord) -> int:
    count = 0
    last = None
    while page := store.list_runs(case_id=case.id, limit=_PAGE, after=last):
        count, last = count + len(page), page[-1]
    return count


def _busy(case: CaseRecord) -> ConflictError:
    return ConflictError(f"A run of {case.name!r} is running: cancel it, or wait for its end, and ask again.")
