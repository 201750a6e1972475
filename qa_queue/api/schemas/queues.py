"""Models of queues and jobs; names in camel case are those of the original systems."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field, JsonValue

from qa_queue.api.dependencies import KnownQueue
from qa_queue.api.schemas.runs import MAX_DELAY_MS, RUN_ID, Body, PriorityName
from qa_queue.models.values import Backoff
from qa_queue.queues.attempts import AttemptFailure
from qa_queue.queues.retention import CleanKind


class QueueCounts(BaseModel):
    """Jobs on all queues; `dlq` are dead letters."""

    waiting: int
    processing: int
    dlq: int
    delayed: int
    total: int


class Stats(BaseModel):
    """Counts of the jobs on the queues."""

    status: str = Field(examples=["healthy"])
    stats: QueueCounts
    timestamp: datetime


class FailedJob(BaseModel):
    """A dead letter; `attempts` counts the failed ones."""

    id: str
    queue: str
    data: dict[str, Any] | None = Field(description="The job's payload; null when it cannot be read.")
    failedReason: str  # noqa: N815 - the originals' name
    attempts: int
    createdAt: datetime | None  # noqa: N815 - the originals' name
    failedAt: datetime  # noqa: N815 - beside createdAt
    errors: list[AttemptFailure]


class Range(BaseModel):
    """Positions in a list, from 0, both included."""

    start: int
    end: int


class FailedJobs(BaseModel):
    """Dead letters, the latest first; `count` is the number of `jobs`."""

    jobs: list[FailedJob]
    count: int
    range: Range


class DeadLetterBody(Body):
    """A dead letter to requeue."""

    jobId: str = Field(min_length=1, max_length=200, examples=[RUN_ID])  # noqa: N815 - the originals' name


class DeadLetterAnswer(BaseModel):
    """Result of an operation on a dead letter."""

    success: bool
    jobId: str  # noqa: N815 - the originals' name
    message: str


class RequeueAllBody(Body):
    """Selection of the dead letters to requeue: those of one queue, or all."""

    queue: KnownQueue | None = None


class Requeued(BaseModel):
    """The requeued jobs, and the reasons of the refused ones by id."""

    requeued: list[str]
    refused: dict[str, str]


class CleanBody(Body):
    """Selection of the ended jobs to delete: of this kind, ended at least `grace_ms` ago, the oldest first."""

    kind: CleanKind = "completed"
    grace_ms: int = Field(default=0, ge=0, le=MAX_DELAY_MS)
    limit: int = Field(default=1000, ge=1, le=10_000)


class Cleaned(BaseModel):
    """The ids of the deleted jobs."""

    deleted: list[str]


class QueueState(BaseModel):
    """The paused state of a queue; `changed` is false if it was in this state already."""

    queue: str
    paused: bool
    changed: bool


class LimitBody(Body):
    """A rule: at most `at_once` runs at once, and `a_minute` starts in any 60 s; null means unlimited."""

    at_once: int | None = Field(default=None, ge=1, le=1_000_000)
    a_minute: int | None = Field(default=None, ge=1, le=1_000_000)


class Limit(BaseModel):
    """The rule of a key."""

    key: str = Field(examples=["site:shop.example"])
    at_once: int | None
    a_minute: int | None


class LimitList(BaseModel):
    """Every rule, by key."""

    limits: list[Limit]


class LimitRemoved(BaseModel):
    """The key whose rule was removed."""

    key: str


class JobBody(Body):
    """A job to submit; omitted options have the queue's defaults."""

    data: dict[str, Any] = Field(
        description="The payload, validated by the queue's model.", examples=[{"dry_run": True}]
    )
    name: str = Field(default="", max_length=200, description="A name for people.")
    priority: PriorityName = PriorityName.NORMAL
    attempts: int | None = Field(default=None, ge=1, le=25)
    backoff: Backoff | None = None
    timeout_s: int | None = Field(default=None, ge=1, le=24 * 3600)
    delay_ms: int | None = Field(default=None, ge=0, le=MAX_DELAY_MS)
    metadata: dict[str, JsonValue] = Field(default_factory=dict, max_length=100, description="Stored with the job.")


class JobSubmitted(BaseModel):
    """A submitted job; `created` is false when an earlier request with its idempotency key created it."""

    job_id: str = Field(examples=[RUN_ID])
    queue: str
    created: bool


class JobState(BaseModel):
    """A job. `status` is waiting, delayed, processing, completed, failed or cancelled; `result` is the return value
    of its processor; `errors` are those of its failed attempts."""

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
