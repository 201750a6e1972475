"""The pages of batches: a list, and one with its runs."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response
from starlette.templating import Jinja2Templates

from qa_queue.api import pagination as cursors
from qa_queue.api.auth import Reader, Runner
from qa_queue.services import Backend
from qa_queue.services.submission import rerun_batch

NEWEST = 50
COLOURS = {"passed": "passed", "failed": "failed", "broken": "dead", "running": "running"}  # badges, by verdict


def router(backend: Backend, templates: Jinja2Templates) -> APIRouter:
    """The pages; they are not in the OpenAPI document."""
    routes = APIRouter(prefix="/batches", include_in_schema=False)

    @routes.get("", response_class=HTMLResponse)
    def every_batch(request: Request, _: Reader, cursor: str | None = None) -> Response:
        return templates.TemplateResponse(request, "batches.html", _list(backend, cursor))

    @routes.get("/{batch_id}", response_class=HTMLResponse)
    def one_batch(request: Request, batch_id: str, _: Reader) -> Response:
        return templates.TemplateResponse(request, "batch.html", _one(backend, batch_id))

    @routes.post("/{batch_id}/cancel")
    def cancel_batch(batch_id: str, caller: Runner) -> Response:
        backend.batches.cancel(batch_id, f"cancelled by {caller.name}")
        return RedirectResponse(f"/batches/{batch_id}", HTTPStatus.SEE_OTHER)

    @routes.post("/{batch_id}/rerun")
    def rerun_failed(batch_id: str, caller: Runner) -> Response:
        again = rerun_batch(backend, batch_id, user=caller.name, env={}, only_failed=True)
        return RedirectResponse(f"/batches/{again.id}", HTTPStatus.SEE_OTHER)

    return routes


def _list(backend: Backend, cursor: str | None) -> dict[str, Any]:
    found = backend.batches.newest(limit=NEWEST + 1, after=cursors.decode(cursor) if cursor else None)
    batches, behind = cursors.paged(found, NEWEST)
    return {
        "batches": batches,
        "colours": COLOURS,
        "first_page": cursor is None,
        "next": behind,
    }


def _one(backend: Backend, batch_id: str) -> dict[str, Any]:
    runs = backend.batches.runs(batch_id)
    return {
        "batch": backend.batches.view(batch_id),
        "runs": runs,
        "names": backend.case_names(run.test_case_id for run in runs),
        "colours": COLOURS,
        "any_bad": any(run.status.bad for run in runs),
    }
