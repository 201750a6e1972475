"""Models of runs and batches."""

from __future__ import annotations

import json
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from qa_queue.api.documents import Document
from qa_queue.models import Priority, RunStatus, TestConfig
from qa_queue.models.outcomes import BatchVerdict
from qa_queue.store.records import ArtifactRecord, RunRecord, StepRecord

CASE: dict[str, Any] = {
    "version": 1,
    "name": "Sign in",
    "base_url": "http://127.0.0.1:8080",
    "steps": [{"goto": "/login"}, {"expect": {"title": "Shop"}}],
}
RUN_ID = "0b0f4c0e-5d0f-4a4e-8d6b-0f6f2a3c9d11"
BATCH_ID = "7f1f6a52-3a10-4a57-9a3e-2f6f1f0e8f10"
MAX_RUNS = 1000
MAX_DELAY_MS = 30 * 24 * 3600 * 1000

CaseDocument = Annotated[
    Document,
    Field(description="A case: its document as JSON, or the text of a YAML or JSON file.", examples=[CASE]),
]


class PriorityName(StrEnum):
    """A run's priority; urgent goes first."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"

    @property
    def value_on_queue(self) -> Priority:
        """Return the priority as the queues store it."""
        return Priority[self.name]


class Body(BaseModel):
    """Body of a request: an unknown field is an error."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _is_unicode(cls, data: Any) -> Any:
        """Reject lone surrogates, which JSON allows but databases and URLs cannot store."""
        try:
            json.dumps(data, ensure_ascii=False, default=str).encode()
        except UnicodeEncodeError:
            raise ValueError("contains half a character (a lone surrogate): send valid Unicode text") from None
        except RecursionError:
            pass  # the reader of the document rejects its depth
        return data


class RunOptions(Body):
    """Options of a run."""

    base_url: str | None = Field(
        default=None, pattern=r"^https?://", max_length=2000, examples=["https://staging.example.com"]
    )
    env: dict[str, str] = Field(default_factory=dict, description="Values of ${env.NAME}.")
    config: TestConfig = Field(default_factory=TestConfig)
    priority: PriorityName = PriorityName.NORMAL
    attempts: int | None = Field(
        default=None, ge=1, le=25, description="When the infrastructure fails; QUEUE_MAX_ATTEMPTS by default."
    )
    delay_ms: int | None = Field(default=None, ge=0, le=MAX_DELAY_MS, description="Earliest start, in ms from now.")


class RunBody(RunOptions):
    """A run to submit: of a document, or of a stored case."""

    case: CaseDocument | None = None
    case_id: str | None = Field(default=None, description="A stored case.")
    seed: str | None = Field(
        default=None, min_length=1, max_length=200, description="Seed of generated values: that of an earlier run."
    )
    row: Annotated[int, Field(ge=1)] | Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="The row of data to run, by its number or its name.", examples=[2, "ann"]
    )

    @model_validator(mode="after")
    def _one_case(self) -> Self:
        if (self.case is None) == (self.case_id is None):
            raise ValueError("give either case or case_id")
        return self

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"case": CASE, "priority": "high"}],
            "oneOf": [{"required": ["case"]}, {"required": ["case_id"]}],
        }
    )


class BatchBody(Body):
    """Runs to submit together: all of them, or none."""

    runs: list[RunBody] = Field(min_length=1, max_length=MAX_RUNS)


class RerunBody(Body):
    """Options of a rerun; `env` is needed when the job with its values has expired in Redis (24 h)."""

    env: dict[str, str] = Field(default_factory=dict)


class RerunManyBody(Body):
    """Runs to rerun together: all of them, or only those that failed."""

    run_ids: list[str] = Field(min_length=1, max_length=MAX_RUNS, examples=[[RUN_ID]])
    only_failed: bool = Field(default=True, description="Leave out those that passed or have not ended.")


class Submitted(BaseModel):
    """A submitted run; `created` is false when an earlier request with its idempotency key created it."""

    run_id: str = Field(examples=[RUN_ID])
    job_id: str = Field(examples=[RUN_ID])
    case: str = Field(description="The case's name.", examples=["Sign in"])
    created: bool


class SubmittedMany(BaseModel):
    """The runs of a batch, in the order given."""

    runs: list[Submitted]


class RunPage(BaseModel):
    """Runs, the newest first; `next` is the cursor of the next page, null on the last one."""

    runs: list[RunRecord]
    next: str | None = Field(default=None, description="The `cursor` of the next page.")


class Steps(BaseModel):
    """The steps of a run, by attempt and number."""

    steps: list[StepRecord]


class Artifact(ArtifactRecord):
    """A file of a run, and the path to download it from."""

    url: str


class Artifacts(BaseModel):
    """The files of a run."""

    artifacts: list[Artifact]


class FileLink(BaseModel):
    """A link to a file that needs no login until it expires."""

    url: str
    expires_at: datetime


class Pinned(BaseModel):
    """Runs that no cleanup deletes, or that it may delete again."""

    run_ids: list[str]
    pinned: bool


class Cancelled(BaseModel):
    """Result of a cancellation: `removed` never starts, `signalled` is asked to stop."""

    run_id: str
    outcome: str = Field(examples=["removed"])


class Position(BaseModel):
    """Position of a run that has not started, from 1, null while it is delayed; `starts_at` is an estimate, null
    while unknown."""

    queue: str
    position: int | None
    starts_at: datetime | None
    limited: bool


class BatchSubmitted(BaseModel):
    """Runs that were submitted together, in the order given. A run that an earlier request with its idempotency key
    created stays in its batch; if that is true of every run, `batch_id` is that batch."""

    batch_id: str = Field(examples=[BATCH_ID])
    runs: list[Submitted]


class BatchItem(BaseModel):
    """A batch in a list: how many runs it has in all, how many ended, and how many there are of each status."""

    id: str = Field(examples=[BATCH_ID])
    verdict: BatchVerdict
    total: int
    ended: int
    counts: dict[RunStatus, int]
    flaky: int
    queued_at: datetime
    finished_at: datetime | None


class BatchDetail(BatchItem):
    """The state of a batch; `percentage` is 0 to 100, and running runs add their own."""

    percentage: int
    run_ids: list[str]


class BatchPage(BaseModel):
    """Batches, the newest first; `next` is the cursor of the next page, null on the last one."""

    batches: list[BatchItem]
    next: str | None = Field(default=None, description="The `cursor` of the next page.")


class BatchCancelled(BaseModel):
    """Result of a cancellation for each unfinished run: `removed` never starts, `signalled` is asked to stop."""

    batch_id: str
    outcomes: dict[str, str]


class RerunBatchBody(Body):
    """Selection of the runs to rerun; `env` is needed when their jobs have expired in Redis (24 h)."""

    only_failed: bool = Field(default=True, description="Leave out those that ended well or were cancelled.")
    env: dict[str, str] = Field(default_factory=dict)
