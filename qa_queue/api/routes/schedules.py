"""Operations on schedules: create, list and preview them."""

from __future__ import annotations

from fastapi import APIRouter, Response

from qa_queue.api.auth import Reader, Runner
from qa_queue.api.errors import answers
from qa_queue.api.schemas.schedules import PreviewBody, Schedules
from qa_queue.models import utc_now
from qa_queue.schedules import ScheduleSpec, read_spec
from qa_queue.services import Backend
from qa_queue.services.schedules import Preview, Schedule, preview_of, with_outcomes


def router(backend: Backend) -> APIRouter:
    """Return the operations on schedules."""
    routes = APIRouter(prefix="/schedules", tags=["schedules"])

    @routes.post("", status_code=201, responses=answers(409, body=True), summary="Create a schedule")
    def create_schedule(body: ScheduleSpec, caller: Runner, response: Response) -> Schedule:
        """Start cases, or a job of another queue, at set times; 409 if the name is taken."""
        made = backend.schedules.add(body, by=caller)
        response.headers["Location"] = f"/api/v1/schedules/{made.id}"
        return with_outcomes(backend, [made])[0]

    @routes.post("/preview", responses=answers(body=True), summary="Preview times without a schedule")
    def preview_times(body: PreviewBody, _: Reader) -> Preview:
        """Return the next times of such a schedule, without jitter; nothing is stored."""
        values = body.model_dump(exclude={"count"}, exclude_none=True)
        spec = read_spec({"name": "preview", "tag": "preview", **values})
        return preview_of(spec, utc_now(), body.count)

    @routes.get("", responses=answers(), summary="List schedules")
    def list_schedules(_: Reader) -> Schedules:
        """List every schedule by name, with its next time and its last outcome."""
        return Schedules(schedules=with_outcomes(backend, backend.schedules.list_all()))

    return routes
