"""Stored cases: find, create, replace, duplicate and delete them."""

from __future__ import annotations

from qa_queue.cases.model import Case
from qa_queue.cases.reader import parse_case
from qa_queue.errors import ConflictError
from qa_queue.models import RunStatus
from qa_queue.producer import RunRequest
from qa_queue.producer.planning import case_record
from qa_queue.queues.cancellation import CancelOutcome
from qa_queue.schedules.jobs import case_named
from qa_queue.services.backend import Backend
from qa_queue.store.protocol import RunStore
from qa_queue.store.records import CaseRecord

_PAGE = 500


def find_case(backend: Backend, ref: str) -> CaseRecord:
    """Return the case with this id, key or name.

    Raises:
        InputError: there is no such case, or several have the name.
    """
    return case_named(ref, backend.store.list_cases())


def case_of(record: CaseRecord) -> Case:
    """Return the case of a row.

    Raises:
        CaseError: this version cannot read it.
    """
    return parse_case(record.definition, source=record.name)


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
    if store.list_runs(case_id=case.id, statuses=[RunStatus.RUNNING], limit=1):
        raise _busy(case)
    while waiting := store.list_runs(case_id=case.id, statuses=[RunStatus.QUEUED], limit=_PAGE):
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
    while page := store.list_runs(case_id=case.id, limit=_PAGE, after=last):
        count, last = count + len(page), page[-1]
    return count


def _busy(case: CaseRecord) -> ConflictError:
    return ConflictError(f"A run of {case.name!r} is running: cancel it, or wait for its end, and ask again.")
