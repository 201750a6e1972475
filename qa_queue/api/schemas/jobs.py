"""Models of jobs of any queue."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field, JsonValue

from qa_queue.api.schemas.runs import MOST_DELAY_MS, RUN_ID, Body, PriorityName
from qa_queue.models.backoff import Backoff
from qa_queue.queues.attempts import AttemptFailure


class JobBody(Body):
    """A job to be put on a queue; what is left out is as the queue says."""

    data: dict[str, Any] = Field(
        description="The payload, as the queue's model has it.", examples=[{"dry_run": True}]
    )
    name: str = Field(default="", max_length=200, description="What people see of it.")
    priority: PriorityName = PriorityName.NORMAL
    attempts: int | None = Field(default=None, ge=1, le=25)
    backoff: Backoff | None = None
    timeout_s: int | None = Field(default=None, ge=1, le=24 * 3600)
    delay_ms: int | None = Field(default=None, ge=0, le=MOST_DELAY_MS)
    metadata: dict[str, JsonValue] = Field(default_factory=dict, max_length=100, description="Kept beside the job.")


class JobSubmitted(BaseModel):
    """A job that is on its queue; `created` is false when its idempotency key had been used for it before."""

    job_id: str = Field(examples=[RUN_ID])
    queue: str
    created: bool


class JobState(BaseModel):
    """A job. `status` is waiting, delayed, processing, completed, failed or cancelled; `result` is what its
    processor returned; `errors` are those of its failed attempts."""

    id: str
    queue: str
    name: str
    status: str = Field(examples=["completed"])
    data: dict[str, Any] | None
    result: JsonValue
    errors: list[AttemptFailure]
    metadata: dict[str, Any]
    created_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
