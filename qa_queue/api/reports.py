"""Reports and traces as responses, for the API and the pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Query
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from qa_queue.errors import NotFoundError
from qa_queue.models import ArtifactKind
from qa_queue.reports.allure import allure_archive
from qa_queue.reports.html import POLICY
from qa_queue.reports.model import Report
from qa_queue.reports.render import CONTENT_TYPES, Format, render
from qa_queue.reports.rows import EvidencePlace
from qa_queue.reports.trace_viewer import viewer_folder, viewer_policy
from qa_queue.services import Backend

VIEWER = "/trace-viewer"
ReportFormat = Annotated[
    Format,
    Query(alias="format", description="`allure` is a zip file of Allure results, the others are texts."),
]
_ENDINGS = {
    Format.HTML: "html",
    Format.JUNIT: "xml",
    Format.JSON: "json",
    Format.BRIEF: "txt",
    Format.GITHUB: "md",
    Format.ALLURE: "zip",
}
_PAGE_POLICY = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_COPIES_FILES = (Format.HTML, Format.ALLURE)
DESCRIPTION: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The report.",
        "content": {kind.partition(";")[0]: {"schema": {"type": "string"}} for kind in CONTENT_TYPES.values()},
    }
}


def report_response(backend: Backend, make: Callable[[EvidencePlace], Report], format_: Format) -> Response:
    """Return a report in a format. `make` builds it; folders of this machine are never named in it."""
    place = EvidencePlace(files=backend.artifacts, paths=format_ in _COPIES_FILES)
    report = make(place)
    content = allure_archive(report) if format_ is Format.ALLURE else render(report, format_)
    shown = "attachment" if format_ is Format.ALLURE else "inline"
    name = f"report-{report.id[:8]}.{_ENDINGS[format_]}"
    headers = {"Content-Disposition": f'{shown}; filename="{name}"'}
    if format_ is Format.HTML:
        headers["Content-Security-Policy"] = f"{POLICY}; {_PAGE_POLICY}"
    return Response(content, media_type=CONTENT_TYPES[format_], headers=headers)


def trace_address(backend: Backend, run_id: str, artifact_id: str) -> str:
    """Return the address at which the viewer shows a trace.

    Raises:
        NotFoundError: the run has no such trace.
    """
    run = backend.run(run_id)
    found = next((one for one in backend.store.list_artifacts([run.id]) if one.id == artifact_id), None)
    if found is None or found.kind is not ArtifactKind.TRACE:
        raise NotFoundError(f"run {run_id} has no trace {artifact_id!r}.")
    return f"{VIEWER}/index.html?trace=/runs/{run.id}/artifacts/{found.id}"


class TraceViewer(StaticFiles):
    """Playwright's trace viewer: it may run its own scripts and a service worker, and fetch from this service."""

    def __init__(self) -> None:
        super().__init__(directory=viewer_folder())

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file of the viewer."""
        response = await super().get_response(path, scope)
        response.headers["Content-Security-Policy"] = viewer_policy()
        response.headers["X-Frame-Options"] = "SAMEORIGIN"
        return response
