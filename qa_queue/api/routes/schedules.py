"""Operations on schedules."""

from __future__ import annotations

from copy import copy
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.fields import FieldInfo

from qa_queue.api.dependencies import Admin, Reader, Runner, Service
from qa_queue.api.errors import answers
from qa_queue.api.schemas.runs import Body
from qa_queue.models import Frozen, utc_now
from qa_queue.schedules import ScheduleSpec, read_spec
from qa_queue.services import Backend
from qa_queue.services.schedules import Preview, Schedule, preview, preview_of, with_outcomes
from qa_queue.store.schedule_records import ScheduleFields, ScheduleRecord

Ref = Annotated[str, Path(alias="schedule", description="The schedule's id or name.")]
routes = APIRouter(prefix="/schedules", tags=["schedules"])


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


@routes.post("", status_code=201, responses=answers(409, body=True), summary="Create a schedule")
def create_schedule(backend: Service, body: ScheduleSpec, caller: Runner, response: Response) -> Schedule:
    """Start cases, or a job of another queue, at set times; 409 if the name is taken."""
    made = backend.changes(caller).add_schedule(body)
    response.headers["Location"] = f"/api/v1/schedules/{made.id}"
    return with_outcomes(backend, [made])[0]


@routes.post("/preview", responses=answers(body=True), summary="Preview times without a schedule")
def preview_times(body: PreviewBody, _: Reader) -> Preview:
    """Return the next times of such a schedule, without jitter; nothing is stored."""
    values = body.model_dump(exclude={"count"}, exclude_none=True)
    spec = read_spec({"name": "preview", "tag": "preview", **values})
    return preview_of(spec, utc_now(), body.count)


@routes.get("", responses=answers(), summary="List schedules")
def list_schedules(backend: Service, _: Reader) -> Schedules:
    """List every schedule by name, with its next time and its last outcome."""
    return Schedules(schedules=with_outcomes(backend, backend.schedules.list_all()))


@routes.get("/{schedule}", responses=answers(404), summary="Get a schedule")
def get_schedule(backend: Service, ref: Ref, _: Reader) -> Schedule:
    """Get a schedule by its id or name."""
    return _shown(backend, backend.schedules.get(ref))


@routes.put("/{schedule}", responses=answers(404, 409, body=True), summary="Replace a schedule")
def replace_schedule(backend: Service, ref: Ref, body: ScheduleSpec, caller: Runner) -> Schedule:
    """Set every field, with effect at once. Its runs stay; other times apply from now on."""
    return _shown(backend, backend.changes(caller).replace_schedule(ref, body))


@routes.patch("/{schedule}", responses=answers(404, 409, body=True), summary="Change a schedule")
def change_schedule(backend: Service, ref: Ref, body: SchedulePatch, caller: Runner) -> Schedule:
    """Set some fields, with effect at once; the others stay as they are."""
    changes = body.model_dump(exclude_unset=True)
    return _shown(backend, backend.changes(caller).patch_schedule(ref, changes))


@routes.delete("/{schedule}", responses=answers(404), summary="Delete a schedule")
def delete_schedule(backend: Service, ref: Ref, caller: Admin) -> Schedule | None:
    """Delete a schedule and return it; the runs that it started stay, and continue.

    One that this version cannot read can only be deleted by its id; the answer is null then.
    """
    row = backend.changes(caller).remove_schedule(ref)
    return None if row is None else _shown(backend, row)


@routes.post("/{schedule}/pause", responses=answers(404, 409), summary="Pause a schedule")
def pause_schedule(backend: Service, ref: Ref, caller: Runner) -> Schedule:
    """Start nothing until it is resumed; running jobs continue. Does nothing to a paused one."""
    return _shown(backend, backend.changes(caller).pause_schedule(ref))


@routes.post("/{schedule}/resume", responses=answers(404, 409), summary="Resume a schedule")
def resume_schedule(backend: Service, ref: Ref, caller: Runner) -> Schedule:
    """Continue with its next time from now; those of the pause are not made up for."""
    return _shown(backend, backend.changes(caller).resume_schedule(ref))


@routes.post("/{schedule}/run-now", responses=answers(404, 409), summary="Start a schedule at once")
def run_schedule_now(backend: Service, ref: Ref, caller: Runner) -> Schedule:
    """Start it besides its times, also while it is paused; see `last_run_id` and `last_batch_id`."""
    return _shown(backend, backend.changes(caller).run_schedule(ref))


@routes.get("/{schedule}/preview", responses=answers(404), summary="Preview a schedule's next times")
def preview_schedule(
    backend: Service, ref: Ref, _: Reader, count: Annotated[int, Query(ge=1, le=100)] = 5
) -> Preview:
    """Return its next times with their jitter; those of a paused one as if it resumed now."""
    return preview(backend, ref, count)


def _shown(backend: Backend, row: ScheduleRecord) -> Schedule:
    return with_outcomes(backend, [row])[0]
