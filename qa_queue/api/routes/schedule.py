"""Operations on one schedule: get, replace, change, delete, pause, resume, start and preview it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from qa_queue.api.auth import Admin, Reader, Runner
from qa_queue.api.errors import answers
from qa_queue.api.schemas.schedules import SchedulePatch
from qa_queue.schedules import ScheduleSpec
from qa_queue.services import Backend
from qa_queue.services.schedules import Preview, Schedule, preview, run_now, with_outcomes
from qa_queue.store.schedule_records import ScheduleRecord

Ref = Annotated[str, Path(alias="schedule", description="The schedule's id or name.")]


def router(backend: Backend) -> APIRouter:
    """Return the operations on one schedule."""
    routes = APIRouter(prefix="/schedules/{schedule}", tags=["schedules"])

    @routes.get("", responses=answers(404), summary="Get a schedule")
    def get_schedule(ref: Ref, _: Reader) -> Schedule:
        """Get a schedule by its id or name."""
        return _shown(backend, backend.schedules.get(ref))

    @routes.put("", responses=answers(404, 409, body=True), summary="Replace a schedule")
    def replace_schedule(ref: Ref, body: ScheduleSpec, caller: Runner) -> Schedule:
        """Set every field, with effect at once. Its runs stay; other times apply from now on."""
        return _shown(backend, backend.schedules.replace(ref, body, by=caller))

    @routes.patch("", responses=answers(404, 409, body=True), summary="Change a schedule")
    def change_schedule(ref: Ref, body: SchedulePatch, caller: Runner) -> Schedule:
        """Set some fields, with effect at once; the others stay as they are."""
        changes = body.model_dump(exclude_unset=True)
        return _shown(backend, backend.schedules.patch(ref, changes, by=caller))

    @routes.delete("", responses=answers(404), summary="Delete a schedule")
    def delete_schedule(ref: Ref, _: Admin) -> Schedule | None:
        """Delete a schedule and return it; the runs that it started stay, and continue.

        One that this version cannot read can only be deleted by its id; the answer is null then.
        """
        row = backend.schedules.remove(ref)
        return None if row is None else _shown(backend, row)

    @routes.post("/pause", responses=answers(404, 409), summary="Pause a schedule")
    def pause_schedule(ref: Ref, caller: Runner) -> Schedule:
        """Start nothing until it is resumed; running jobs continue. Does nothing to a paused one."""
        return _shown(backend, backend.schedules.pause(ref, by=caller))

    @routes.post("/resume", responses=answers(404, 409), summary="Resume a schedule")
    def resume_schedule(ref: Ref, caller: Runner) -> Schedule:
        """Continue with its next time from now; those of the pause are not made up for."""
        return _shown(backend, backend.schedules.resume(ref, by=caller))

    @routes.post("/run-now", responses=answers(404, 409), summary="Start a schedule at once")
    def run_schedule_now(ref: Ref, caller: Runner) -> Schedule:
        """Start it besides its times, also while it is paused; see `last_run_id` and `last_batch_id`."""
        return _shown(backend, run_now(backend, ref, by=caller))

    @routes.get("/preview", responses=answers(404), summary="Preview a schedule's next times")
    def preview_schedule(ref: Ref, _: Reader, count: Annotated[int, Query(ge=1, le=100)] = 5) -> Preview:
        """Return its next times with their jitter; those of a paused one as if it resumed now."""
        return preview(backend, ref, count)

    return routes


def _shown(backend: Backend, row: ScheduleRecord) -> Schedule:
    return with_outcomes(backend, [row])[0]
