"""Models of queues; names in camel case are those of the original systems."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from qa_queue.api.schemas.parameters import KnownQueue
from qa_queue.api.schemas.runs import MOST_DELAY_MS, RUN_ID, Body
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
    """A dead letter, in the originals' words; `attempts` counts those that failed."""

    id: str
    queue: str
    data: dict[str, Any] | None = Field(description="The job's payload; null when it cannot be read.")
    failedReason: str  # noqa: N815 - the originals' name
    attempts: int
    createdAt: datetime | None  # noqa: N815 - the originals' name
    failedAt: datetime  # noqa: N815 - beside createdAt
    errors: list[AttemptFailure]


class Range(BaseModel):
    """Places in a list, from 0, both included."""

    start: int
    end: int


class FailedJobs(BaseModel):
    """Dead letters, the latest death first; `count` is how many are listed here."""

    jobs: list[FailedJob]
    count: int
    range: Range


class DeadLetterBody(Body):
    """A dead letter to be requeued on its queue."""

    jobId: str = Field(min_length=1, max_length=200, examples=[RUN_ID])  # noqa: N815 - the originals' name


class DeadLetterAnswer(BaseModel):
    """The outcome."""

    success: bool
    jobId: str  # noqa: N815 - the originals' name
    message: str


class RequeueAllBody(Body):
    """Whose dead letters are requeued: those of one queue, or all."""

    queue: KnownQueue | None = None


class Requeued(BaseModel):
    """The jobs requeued, and why others were not, by id."""

    requeued: list[str]
    refused: dict[str, str]


class CleanBody(Body):
    """Selection of the ended jobs to delete: those of a kind that ended `grace_ms` ago or earlier, oldest first."""

    kind: CleanKind = "completed"
    grace_ms: int = Field(default=0, ge=0, le=MOST_DELAY_MS)
    limit: int = Field(default=1000, ge=1, le=10_000)


class Cleaned(BaseModel):
    """The ids of the jobs that were deleted."""

    deleted: list[str]


class QueueState(BaseModel):
    """The paused state of a queue; `changed` is false if it had this state before."""

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
    """The key whose rule is gone."""

    key: str
