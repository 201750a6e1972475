"""Batches: runs that were made together, with one verdict, one progress and one cancel."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from qa_queue.api import pagination as cursors
from qa_queue.api.auth import Reader, Runner
from qa_queue.api.errors import Absent, answers
from qa_queue.api.schemas.batches import (
    BatchCancelled,
    BatchDetail,
    BatchItem,
    BatchPage,
    BatchSubmitted,
    RerunBatchBody,
)
from qa_queue.api.submission import submitted_batch
from qa_queue.services import Backend
from qa_queue.services.submission import rerun_batch


def router(backend: Backend) -> APIRouter:
    """The operations on batches; `POST /runs/batch` makes one."""
    routes = APIRouter(prefix="/batches", tags=["batches"])

    @routes.get("", responses=answers(), summary="List batches")
    def list_batches(
        _: Reader,
        cursor: Annotated[str | Absent, Query(description="`next` of the page before.")] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> BatchPage:
        """Batches, the newest first, each with its verdict and how many of its runs stand where."""
        after = cursors.decode(cursor) if cursor else None
        found = backend.batches.newest(limit=limit + 1, after=after)
        page, behind = cursors.paged(found, limit)
        return BatchPage(batches=[BatchItem(**asdict(one)) for one in page], next=behind)

    @routes.get("/{batch_id}", responses=answers(404), summary="Get a batch")
    def get_batch(batch_id: str, _: Reader) -> BatchDetail:
        """Its verdict, its progress, and the ids of its runs."""
        return BatchDetail(**asdict(backend.batches.view(batch_id)))

    @routes.post("/{batch_id}/cancel", responses=answers(404), summary="Cancel a batch")
    def cancel_batch(batch_id: str, caller: Runner) -> BatchCancelled:
        """Runs that wait or are delayed never start; those that run are asked to stop; the others stay as they
        ended. Harmless when asked again."""
        outcomes = backend.batches.cancel(batch_id, f"cancelled by {caller.name}")
        return BatchCancelled(batch_id=batch_id, outcomes={run_id: one.value for run_id, one in outcomes.items()})

    @routes.post(
        "/{batch_id}/rerun",
        status_code=201,
        responses=answers(404, 409, body=True),
        summary="Make the runs of a batch again",
    )
    def rerun_runs(batch_id: str, caller: Runner, body: RerunBatchBody | None = None) -> BatchSubmitted:
        """A new batch of those that failed, or of all that have ended; their cases are taken as they are now. 409
        if there is nothing to rerun."""
        how = body or RerunBatchBody()
        batch = rerun_batch(backend, batch_id, user=caller.name, env=how.env, only_failed=how.only_failed)
        return submitted_batch(batch)

    return routes
