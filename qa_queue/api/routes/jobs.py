"""Jobs of any queue: putting one on it, and what became of it."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, Response

from qa_queue.api.auth import Admin, Reader
from qa_queue.api.errors import answers
from qa_queue.api.schemas.jobs import JobBody, JobState, JobSubmitted
from qa_queue.api.schemas.parameters import IdempotencyKey, KnownQueue
from qa_queue.producer import JobRequest
from qa_queue.queues.job_view import read_job
from qa_queue.services import Backend


def router(backend: Backend) -> APIRouter:
    """The operations on jobs."""
    routes = APIRouter(prefix="/queue", tags=["queue"])

    @routes.post(
        "/{queue}/jobs",
        status_code=201,
        responses={200: {"model": JobSubmitted}, **answers(409, body=True)},
        summary="Make a job",
    )
    def create_job(
        queue: KnownQueue, body: JobBody, _: Admin, response: Response, idempotency_key: IdempotencyKey = None
    ) -> JobSubmitted:
        """Put a job on a queue, its payload checked by the queue's model: 201 for a new one, 200 for one that its
        Idempotency-Key made before. Runs are made by `POST /runs`."""
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
        (job,) = backend.jobs.submit(queue, request)
        response.status_code = 201 if job.created else 200
        response.headers["Location"] = f"/api/v1/queue/jobs/{job.job_id}"
        return JobSubmitted(job_id=job.job_id, queue=job.queue, created=job.created)

    @routes.get("/jobs/{job_id}", responses=answers(404), summary="Get a job")
    def get_job(job_id: str, _: Reader) -> JobState:
        """The job as Redis has it: where it stands, what it returned, and what went wrong in each attempt."""
        return JobState(**asdict(read_job(backend.redis, job_id)))

    return routes
