"""Requests for runs from the bodies that clients send."""

from __future__ import annotations

from collections.abc import Sequence

from qa_queue.api.documents import read
from qa_queue.api.schemas.runs import BatchSubmitted, RunBody, Submitted
from qa_queue.auth.tokens import Identity
from qa_queue.cases.model import Case
from qa_queue.cases.rebase import moved
from qa_queue.errors import ForbiddenError
from qa_queue.producer import RunRequest, SubmittedBatch, SubmittedRun
from qa_queue.producer.validation import resolve_environments, with_row
from qa_queue.services import Backend
from qa_queue.services.cases import case_of
from qa_queue.services.submission import each


def run_requests(
    backend: Backend, bodies: Sequence[RunBody], *, caller: Identity, key: str | None = None
) -> list[RunRequest]:
    """Return the requests of these bodies; the idempotency key of a batch names each of its items.

    Raises:
        ItemsError: at least one cannot be used; every bad item is named by its index.
        ForbiddenError: the caller's token is limited to other cases.
    """
    for body in bodies:
        refuse_other_case(backend, caller, body.case_id)

    def request_of(numbered: tuple[int, RunBody]) -> RunRequest:
        index, body = numbered
        return _request(backend, body, caller, f"{key}#{index}" if key and index else key)

    return each(list(enumerate(bodies)), request_of)


def refuse_other_case(backend: Backend, caller: Identity, case_id: str | None) -> None:
    """Refuse a case that the caller's token does not cover; None is a case of the caller's own.

    `backend` is the one that the caller may see.

    Raises:
        ForbiddenError: it does not.
    """
    if not caller.stored_only:
        return
    if case_id is None:
        raise ForbiddenError(f"The token of {caller.name} is limited to stored cases: give a `case_id`.")
    backend.case(case_id)


def hosts_of(caller: Identity) -> tuple[str, ...]:
    """Return the hosts to which the caller's token limits runs; empty for all."""
    return caller.scope.hosts if caller.scope else ()


def checked(request: RunRequest) -> RunRequest:
    """Return the request, if every `${...}` of its case has a value.

    Raises:
        CaseError: names those that have none.
    """
    resolve_environments([request])
    return request


def submitted(run: SubmittedRun) -> Submitted:
    """Return a submitted run as the API shows it."""
    return Submitted(run_id=run.run_id, job_id=run.job_id, case=run.case_name, created=run.created)


def submitted_batch(batch: SubmittedBatch) -> BatchSubmitted:
    """Return a submitted batch as the API shows it."""
    return BatchSubmitted(batch_id=batch.id, runs=[submitted(run) for run in batch.runs])


def _request(backend: Backend, body: RunBody, caller: Identity, key: str | None) -> RunRequest:
    case, source = _case(backend, body)
    request = RunRequest(
        case=moved(case, body.base_url) if body.base_url else case,
        source=source,
        base_url=body.base_url,
        env=body.env,
        process_env=False,
        config=body.config,
        priority=body.priority.value_on_queue,
        user_id=caller.name,
        allowed_hosts=hosts_of(caller),
        idempotency_key=key,
        attempts=body.attempts,
        delay_ms=body.delay_ms,
        seed=body.seed,
    )
    return checked(request if body.row is None else with_row(request, str(body.row)))


def _case(backend: Backend, body: RunBody) -> tuple[Case, str | None]:
    if body.case is not None:
        return read(body.case, suites=backend.settings.qa_api_suites), None
    record = backend.case(body.case_id or "")
    return case_of(record), record.source
