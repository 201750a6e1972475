"""The contents of queues, and changing them: dead letters, pausing, cleaning."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from qa_queue.api.auth import Admin, Reader
from qa_queue.api.errors import Absent, answers
from qa_queue.api.schemas.parameters import KnownQueue
from qa_queue.api.schemas.queues import (
    CleanBody,
    Cleaned,
    DeadLetterAnswer,
    DeadLetterBody,
    FailedJob,
    FailedJobs,
    QueueCounts,
    QueueState,
    Range,
    RequeueAllBody,
    Requeued,
    Stats,
)
from qa_queue.errors import InputError
from qa_queue.models import utc_now
from qa_queue.queues.dead_letter import DeadLetter
from qa_queue.services import Backend

MOST_LETTERS = 1000  # in one answer


def router(backend: Backend) -> APIRouter:
    """The operations on queues."""
    routes = APIRouter(prefix="/queue", tags=["queue"])

    @routes.get("/stats", responses=answers(), summary="Count the jobs")
    def get_stats(_: Reader) -> Stats:
        """Jobs on all queues together; reading changes nothing."""
        return Stats(status="healthy", stats=_counts(backend), timestamp=utc_now())

    @routes.get("/failed", responses=answers(), summary="List dead letters")
    def list_failed(
        _: Reader,
        start: Annotated[int, Query(ge=0, le=1_000_000, description="Place of the first, from 0.")] = 0,
        end: Annotated[int, Query(ge=0, le=1_000_000, description="Place of the last, included.")] = 10,
        queue: Annotated[KnownQueue | Absent, Query(description="Those of one queue.")] = None,
    ) -> FailedJobs:
        """Jobs whose attempts are used up, the latest death first, with every attempt's error."""
        if end - start >= MOST_LETTERS:
            raise InputError(f"{start} to {end} are too many: ask for at most {MOST_LETTERS} at a time.")
        letters = backend.dead_letters.list(start, end, queue)
        return FailedJobs(
            jobs=[_failed_job(one) for one in letters], count=len(letters), range=Range(start=start, end=end)
        )

    @routes.post("/dlq", responses=answers(404, body=True), summary="Requeue a dead letter")
    def requeue(body: DeadLetterBody, _: Admin) -> DeadLetterAnswer:
        """Put a job back on its queue with all its attempts anew; its history stays with it."""
        backend.dead_letters.requeue(body.jobId)
        return DeadLetterAnswer(success=True, jobId=body.jobId, message="Job is back on its queue")

    @routes.post("/dlq/requeue-all", responses=answers(body=True), summary="Requeue every dead letter")
    def requeue_all(body: RequeueAllBody, _: Admin) -> Requeued:
        """Requeue the present dead letters of one queue or of all; a refused one does not affect the others."""
        report = backend.dead_letters.requeue_all(body.queue)
        return Requeued(requeued=list(report.requeued), refused=report.refused)

    @routes.delete("/dlq/{job_id}", responses=answers(404), summary="Discard a dead letter")
    def discard(job_id: str, _: Admin) -> DeadLetterAnswer:
        """Delete it for good; its run stays as it ended."""
        backend.dead_letters.discard(job_id)
        return DeadLetterAnswer(success=True, jobId=job_id, message="Job is discarded")

    @routes.post("/{queue}/pause", responses=answers(), summary="Pause a queue")
    def pause(queue: KnownQueue, _: Admin) -> QueueState:
        """Nothing more is taken from it; what runs goes on, and workers stay up."""
        return QueueState(queue=queue, paused=True, changed=backend.queues.pause(queue))

    @routes.post("/{queue}/resume", responses=answers(), summary="Resume a queue")
    def resume(queue: KnownQueue, _: Admin) -> QueueState:
        """Take from it again, at once."""
        return QueueState(queue=queue, paused=False, changed=backend.queues.resume(queue))

    @routes.post("/{queue}/clean", responses=answers(body=True), summary="Delete ended jobs")
    def clean(queue: KnownQueue, body: CleanBody, _: Admin) -> Cleaned:
        """Delete jobs that ended a while ago from Redis; their runs stay in Supabase."""
        return Cleaned(deleted=backend.queues.clean(queue, body.grace_ms, body.limit, body.kind))

    return routes


def _counts(backend: Backend) -> QueueCounts:
    queues = backend.queues.get_queue_stats().values()
    waiting, processing = sum(one.waiting for one in queues), sum(one.processing for one in queues)
    dead, delayed = sum(one.dlq for one in queues), sum(one.delayed for one in queues)
    total = waiting + processing + dead + delayed
    return QueueCounts(waiting=waiting, processing=processing, dlq=dead, delayed=delayed, total=total)


def _failed_job(letter: DeadLetter) -> FailedJob:
    return FailedJob(
        id=letter.job_id,
        queue=letter.queue,
        data=letter.data,
        failedReason=letter.reason,
        attempts=len(letter.attempts),
        createdAt=letter.created_at,
        failedAt=letter.died_at,
        errors=list(letter.attempts),
    )
