"""Models of cases and adaptations."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from qa_queue.api.documents import Document
from qa_queue.api.errors import FieldError
from qa_queue.api.schemas.runs import CASE, Body, CaseDocument
from qa_queue.store.records import AdaptationRow, CaseRecord


class CaseBody(Body):
    """A case to store."""

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
    """Cases by name; `next` is the cursor of the next page, null on the last one."""

    cases: list[CaseSummary]
    next: str | None = None


class Deleted(BaseModel):
    """Result of deleting a case."""

    case_id: str
    runs: int = Field(description="Runs deleted with it.")


class ValidateBody(CaseBody):
    """A case to validate as a run of it would be."""

    env: dict[str, str] = Field(default_factory=dict, description="Values of ${env.NAME}.")


class ValidationResult(BaseModel):
    """Validity of a case, and every fault in it."""

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
    """The case of a recording, as JSON and as a YAML file, and its losses."""

    case: dict[str, Any]
    yaml: str
    notes: list[str]


class AdaptationList(BaseModel):
    """Adaptations, the newest first; `evidence` is left out."""

    adaptations: list[AdaptationRow]


class RejectBody(Body):
    """Options of a judgement."""

    file: str | None = Field(
        default=None, description="The text of the case's file: the response has a patch for it."
    )


class AcceptBody(RejectBody):
    """Options of accepting an adaptation."""

    write: bool = Field(default=True, description="Write the locator into the stored case.")


class Judged(BaseModel):
    """Result of a judgement; the last three are null if the case was not changed."""

    adaptation: AdaptationRow
    case_version: int | None = Field(description="The new version of the case.")
    step_number: int | None = Field(description="Number of the changed step, from 1; null inside a block.")
    place: str | None = Field(description="Place of the changed step, such as 3.2, 3.else.1 or after.1.")
    patch: str | None = Field(
        description="A patch for the file that was sent; null if it does not contain the step as stored."
    )


StoredCase = CaseRecord
