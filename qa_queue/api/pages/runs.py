"""The service's own pages: the queues, the runs, and one run with its steps and evidence."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse
from starlette.responses import Response
from starlette.templating import Jinja2Templates

from qa_queue.api.artifacts import artifact_response
from qa_queue.api.auth import Reader, Runner, local_path
from qa_queue.api.pages import views
from qa_queue.services import Backend, adaptations, submission


def router(backend: Backend, templates: Jinja2Templates) -> APIRouter:
    """The pages; they are not in the OpenAPI document."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/", response_class=HTMLResponse)
    def overview(request: Request, _: Reader, show: str = "all", cursor: str | None = None) -> Response:
        return templates.TemplateResponse(
            request, "overview.html", views.overview(backend, show=show, cursor=cursor)
        )

    @routes.get("/runs/{run_id}", response_class=HTMLResponse)
    def one_run(request: Request, run_id: str, _: Reader) -> Response:
        return templates.TemplateResponse(request, "run.html", views.run(backend, run_id))

    @routes.get("/runs/{run_id}/artifacts/{artifact_id}")
    def one_artifact(run_id: str, artifact_id: str, _: Reader) -> FileResponse:
        return artifact_response(backend, run_id, artifact_id)

    @routes.post("/runs/{run_id}/cancel")
    def cancel_run(run_id: str, caller: Runner) -> Response:
        backend.cancel([backend.run(run_id).id], f"cancelled by {caller.name}")
        return RedirectResponse(f"/runs/{run_id}", HTTPStatus.SEE_OTHER)

    @routes.post("/runs/{run_id}/rerun")
    def rerun_run(run_id: str, caller: Runner) -> Response:
        again = submission.rerun_run(backend, run_id, user=caller.name, env={})
        return RedirectResponse(f"/runs/{again.run_id}", HTTPStatus.SEE_OTHER)

    @routes.get("/adaptations", response_class=HTMLResponse)
    def adaptations_page(request: Request, _: Reader, show: str = "open") -> Response:
        return templates.TemplateResponse(request, "adaptations.html", views.adaptations(backend, show=show))

    @routes.post("/adaptations/{adaptation_id}/accept")
    def accept_adaptation(adaptation_id: str, caller: Runner, back: str = "/adaptations") -> Response:
        adaptations.accept(backend.store, adaptation_id, by=caller.name)
        return RedirectResponse(local_path(back), HTTPStatus.SEE_OTHER)

    @routes.post("/adaptations/{adaptation_id}/reject")
    def reject_adaptation(adaptation_id: str, caller: Runner, back: str = "/adaptations") -> Response:
        adaptations.reject(backend.store, adaptation_id, by=caller.name)
        return RedirectResponse(local_path(back), HTTPStatus.SEE_OTHER)

    return routes
