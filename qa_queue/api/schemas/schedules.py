"""Bodies and answers of operations on schedules."""

from __future__ import annotations

from copy import copy
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.fields import FieldInfo

from qa_queue.api.schemas.runs import Body
from qa_queue.models import Frozen
from qa_queue.services.schedules import Schedule
from qa_queue.store.schedule_records import ScheduleFields


def _nullable(field: FieldInfo) -> tuple[Any, FieldInfo]:
    """Return the type and rules of a field that may be null as well, which is its default."""
    found = copy(field)
    found.default, found.default_factory = None, None
    return field.annotation | None, found  # type: ignore[operator] # an annotation is a type


_FIELDS: dict[str, Any] = {name: _nullable(field) for name, field in ScheduleFields.model_fields.items()}
_Nullable = create_model("_Nullable", __base__=Frozen, **_FIELDS)


class SchedulePatch(_Nullable):
    """The fields to change; null resets one to its default."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"cron": "0 6 * * *", "every": None}]})


class Schedules(BaseModel):
    """Every schedule, by name."""

    schedules: list[Schedule]


class PreviewBody(Body):
    """Times to preview without a schedule: `cron` or `every`."""

    cron: str | None = Field(default=None, max_length=200, examples=["30 2 * * mon-fri"])
    every: str | None = Field(default=None, max_length=30, examples=[None])
    time_zone: str = Field(default="UTC", max_length=100, examples=["Europe/Berlin"])
    start_at: datetime | None = None
    end_at: datetime | None = None
    max_runs: int | None = Field(default=None, ge=1, le=1_000_000)
    count: int = Field(default=5, ge=1, le=100)
