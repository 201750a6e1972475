"""Making runs and listing them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response

from qa_queue.api import pagination as cursors
from qa_queue.api.auth import Reader, Runner
from qa_queue.api.errors import Absent, answers
from qa_queue.api.schemas.batches import BatchSubmitted
from qa_queue.api.schemas.parameters import IdempotencyKey
from qa_queue.api.schemas.runs import BatchBody, RerunManyBody, RunBody, RunPage, Submitted, SubmittedMany
from qa_queue.api.submission import run_requests, submitted, submitted_batch
from qa_queue.errors import InputError
from qa_queue.models import RunStatus
from qa_queue.services import Backend, submission


def router(backend: Backend) -> APIRouter:
    """The operations on runs as a whole."""
    routes = APIRouter(prefix="/runs", tags=["runs"])

    @routes.post(
        "", status_code=201, responses={200: {"model": Submitted}, **answers(409, body=True)}, summary="Make a run"
    )
    def create_run(
        body: RunBody, caller: Runner, response: Response, idempotency_key: IdempotencyKey = None
    ) -> Submitted:
        """Put a run of a case on the queue: 201 for a new one, 200 for one that its Idempotency-Key made before."""
        requests = run_requests(backend, [body], user=caller.name, key=idempotency_key)
        run = submitted(backend.producer.submit(requests)[0])
        response.status_code = 201 if run.created else 200
        response.headers["Location"] = f"/api/v1/runs/{run.run_id}"
        return run

    @routes.post("/batch", status_code=201, responses=answers(409, body=True), summary="Make a batch of runs")
    def create_runs(body: BatchBody, caller: Runner, idempotency_key: IdempotencyKey = None) -> BatchSubmitted:
        """Put many runs on the queue, all or none: if any cannot be used, `problems` names every one, by index.
        They are one batch, with one verdict and one cancel."""
        requests = run_requests(backend, body.runs, user=caller.name, key=idempotency_key)
        return submitted_batch(submission.submit_batch(backend, requests))

    @routes.post("/rerun", status_code=201, responses=answers(body=True), summary="Make many runs again")
    def rerun_runs(body: RerunManyBody, caller: Runner) -> SubmittedMany:
        """Make these runs again, or only those of them that failed; all or none. Their cases are taken as they are
        now. Without any that failed, nothing is made."""
        found = submission.rerun_runs(backend, body.run_ids, user=caller.name, env={}, only_failed=body.only_failed)
        return SubmittedMany(runs=[submitted(run) for run in found])

    @routes.get("", responses=answers(), summary="List runs")
    def list_runs(
        _: Reader,
        status: Annotated[list[RunStatus] | Absent, Query(description="Of any of these statuses.")] = None,
        case: Annotated[str | Absent, Query(description="Of the case with this id.")] = None,
        user: Annotated[str | Absent, Query(description="Made by this user.")] = None,
        since: Annotated[
            str | Absent,
            Query(description="Queued at or after this moment, ISO 8601.", examples=["2026-01-08T12:00:00Z"]),
        ] = None,
        cursor: Annotated[str | Absent, Query(description="`next` of the page before.")] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> RunPage:
        """Runs, the newest first, by the moment they were queued and, within one, by id."""
        found = backend.store.list_runs(
            case_id=case,
            statuses=status,
            user_id=user,
            queued_since=_moment(since) if since else None,
            after=cursors.decode(cursor) if cursor else None,
            limit=limit + 1,
        )
        runs, behind = cursors.paged(found, limit)
        return RunPage(runs=list(runs), next=behind)

    return routes


def _moment(text: str) -> datetime:
    """The moment in UTC; one without a zone is taken as UTC."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InputError(f"since={text!r} is not a time: write it as 2026-01-08T12:00:00Z.") from None
