"""Operations on runs and on batches of runs."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse

from qa_queue.api import pagination
from qa_queue.api.artifacts import artifact_response, find_artifact
from qa_queue.api.dependencies import IdempotencyKey, Reader, RunStarter, Service
from qa_queue.api.errors import Absent, answers
from qa_queue.api.reports import DESCRIPTION, ReportFormat, report_response
from qa_queue.api.schemas.runs import (
    Artifact,
    Artifacts,
    BatchBody,
    BatchCancelled,
    BatchDetail,
    BatchItem,
    BatchPage,
    BatchSubmitted,
    Cancelled,
    FileLink,
    Pinned,
    Position,
    RerunBatchBody,
    RerunBody,
    RerunManyBody,
    RunBody,
    RunPage,
    Steps,
    Submitted,
    SubmittedMany,
)
from qa_queue.api.submission import hosts_of, refuse_other_case, run_requests, submitted, submitted_batch
from qa_queue.auth.tokens import Identity
from qa_queue.errors import InputError, NotFoundError
from qa_queue.models import RunStatus, utc_now
from qa_queue.reports.render import Format
from qa_queue.services import Backend, submission
from qa_queue.services.reports import batch_report, run_report
from qa_queue.store.records import RunRecord

routes = APIRouter(prefix="/runs", tags=["runs"])
batches = APIRouter(prefix="/batches", tags=["batches"])
files = APIRouter(tags=["runs"])

LinkSeconds = Annotated[int, Query(ge=60, le=604_800, description="Seconds for which the link is valid.")]
Ticket = Annotated[str, PathParameter(pattern=r"^[A-Za-z0-9_-]{43}$")]

FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file.", "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}
}


@routes.post(
    "", status_code=201, responses={200: {"model": Submitted}, **answers(409, body=True)}, summary="Submit a run"
)
def create_run(
    backend: Service, body: RunBody, caller: RunStarter, response: Response, idempotency_key: IdempotencyKey = None
) -> Submitted:
    """Queue a run of a case: 201 for a new run, 200 if an earlier request with this Idempotency-Key created it."""
    requests = run_requests(backend, [body], caller=caller, key=idempotency_key)
    if requests[0].data_row is None and len(rows := requests[0].case.data) > 1:
        raise InputError(f"The case has {len(rows)} rows of data, a run each: give a `row`, or submit a batch.")
    run = submitted(backend.producer.submit(requests)[0])
    response.status_code = 201 if run.created else 200
    response.headers["Location"] = f"/api/v1/runs/{run.run_id}"
    return run


@routes.post("/batch", status_code=201, responses=answers(409, body=True), summary="Submit a batch of runs")
def create_runs(
    backend: Service, body: BatchBody, caller: RunStarter, idempotency_key: IdempotencyKey = None
) -> BatchSubmitted:
    """Queue many runs, all or none; `problems` lists every invalid one by index.

    They form one batch, with one verdict, which can be cancelled as a whole.
    """
    requests = run_requests(backend, body.runs, caller=caller, key=idempotency_key)
    return submitted_batch(submission.submit_batch(backend, requests))


@routes.post("/rerun", status_code=201, responses=answers(body=True), summary="Rerun many runs")
def rerun_runs(backend: Service, body: RerunManyBody, caller: RunStarter) -> SubmittedMany:
    """Rerun these runs, or only those that failed; all or none. The present versions of their cases are used."""
    for run_id in body.run_ids if caller.scope else ():
        refuse_other_case(backend, caller, backend.run(run_id).test_case_id)
    found = submission.rerun_runs(
        backend, body.run_ids, user=caller.name, env={}, only_failed=body.only_failed, hosts=hosts_of(caller)
    )
    return SubmittedMany(runs=[submitted(run) for run in found])


@routes.get("", responses=answers(), summary="List runs")
def list_runs(
    backend: Service,
    _: Reader,
    status: Annotated[list[RunStatus] | Absent, Query(description="With any of these statuses.")] = None,
    case: Annotated[str | Absent, Query(description="Of the case with this id.")] = None,
    user: Annotated[str | Absent, Query(description="Submitted by this user.")] = None,
    since: Annotated[
        str | Absent,
        Query(description="Queued at or after this time, ISO 8601.", examples=["2026-01-08T12:00:00Z"]),
    ] = None,
    cursor: Annotated[str | Absent, Query(description="`next` of the previous page.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> RunPage:
    """List runs, the newest first: by queueing time, then by id."""
    found = backend.store.list_runs(
        case_ids=None if case is None else [case],
        statuses=status,
        user_id=user,
        queued_since=_moment(since) if since else None,
        after=pagination.decode(cursor) if cursor else None,
        limit=limit + 1,
    )
    runs, behind = pagination.paged(found, limit)
    return RunPage(runs=list(runs), next=behind)


@routes.get("/{run_id}", responses=answers(404), summary="Get a run")
def get_run(backend: Service, run_id: str, _: Reader) -> RunRecord:
    """Return the run in its present state."""
    return backend.run(run_id)


@routes.get("/{run_id}/steps", responses=answers(404), summary="Get a run's steps")
def get_steps(backend: Service, run_id: str, _: Reader) -> Steps:
    """Return the finished steps of every attempt."""
    run = backend.run(run_id)
    return Steps(steps=backend.store.list_steps([run.id]))


@routes.get("/{run_id}/artifacts", responses=answers(404), summary="List a run's files")
def get_artifacts(backend: Service, run_id: str, _: Reader) -> Artifacts:
    """List the screenshots, traces, logs and other files of a run."""
    run = backend.run(run_id)
    found = backend.store.list_artifacts([run.id])
    return Artifacts(
        artifacts=[Artifact(**one.model_dump(), url=f"/api/v1/runs/{run.id}/artifacts/{one.id}") for one in found]
    )


@routes.get(
    "/{run_id}/artifacts/{artifact_id}",
    response_class=FileResponse,
    responses=FILE | answers(404),
    summary="Download a file",
)
def get_artifact(backend: Service, run_id: str, artifact_id: str, _: Reader) -> FileResponse:
    """Return the file: pictures inline, everything else as an attachment."""
    return artifact_response(backend, run_id, artifact_id)


@routes.get(
    "/{run_id}/report",
    response_class=Response,
    responses={**DESCRIPTION, **answers(404)},
    summary="Get a run's report",
)
def get_report(backend: Service, run_id: str, _: Reader, format_: ReportFormat = Format.HTML) -> Response:
    """Return the report of a run."""
    return report_response(backend, lambda place: run_report(backend, run_id, place, utc_now()), format_)


@routes.post(
    "/{run_id}/artifacts/{artifact_id}/links", status_code=201, responses=answers(404), summary="Link to a file"
)
def create_file_link(
    backend: Service,
    request: Request,
    run_id: str,
    artifact_id: str,
    caller: Reader,
    expires_in_s: LinkSeconds = 86_400,
) -> FileLink:
    """Create a link to the file that needs no login until it expires."""
    found = find_artifact(backend, run_id, artifact_id)
    ticket = backend.changes(caller).link_file(found, expires_in_s)
    return FileLink(
        url=str(request.url_for("get_linked_file", ticket=ticket)),
        expires_at=utc_now() + timedelta(seconds=expires_in_s),
    )


@files.get(
    "/files/{ticket}", response_class=FileResponse, responses=FILE | answers(404), summary="Get a linked file"
)
def get_linked_file(backend: Service, ticket: Ticket) -> FileResponse:
    """Return the file of a link that has not expired; it needs no login."""
    found = backend.file_links.find(ticket)
    if found is None:
        raise NotFoundError("this link is unknown or has expired: ask for a new one.")
    return artifact_response(backend, *found)


@routes.get("/{run_id}/place", responses=answers(404), summary="Get a run's position in its queue")
def get_place(backend: Service, run_id: str, _: Reader) -> Position:
    """Return the position among the waiting runs and the estimated start; 404 once the run has started."""
    return Position(**asdict(backend.queues.get_position(backend.run(run_id).id)))


@routes.post("/{run_id}/cancel", responses=answers(404), summary="Cancel a run")
def cancel_run(backend: Service, run_id: str, caller: RunStarter) -> Cancelled:
    """Cancel a run: a waiting or delayed one never starts, a running one is asked to stop. Idempotent."""
    run = backend.run(run_id)
    refuse_other_case(backend, caller, run.test_case_id)
    return Cancelled(run_id=run.id, outcome=backend.changes(caller).cancel_runs([run.id])[run.id])


@routes.post("/{run_id}/pin", responses=answers(404), summary="Pin a run")
def pin_run(backend: Service, run_id: str, caller: RunStarter) -> Pinned:
    """Keep a run with its files: no cleanup deletes it. Idempotent."""
    return _pinned_run(backend, run_id, caller, pinned=True)


@routes.post("/{run_id}/unpin", responses=answers(404), summary="Unpin a run")
def unpin_run(backend: Service, run_id: str, caller: RunStarter) -> Pinned:
    """Let the cleanup delete a run again. Idempotent."""
    return _pinned_run(backend, run_id, caller, pinned=False)


@routes.post("/{run_id}/rerun", status_code=201, responses=answers(404, body=True), summary="Rerun a run")
def rerun_run(backend: Service, run_id: str, caller: RunStarter, body: RerunBody | None = None) -> Submitted:
    """Submit a new run of the case's present version, on the same host and with the same settings."""
    refuse_other_case(backend, caller, backend.run(run_id).test_case_id)
    env = body.env if body else {}
    return submitted(submission.rerun_run(backend, run_id, user=caller.name, env=env, hosts=hosts_of(caller)))


@batches.get("", responses=answers(), summary="List batches")
def list_batches(
    backend: Service,
    _: Reader,
    cursor: Annotated[str | Absent, Query(description="`next` of the previous page.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> BatchPage:
    """List batches, the newest first, each with its verdict and its number of runs by status."""
    after = pagination.decode(cursor) if cursor else None
    found = backend.batches.newest(limit=limit + 1, after=after)
    page, behind = pagination.paged(found, limit)
    return BatchPage(batches=[BatchItem(**asdict(one)) for one in page], next=behind)


@batches.get("/{batch_id}", responses=answers(404), summary="Get a batch")
def get_batch(backend: Service, batch_id: str, _: Reader) -> BatchDetail:
    """Return the verdict and progress of a batch, and the ids of its runs."""
    return BatchDetail(**asdict(backend.batches.view(batch_id)))


@batches.get(
    "/{batch_id}/report",
    response_class=Response,
    responses={**DESCRIPTION, **answers(404)},
    summary="Get a batch's report",
)
def get_batch_report(backend: Service, batch_id: str, _: Reader, format_: ReportFormat = Format.HTML) -> Response:
    """Return the report of all runs of a batch, as far as they have come."""
    return report_response(backend, lambda place: batch_report(backend, batch_id, place, utc_now()), format_)


@batches.post("/{batch_id}/cancel", responses=answers(404), summary="Cancel a batch")
def cancel_batch(backend: Service, batch_id: str, caller: RunStarter) -> BatchCancelled:
    """Cancel the unfinished runs: waiting and delayed ones never start, running ones are asked to stop.

    Finished runs keep their result. Idempotent.
    """
    outcomes = backend.changes(caller).cancel_batch(batch_id)
    return BatchCancelled(batch_id=batch_id, outcomes={run_id: one.value for run_id, one in outcomes.items()})


@batches.post("/{batch_id}/pin", responses=answers(404), summary="Pin a batch")
def pin_batch(backend: Service, batch_id: str, caller: RunStarter) -> Pinned:
    """Keep all runs of a batch with their files: no cleanup deletes them. Idempotent."""
    return Pinned(run_ids=backend.changes(caller).pin_batch(batch_id, pinned=True), pinned=True)


@batches.post("/{batch_id}/unpin", responses=answers(404), summary="Unpin a batch")
def unpin_batch(backend: Service, batch_id: str, caller: RunStarter) -> Pinned:
    """Let the cleanup delete the runs of a batch again. Idempotent."""
    return Pinned(run_ids=backend.changes(caller).pin_batch(batch_id, pinned=False), pinned=False)


@batches.post(
    "/{batch_id}/rerun",
    status_code=201,
    responses=answers(404, 409, body=True),
    summary="Rerun a batch",
)
def rerun_batch(
    backend: Service, batch_id: str, caller: RunStarter, body: RerunBatchBody | None = None
) -> BatchSubmitted:
    """Submit a new batch of the failed runs, or of all that have ended, with the present versions of their cases.

    409 if there is nothing to rerun.
    """
    how = body or RerunBatchBody()
    batch = submission.rerun_batch(
        backend, batch_id, user=caller.name, env=how.env, only_failed=how.only_failed, hosts=hosts_of(caller)
    )
    return submitted_batch(batch)


def _pinned_run(backend: Backend, run_id: str, caller: Identity, *, pinned: bool) -> Pinned:
    run = backend.run(run_id)
    refuse_other_case(backend, caller, run.test_case_id)
    backend.changes(caller).pin_runs([run.id], pinned=pinned)
    return Pinned(run_ids=[run.id], pinned=pinned)


def _moment(text: str) -> datetime:
    """Return the time in UTC; one without a zone is taken as UTC."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InputError(f"since={text!r} is not a time: write it as 2026-01-08T12:00:00Z.") from None
