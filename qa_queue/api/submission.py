"""From what was sent to requests for runs, with everything that is wrong named at its item."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from qa_queue.api.documents import read
from qa_queue.api.errors import FieldError, FieldErrorsError
from qa_queue.api.schemas.runs import RunBody, Submitted
from qa_queue.cases.model import Case
from qa_queue.cases.parse import parse_case
from qa_queue.cases.retarget import moved
from qa_queue.errors import CaseError, InputError
from qa_queue.producer import RunRequest, SubmittedRun
from qa_queue.producer.planning import resolve_environments
from qa_queue.services import Backend
from qa_queue.store.records import CaseRecord

T = TypeVar("T")
R = TypeVar("R")


def run_requests(
    backend: Backend, bodies: Sequence[RunBody], *, user: str, key: str | None = None
) -> list[RunRequest]:
    """The requests of these bodies; the idempotency key of a batch names each of its items.

    Raises:
        FaultsError: at least one cannot be used; every bad item is named by its index.
    """
    return each(
        bodies, lambda index, body: _request(backend, body, user, f"{key}#{index}" if key and index else key)
    )


def each(items: Sequence[T], make: Callable[[int, T], R]) -> list[R]:
    """`make` of every item with its index, where all can be made.

    Raises:
        FaultsError: has what is wrong with any of them.
    """
    made: list[R] = []
    faults: list[FieldError] = []
    for index, item in enumerate(items):
        try:
            made.append(make(index, item))
        except InputError as error:
            faults += [fault.model_copy(update={"index": index}) for fault in faults_of(error)]
    if faults:
        count = len({fault.index for fault in faults})
        raise FieldErrorsError(f"{count} of {len(items)} cannot be used; nothing was done.", faults)
    return made


def faults_of(error: InputError) -> list[FieldError]:
    """What is wrong, one by one."""
    if isinstance(error, FieldErrorsError):
        return error.faults
    texts = error.problems if isinstance(error, CaseError) and error.problems else (str(error),)
    return [FieldError(message=text) for text in texts]


def stored_case(record: CaseRecord) -> Case:
    """The case of a row.

    Raises:
        CaseError: this release cannot read it.
    """
    return parse_case(record.definition, source=record.name)


def checked(request: RunRequest) -> RunRequest:
    """The request, if every `${...}` of its case has a value.

    Raises:
        CaseError: names those that have none.
    """
    resolve_environments([request])
    return request


def submitted(run: SubmittedRun) -> Submitted:
    """A submitted run as it is answered."""
    return Submitted(run_id=run.run_id, job_id=run.job_id, case=run.case_name, created=run.created)


def _request(backend: Backend, body: RunBody, user: str, key: str | None) -> RunRequest:
    case, source = _case(backend, body)
    return checked(
        RunRequest(
            case=moved(case, body.base_url) if body.base_url else case,
            source=source,
            base_url=body.base_url,
            env=body.env,
            process_env=False,
            config=body.config,
            priority=body.priority.value_on_queue,
            user_id=user,
            idempotency_key=key,
            attempts=body.attempts,
            delay_ms=body.delay_ms,
        )
    )


def _case(backend: Backend, body: RunBody) -> tuple[Case, str | None]:
    if body.case is not None:
        return read(body.case), None
    record = backend.case(body.case_id or "")
    return stored_case(record), record.source
