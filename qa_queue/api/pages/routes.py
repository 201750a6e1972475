"""Routes of the service's own pages, which are not in the OpenAPI document."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse
from starlette.responses import Response

from qa_queue.api.artifacts import artifact_response
from qa_queue.api.auth import local_path
from qa_queue.api.dependencies import Admin, Reader, Runner, RunStarter, Service, Templates
from qa_queue.api.pages import views
from qa_queue.api.reports import ReportFormat, report_response, trace_address
from qa_queue.api.submission import hosts_of
from qa_queue.models import utc_now
from qa_queue.reports.render import Format
from qa_queue.services import submission
from qa_queue.services.reports import batch_report, run_report

routes = APIRouter(include_in_schema=False)


def _go_to(path: str) -> Response:
    return RedirectResponse(local_path(path), HTTPStatus.SEE_OTHER)


@routes.get("/", response_class=HTMLResponse)
def overview(
    backend: Service,
    templates: Templates,
    request: Request,
    caller: Reader,
    show: str = "all",
    cursor: str | None = None,
) -> Response:
    """Show the queues and the newest runs."""
    return templates.TemplateResponse(
        request, "overview.html", views.overview(backend, caller, show=show, cursor=cursor)
    )


@routes.get("/runs/{run_id}", response_class=HTMLResponse)
def show_run(backend: Service, templates: Templates, request: Request, run_id: str, _: Reader) -> Response:
    """Show a run with its steps and evidence."""
    return templates.TemplateResponse(request, "run.html", views.run(backend, run_id))


@routes.get("/runs/{run_id}/artifacts/{artifact_id}")
def download_artifact(backend: Service, run_id: str, artifact_id: str, _: Reader) -> FileResponse:
    """Return the file of an artifact."""
    return artifact_response(backend, run_id, artifact_id)


@routes.get("/runs/{run_id}/artifacts/{artifact_id}/trace")
def show_trace(backend: Service, run_id: str, artifact_id: str, _: Reader) -> Response:
    """Show a trace in Playwright's viewer."""
    return _go_to(trace_address(backend, run_id, artifact_id))


@routes.get("/runs/{run_id}/report")
def show_run_report(backend: Service, run_id: str, _: Reader, format_: ReportFormat = Format.HTML) -> Response:
    """Show the report of a run."""
    return report_response(backend, lambda place: run_report(backend, run_id, place, utc_now()), format_)


@routes.post("/runs/{run_id}/cancel")
def cancel_run(backend: Service, run_id: str, caller: RunStarter) -> Response:
    """Cancel a run and return to its page."""
    backend.changes(caller).cancel_runs([backend.run(run_id).id])
    return _go_to(f"/runs/{run_id}")


@routes.post("/runs/{run_id}/rerun")
def rerun_run(backend: Service, run_id: str, caller: RunStarter) -> Response:
    """Rerun a run and show the new one."""
    run = submission.rerun_run(backend, run_id, user=caller.name, env={}, hosts=hosts_of(caller))
    return _go_to(f"/runs/{run.run_id}")


@routes.post("/runs/{run_id}/pin")
def pin_run(backend: Service, run_id: str, caller: RunStarter) -> Response:
    """Pin a run and return to its page."""
    backend.changes(caller).pin_runs([backend.run(run_id).id], pinned=True)
    return _go_to(f"/runs/{run_id}")


@routes.post("/runs/{run_id}/unpin")
def unpin_run(backend: Service, run_id: str, caller: RunStarter) -> Response:
    """Unpin a run and return to its page."""
    backend.changes(caller).pin_runs([backend.run(run_id).id], pinned=False)
    return _go_to(f"/runs/{run_id}")


@routes.get("/batches", response_class=HTMLResponse)
def list_batches(
    backend: Service, templates: Templates, request: Request, _: Reader, cursor: str | None = None
) -> Response:
    """Show the newest batches."""
    return templates.TemplateResponse(request, "batches.html", views.batches(backend, cursor=cursor))


@routes.get("/batches/{batch_id}", response_class=HTMLResponse)
def show_batch(backend: Service, templates: Templates, request: Request, batch_id: str, _: Reader) -> Response:
    """Show a batch with its runs."""
    return templates.TemplateResponse(request, "batch.html", views.batch(backend, batch_id))


@routes.get("/batches/{batch_id}/report")
def show_batch_report(backend: Service, batch_id: str, _: Reader, format_: ReportFormat = Format.HTML) -> Response:
    """Show the report of a batch."""
    return report_response(backend, lambda place: batch_report(backend, batch_id, place, utc_now()), format_)


@routes.post("/batches/{batch_id}/cancel")
def cancel_batch(backend: Service, batch_id: str, caller: RunStarter) -> Response:
    """Cancel a batch and return to its page."""
    backend.changes(caller).cancel_batch(batch_id)
    return _go_to(f"/batches/{batch_id}")


@routes.post("/batches/{batch_id}/rerun")
def rerun_failed(backend: Service, batch_id: str, caller: RunStarter) -> Response:
    """Rerun the failed runs of a batch and show the new one."""
    batch = submission.rerun_batch(
        backend, batch_id, user=caller.name, env={}, only_failed=True, hosts=hosts_of(caller)
    )
    return _go_to(f"/batches/{batch.id}")


@routes.post("/batches/{batch_id}/pin")
def pin_batch(backend: Service, batch_id: str, caller: RunStarter) -> Response:
    """Pin the runs of a batch and return to its page."""
    backend.changes(caller).pin_batch(batch_id, pinned=True)
    return _go_to(f"/batches/{batch_id}")


@routes.post("/batches/{batch_id}/unpin")
def unpin_batch(backend: Service, batch_id: str, caller: RunStarter) -> Response:
    """Unpin the runs of a batch and return to its page."""
    backend.changes(caller).pin_batch(batch_id, pinned=False)
    return _go_to(f"/batches/{batch_id}")


@routes.get("/adaptations", response_class=HTMLResponse)
def list_adaptations(
    backend: Service, templates: Templates, request: Request, _: Reader, show: str = "open"
) -> Response:
    """Show the newest adaptations."""
    return templates.TemplateResponse(request, "adaptations.html", views.adaptations(backend, show=show))


@routes.post("/adaptations/{adaptation_id}/accept")
def accept_adaptation(backend: Service, adaptation_id: str, caller: Runner, back: str = "/adaptations") -> Response:
    """Accept an adaptation and return to the page it was shown on."""
    backend.changes(caller).accept_adaptation(adaptation_id)
    return _go_to(back)


@routes.post("/adaptations/{adaptation_id}/reject")
def reject_adaptation(backend: Service, adaptation_id: str, caller: Runner, back: str = "/adaptations") -> Response:
    """Reject an adaptation and return to the page it was shown on."""
    backend.changes(caller).reject_adaptation(adaptation_id)
    return _go_to(back)


@routes.get("/schedules", response_class=HTMLResponse)
def list_schedules(backend: Service, templates: Templates, request: Request, caller: Reader) -> Response:
    """Show the schedules."""
    return templates.TemplateResponse(request, "schedules.html", views.schedules(backend, caller))


@routes.post("/schedules/{schedule_id}/pause")
def pause_schedule(backend: Service, schedule_id: str, caller: Runner) -> Response:
    """Pause a schedule and return to the list."""
    backend.changes(caller).pause_schedule(schedule_id)
    return _go_to("/schedules")


@routes.post("/schedules/{schedule_id}/resume")
def resume_schedule(backend: Service, schedule_id: str, caller: Runner) -> Response:
    """Resume a schedule and return to the list."""
    backend.changes(caller).resume_schedule(schedule_id)
    return _go_to("/schedules")


@routes.post("/schedules/{schedule_id}/run-now")
def run_schedule(backend: Service, schedule_id: str, caller: Runner) -> Response:
    """Start a schedule at once and return to the list."""
    backend.changes(caller).run_schedule(schedule_id)
    return _go_to("/schedules")


@routes.get("/audit", response_class=HTMLResponse)
def list_changes(
    backend: Service,
    templates: Templates,
    request: Request,
    _: Admin,
    actor: str = "",
    kind: str = "",
    cursor: str | None = None,
) -> Response:
    """Show changes to the service."""
    found = views.audit(backend, actor=actor, kind=kind, cursor=cursor)
    return templates.TemplateResponse(request, "audit.html", found)
