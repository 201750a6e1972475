"""The page of schedules: their next times and last outcomes, with buttons to pause, resume and start them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response
from starlette.templating import Jinja2Templates

from qa_queue.api.auth import Reader, Runner
from qa_queue.auth.tokens import Identity
from qa_queue.models import QueueName
from qa_queue.schedules.display import local_time, timing_text, work_text
from qa_queue.schedules.spec import role_to_start
from qa_queue.services import Backend
from qa_queue.services.schedules import run_now, with_outcomes


def router(backend: Backend, templates: Jinja2Templates) -> APIRouter:
    """Return the routes of the page, which are not in the API's document."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/schedules", response_class=HTMLResponse)
    def schedules_page(request: Request, caller: Reader) -> Response:
        return templates.TemplateResponse(request, "schedules.html", _shown(backend, caller))

    @routes.post("/schedules/{schedule_id}/pause")
    def pause_schedule(schedule_id: str, caller: Runner) -> Response:
        backend.schedules.pause(schedule_id, by=caller)
        return _back()

    @routes.post("/schedules/{schedule_id}/resume")
    def resume_schedule(schedule_id: str, caller: Runner) -> Response:
        backend.schedules.resume(schedule_id, by=caller)
        return _back()

    @routes.post("/schedules/{schedule_id}/run-now")
    def run_schedule(schedule_id: str, caller: Runner) -> Response:
        run_now(backend, schedule_id, by=caller)
        return _back()

    return routes


def _back() -> Response:
    return RedirectResponse("/schedules", HTTPStatus.SEE_OTHER)


def _shown(backend: Backend, caller: Identity) -> dict[str, Any]:
    rows = with_outcomes(backend, backend.schedules.list_all())
    return {
        "rows": [
            {
                "row": row,
                "when": timing_text(row),
                "what": work_text(row),
                "next": local_time(row, row.next_run_at) if row.next_run_at else None,
                "last": local_time(row, row.last_fire_at) if row.last_fire_at else None,
                "outcome": row.last_outcome,
                "may_change": caller.role.covers(role_to_start(row.queue)),
                "run": row.last_run_id if row.queue == QueueName.TEST_EXECUTION else None,
            }
            for row in rows
        ]
    }
