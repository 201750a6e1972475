"""Models of runs, cases and adaptations: the source of the OpenAPI document."""

from __future__ import annotations

import json
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from qa_queue.api.documents import Document
from qa_queue.api.errors import FieldError
from qa_queue.models import Priority, TestConfig
from qa_queue.store.records import AdaptationRow, ArtifactRecord, CaseRecord, RunRecord, StepRecord

CASE: dict[str, Any] = {
    "version": 1,
    "name": "Sign in",
    "base_url": "http://127.0.0.1:8080",
    "steps": [{"goto": "/login"}, {"expect": {"title": "Shop"}}],
}
RUN_ID = "0b0f4c0e-5d0f-4a4e-8d6b-0f6f2a3c9d11"
MOST_RUNS = 1000
MOST_DELAY_MS = 30 * 24 * 3600 * 1000

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
        """The priority as the queues know it."""
        return Priority[self.name]


class Body(BaseModel):
    """Body of a request: an unknown field is an error."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _is_unicode(cls, data: Any) -> Any:
        """JSON can name half a character, which no database and no address can hold."""
        try:
            json.dumps(data, ensure_ascii=False, default=str).encode()
        except UnicodeEncodeError:
            raise ValueError("it holds half a character (a lone surrogate): send whole Unicode text") from None
        except RecursionError:
            pass  # refused for its depth, by the reader of the document
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
    delay_ms: int | None = Field(
        default=None, ge=0, le=MOST_DELAY_MS, description="Earliest start, in ms from now."
    )


class RunBody(RunOptions):
    """A run to be made: of a document, or of a stored case."""

    case: CaseDocument | None = None
    case_id: str | None = Field(default=None, description="A stored case.")

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
    """Runs to be made together: all of them, or none."""

    runs: list[RunBody] = Field(min_length=1, max_length=MOST_RUNS)


class RerunBody(Body):
    """Options of a rerun; `env` is needed where the job with its values is gone from Redis (24 h)."""

    env: dict[str, str] = Field(default_factory=dict)


class RerunManyBody(Body):
    """Runs to be made again together: all of them, or only those that failed."""

    run_ids: list[str] = Field(min_length=1, max_length=MOST_RUNS, examples=[[RUN_ID]])
    only_failed: bool = Field(default=True, description="Leave out those that passed or have not ended.")


class Submitted(BaseModel):
    """A run that is on the queue; `created` is false when its idempotency key had been used for it before."""

    run_id: str = Field(examples=[RUN_ID])
    job_id: str = Field(examples=[RUN_ID])
    case: str = Field(description="The case's name.", examples=["Sign in"])
    created: bool


class SubmittedMany(BaseModel):
    """The runs of a batch, in the order given."""

    runs: list[Submitted]


class RunPage(BaseModel):
    """Runs, the newest first. `next` goes on behind the last one, and is null at the end."""

    runs: list[RunRecord]
    next: str | None = Field(default=None, description="The `cursor` of the next page.")


class Steps(BaseModel):
    """The steps of a run, by attempt and number."""

    steps: list[StepRecord]


class Artifact(ArtifactRecord):
    """A file of a run, and the path it is downloaded from."""

    url: str


class Artifacts(BaseModel):
    """The files of a run."""

    artifacts: list[Artifact]


class Cancelled(BaseModel):
    """Result of a cancellation: `removed` never starts, `signalled` is asked to stop."""

    run_id: str
    outcome: str = Field(examples=["removed"])


class CaseBody(Body):
    """A case to be stored."""

    case: CaseDocument
    model_config = ConfigDict(json_schema_extra={"examples": [{"case": CASE}]})


class DuplicateBody(Body):
    """Name of the copy of a case; `id` stays when the name changes."""

    name: str = Field(min_length=1, max_length=200, examples=["Sign in as guest"])
    id: str | None = Field(default=None, min_length=1, max_length=200)


class CaseSummary(BaseModel):
    """A stored case without its steps."""

    id: str
    key: str
    name: str
    version: int
    tags: tuple[str, ...]
    reliability_score: float | None
    flake_rate: float | None
    updated_at: datetime | None


class CasePage(BaseModel):
    """Cases by name. `next` goes on behind the last one, and is null at the end."""

    cases: list[CaseSummary]
    next: str | None = None


class Deleted(BaseModel):
    """Rows that were deleted with a case."""

    case_id: str
    runs: int = Field(description="Runs deleted with it.")


class ValidateBody(CaseBody):
    """A case to be looked at as a run of it would be."""

    env: dict[str, str] = Field(default_factory=dict, description="Values of ${env.NAME}.")


class ValidationResult(BaseModel):
    """Validity of a case, and every mistake in it."""

    valid: bool
    name: str | None = None
    steps: int | None = None
    problems: list[FieldError] = Field(default_factory=list)


class ImportBody(Body):
    """A recording of Chrome DevTools Recorder."""

    recording: Document = Field(
        examples=[{"title": "Login", "steps": [{"type": "navigate", "url": "http://127.0.0.1:8080/login"}]}]
    )


class Imported(BaseModel):
    """The case of a recording, as JSON and as a YAML file, and what was not carried over."""

    case: dict[str, Any]
    yaml: str
    notes: list[str]


class Position(BaseModel):
    """Place of a run that has not started: `position` from 1, null while it is delayed; `starts_at` is an
    estimate, null while nothing can be said."""

    queue: str
    position: int | None
    starts_at: datetime | None
    limited: bool


class AdaptationList(BaseModel):
    """Adaptations, the newest first; `evidence` is left out."""

    adaptations: list[AdaptationRow]


class RejectBody(Body):
    """Options of a judgement."""

    file: str | None = Field(
        default=None, description="The text of the file that the case is kept in: the answer has a patch for it."
    )


class AcceptBody(RejectBody):
    """Options of accepting an adaptation."""

    write: bool = Field(default=True, description="Name the element so in the stored case from now on.")


class Judged(BaseModel):
    """Result of a judgement; the last three are null where the case was not changed."""

    adaptation: AdaptationRow
    case_version: int | None = Field(description="The new version of the case.")
    step_number: int | None = Field(description="The step that names its element otherwise now, from 1.")
    patch: str | None = Field(
        description="A patch for the file that was sent; null too where it does not have the step as it was stored."
    )


StoredCase = CaseRecord
