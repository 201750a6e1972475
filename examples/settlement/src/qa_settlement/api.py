"""The API operation of this package."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from qa_queue import Backend, Runner, answers
from qa_settlement.enqueue import enqueue_settlement
from qa_settlement.models import Settlement


class Accepted(BaseModel):
    """A settlement on its queue; `created` is false if its key was sent before."""

    job_id: str = Field(examples=["0b0f4c0e-5d0f-4a4e-8d6b-0f6f2a3c9d11"])
    queue: str
    created: bool


def router(backend: Backend) -> APIRouter:
    """`POST /api/scan/verify`."""
    routes = APIRouter(prefix="/scan", tags=["settlement"])

    @routes.post(
        "/verify",
        status_code=202,
        responses={200: {"model": Accepted}, **answers(409, body=True)},
        summary="Verify a scan",
    )
    def verify_scan(body: Settlement, _: Runner, response: Response) -> Accepted:
        """Put the settlement of a scan on its queue. The status is 202 for a new one, 200 if its key was sent
        before, and 409 if the key was sent with another settlement. `GET /queue/jobs/{id}` shows its result."""
        job = enqueue_settlement(
            body.user_id,
            body.place_id,
            body.mission_id,
            body.amount,
            body.idempotency_key,
            body.metadata,
            producer=backend.jobs,
        )
        response.status_code = 202 if job.created else 200
        response.headers["Location"] = f"/api/v1/queue/jobs/{job.job_id}"
        return Accepted(job_id=job.job_id, queue=job.queue, created=job.created)

    return routes
