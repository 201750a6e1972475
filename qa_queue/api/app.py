"""The service's own pages: what is on the queues, the newest runs, and one run with its steps and evidence."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import uvicorn
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import Response

from qa_queue import __version__
from qa_queue.api.view import Site
from qa_queue.errors import InfrastructureError, NotFoundError
from qa_queue.settings import Settings

_HERE = Path(__file__).parent
_LOOPBACK = ["127.0.0.1", "localhost", "[::1]"]
# Pages carry text from cases and sites under test: even if some of it slipped through the escaping, no script runs.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def create_app(site: Site) -> FastAPI:
    """The pages over this site, answering to loopback names only."""
    app = FastAPI(title="qa-queue", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=_LOOPBACK)
    app.mount("/static", StaticFiles(directory=_HERE / "static"), name="static")
    templates = Jinja2Templates(directory=_HERE / "templates")

    @app.middleware("http")
    async def add_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        response.headers.update(_HEADERS)
        return response

    @app.exception_handler(InfrastructureError)
    async def say_what_is_away(request: Request, error: InfrastructureError) -> Response:
        return templates.TemplateResponse(request, "away.html", {"error": str(error)}, status_code=503)

    @app.exception_handler(NotFoundError)
    async def say_what_is_missing(request: Request, error: NotFoundError) -> Response:
        return templates.TemplateResponse(request, "away.html", {"error": str(error)}, status_code=404)

    @app.get("/", response_class=HTMLResponse)
    def overview(request: Request) -> Response:
        return templates.TemplateResponse(request, "overview.html", site.overview())

    @app.get("/runs/{run_id}", response_class=HTMLResponse)
    def one_run(request: Request, run_id: str) -> Response:
        return templates.TemplateResponse(request, "run.html", site.run(run_id))

    @app.get("/runs/{run_id}/artifacts/{artifact_id}")
    def one_artifact(run_id: str, artifact_id: str) -> Response:
        path, content_type = site.artifact(run_id, artifact_id)
        if not path.is_file():
            raise HTTPException(404, "the file is gone from the artifacts folder")
        inline = content_type.startswith("image/")
        return FileResponse(
            path,
            media_type=content_type,
            filename=path.name,
            content_disposition_type="inline" if inline else "attachment",
        )

    @app.get("/health/live")
    def live() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/health/ready")
    def ready() -> JSONResponse:
        problems = site.problems()
        return JSONResponse(
            {"status": "ready" if not problems else "not ready", **problems}, 503 if problems else 200
        )

    return app


def serve(settings: Settings) -> None:
    """Serve the pages on 127.0.0.1 until a signal ends it."""
    app = create_app(Site(settings))
    uvicorn.run(app, host="127.0.0.1", port=settings.qa_web_port, log_level="warning", access_log=False)
