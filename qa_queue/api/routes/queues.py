"""Operations on queues: their jobs, dead letters and limits."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from qa_queue.api.dependencies import Admin, IdempotencyKey, KnownQueue, Reader, Service, ServiceReader
from qa_queue.api.errors import Absent, answers
from qa_queue.api.schemas.queues import (
    CleanBody,
    Cleaned,
    DeadLetterAnswer,
    DeadLetterBody,
    FailedJob,
    FailedJobs,
    JobBody,
    JobState,
    JobSubmitted,
    Limit,
    LimitBody,
    LimitList,
    LimitRemoved,
    QueueCounts,
    QueueState,
    Range,
    RequeueAllBody,
    Requeued,
    Stats,
)
from qa_queue.errors import InputError
from qa_queue.models import utc_now
from qa_queue.producer import JobRequest
from qa_queue.queues.dead_letter import DeadLetter
from qa_queue.queues.job_view import read_job
from qa_queue.queues.limits import LimitRule, normal_key
from qa_queue.services import Backend

MAX_LISTED = 1000  # dead letters in one response
Key = Annotated[
    str,
    Path(min_length=1, max_length=300, description="A site or a user.", examples=["site:shop.example", "user:ann"]),
]
routes = APIRouter(prefix="/queue", tags=["queue"])
limits = APIRouter(prefix="/limits", tags=["queue"])


@routes.get("/stats", responses=answers(), summary="Count the jobs")
def get_stats(backend: Service, _: Reader) -> Stats:
    """Return the number of jobs on all queues; reading changes nothing."""
    return Stats(status="healthy", stats=_counts(backend), timestamp=utc_now())


@routes.get("/failed", responses=answers(), summary="List dead letters")
def list_failed(
    backend: Service,
    _: ServiceReader,
    start: Annotated[int, Query(ge=0, le=1_000_000, description="Position of the first, from 0.")] = 0,
    end: Annotated[int, Query(ge=0, le=1_000_000, description="Position of the last, included.")] = 10,
    queue: Annotated[KnownQueue | Absent, Query(description="Of this queue.")] = None,
) -> FailedJobs:
    """List the jobs that failed in their last attempt, the latest first, with the error of every attempt."""
    if end - start >= MAX_LISTED:
        raise InputError(f"{start} to {end} are too many: ask for at most {MAX_LISTED} at a time.")
    letters = backend.dead_letters.list(start, end, queue)
    return FailedJobs(
        jobs=[_failed_job(one) for one in letters], count=len(letters), range=Range(start=start, end=end)
    )


@routes.post("/dlq", responses=answers(404, body=True), summary="Requeue a dead letter")
def requeue(backend: Service, body: DeadLetterBody, caller: Admin) -> DeadLetterAnswer:
    """Requeue a job with all its attempts; its history is kept."""
    backend.changes(caller).requeue(body.jobId)
    return DeadLetterAnswer(success=True, jobId=body.jobId, message="Job is back on its queue")


@routes.post("/dlq/requeue-all", responses=answers(body=True), summary="Requeue every dead letter")
def requeue_all(backend: Service, body: RequeueAllBody, caller: Admin) -> Requeued:
    """Requeue the present dead letters of one queue or of all; a refused one does not affect the others."""
    report = backend.changes(caller).requeue_all(body.queue)
    return Requeued(requeued=list(report.requeued), refused=report.refused)


@routes.delete("/dlq/{job_id}", responses=answers(404), summary="Discard a dead letter")
def discard(backend: Service, job_id: str, caller: Admin) -> DeadLetterAnswer:
    """Delete a dead letter permanently; its run keeps its result."""
    backend.changes(caller).discard(job_id)
    return DeadLetterAnswer(success=True, jobId=job_id, message="Job is discarded")


@routes.post("/{queue}/pause", responses=answers(), summary="Pause a queue")
def pause(backend: Service, queue: KnownQueue, caller: Admin) -> QueueState:
    """Stop taking jobs from the queue; running jobs continue, and workers stay up."""
    return QueueState(queue=queue, paused=True, changed=backend.changes(caller).pause_queue(queue))


@routes.post("/{queue}/resume", responses=answers(), summary="Resume a queue")
def resume(backend: Service, queue: KnownQueue, caller: Admin) -> QueueState:
    """Take jobs from the queue again, immediately."""
    return QueueState(queue=queue, paused=False, changed=backend.changes(caller).resume_queue(queue))


@routes.post("/{queue}/clean", responses=answers(body=True), summary="Delete ended jobs")
def clean(backend: Service, queue: KnownQueue, body: CleanBody, caller: Admin) -> Cleaned:
    """Delete ended jobs from Redis; their runs stay in Supabase."""
    deleted = backend.changes(caller).clean_queue(queue, body.grace_ms, body.limit, body.kind)
    return Cleaned(deleted=deleted)


@routes.post(
    "/{queue}/jobs",
    status_code=201,
    responses={200: {"model": JobSubmitted}, **answers(409, body=True)},
    summary="Submit a job",
)
def create_job(
    backend: Service,
    queue: KnownQueue,
    body: JobBody,
    caller: Admin,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> JobSubmitted:
    """Queue a job; the queue's model validates its payload. Use `POST /runs` for runs.

    201 for a new job, 200 if an earlier request with this Idempotency-Key created it.
    """
    request = JobRequest(
        data=body.data,
        name=body.name,
        idempotency_key=idempotency_key,
        priority=body.priority.value_on_queue,
        attempts=body.attempts,
        backoff=body.backoff,
        timeout_s=body.timeout_s,
        delay_ms=body.delay_ms,
        metadata=body.metadata,
    )
    job = backend.changes(caller).submit_job(queue, request)
    response.status_code = 201 if job.created else 200
    response.headers["Location"] = f"/api/v1/queue/jobs/{job.job_id}"
    return JobSubmitted(job_id=job.job_id, queue=job.queue, created=job.created)


@routes.get("/jobs/{job_id}", responses=answers(404), summary="Get a job")
def get_job(backend: Service, job_id: str, _: ServiceReader) -> JobState:
    """Return the job as stored in Redis: status, result, and the error of each attempt."""
    return JobState(**asdict(read_job(backend.redis, job_id)))


@limits.get("", responses=answers(), summary="List limits")
def list_limits(backend: Service, _: ServiceReader) -> LimitList:
    """List every rule by key."""
    return LimitList(limits=[_limit(key, rule) for key, rule in backend.limits.rules().items()])


@limits.put("/{key:path}", responses=answers(404, body=True), summary="Set a limit")
def put_limit(backend: Service, key: Key, body: LimitBody, caller: Admin) -> Limit:
    """Set the rule of `site:HOST` or `user:ID`; `*` sets it for each site or user. It applies from the next job."""
    rule = LimitRule(at_once=body.at_once, a_minute=body.a_minute)
    return _limit(backend.changes(caller).set_limit(key, rule), rule)


@limits.delete("/{key:path}", responses=answers(404), summary="Remove a limit")
def remove_limit(backend: Service, key: Key, caller: Admin) -> LimitRemoved:
    """Remove a rule; the jobs that it delayed may start immediately."""
    backend.changes(caller).remove_limit(key)
    return LimitRemoved(key=normal_key(key))


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


def _limit(key: str, rule: LimitRule) -> Limit:
    return Limit(key=key, at_once=rule.at_once, a_minute=rule.a_minute)
