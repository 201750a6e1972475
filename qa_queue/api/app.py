"""The HTTP application: API, pages, health, metrics and rq-dashboard, behind one authentication."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import Response
from starlette.templating import Jinja2Templates

from qa_queue import __version__
from qa_queue.api.auth import TRUSTED_HOSTS, AuthMiddleware, is_api
from qa_queue.api.dashboard_mount import MountedDashboard
from qa_queue.api.errors import (
    ProblemDocument,
    add_problem,
    body_model,
    headers_of,
    problem,
    problem_of,
    problem_of_validation,
    respond,
)
from qa_queue.api.http_limits import BodyLimit, ConcurrencyLimit, ConcurrencyLimiter, RateLimiter, SecurityHeaders
from qa_queue.api.metrics import Metrics
from qa_queue.api.pages import login
from qa_queue.api.pages import routes as pages
from qa_queue.api.plugins import Operation, add_routers, include_operations, operations_of
from qa_queue.api.reports import VIEWER, TraceViewer
from qa_queue.api.routes import audit, cases, events, health, queues, runs, schedules
from qa_queue.auth.logins import FailureLimiter
from qa_queue.errors import QAError, RedisUnavailableError
from qa_queue.extensions import queue_names
from qa_queue.redis import explain_among
from qa_queue.services import Backend
from qa_queue.settings import Settings

HOST = "127.0.0.1"
STOP_S = 3  # for requests in progress when the service stops; event streams reconnect by themselves
_HERE = Path(__file__).parent
_ABOUT = """Submit runs of browser tests, follow them, and read their results and evidence.

Send `Authorization: Bearer TOKEN`; `qa-queue token create` creates one, with the role `read`, `run` or `admin`.
Errors are problem documents (RFC 9457). Every path also exists without the version, as `/api/...`.
"""
_OPERATIONS = (
    runs.routes,
    events.routes,
    runs.batches,
    runs.files,
    cases.routes,
    cases.adaptations,
    schedules.routes,
    queues.routes,
    queues.limits,
    health.alerts,
    audit.routes,
)
_TAGS = [
    {"name": "runs", "description": "Submit runs, follow them, and read their evidence."},
    {"name": "batches", "description": "Runs that were submitted together."},
    {"name": "cases", "description": "Stored tests."},
    {"name": "adaptations", "description": "Steps whose element was healed: accept or reject them."},
    {"name": "schedules", "description": "Cases and jobs that start at set times."},
    {"name": "queue", "description": "Waiting, running and failed jobs."},
    {"name": "alerts", "description": "Present problems of the service."},
    {"name": "audit", "description": "Changes to the service: who, when, what."},
    {"name": "health", "description": "Liveness, readiness and metrics."},
]


def create_app(backend: Backend) -> FastAPI:
    """Return the application for a backend."""
    settings = backend.settings
    app = FastAPI(
        title="qa-queue",
        version=__version__,
        description=_ABOUT,
        openapi_tags=_TAGS,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # its pages load scripts from elsewhere
        redoc_url=None,
    )
    app.state.backend = backend
    app.state.templates = Jinja2Templates(directory=_HERE / "templates")
    app.state.metrics = Metrics(backend)
    app.state.login_failures = FailureLimiter()
    _add_routes(app, backend)
    _add_handlers(app, backend)
    hosts = [*TRUSTED_HOSTS, *(name.strip() for name in settings.qa_web_hosts.split(",") if name.strip())]
    # The last one added handles a request first.
    app.add_middleware(BodyLimit, most=settings.qa_api_max_body)
    app.add_middleware(
        AuthMiddleware,
        backend=backend,
        limiter=RateLimiter(settings.qa_api_requests_per_minute),
        checks=RateLimiter(settings.qa_api_checks_per_minute),
        concurrency=ConcurrencyLimiter(_concurrency(settings)),
    )
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts)
    app.add_middleware(SecurityHeaders)
    return app


def _concurrency(settings: Settings) -> tuple[ConcurrencyLimit, ...]:
    """Return the limits on requests that take much time of the process, or stay open."""
    return (
        ConcurrencyLimit(
            paths=("/cases/validate", "/cases/import", "/report", "/preview"),
            most=settings.qa_api_costly_at_once,
            setting="QA_API_COSTLY_AT_ONCE",
            retry_after_s=1,
        ),
        ConcurrencyLimit(
            paths=("/events",), most=settings.qa_api_streams, setting="QA_API_STREAMS", retry_after_s=60
        ),
    )


def serve(settings: Settings) -> None:
    """Serve on 127.0.0.1 until a signal ends it."""
    app = create_app(Backend(settings))
    uvicorn.run(
        app,
        host=HOST,
        port=settings.qa_web_port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=STOP_S,
    )


@cache
def _operations() -> APIRouter:
    """Return the operations of the service's own API."""
    operations = APIRouter()
    for routes in _OPERATIONS:
        operations.include_router(routes)
    return operations


@cache
def _taken() -> frozenset[Operation]:
    return frozenset(operations_of(_operations()))


@cache
def _own_routes() -> APIRouter:
    """Return all routes of the service's own; FastAPI takes 0.1 s for them, so every application shares them."""
    own = APIRouter()
    include_operations(own, _operations())
    for unversioned in (health.routes, login.routes, pages.routes):
        own.include_router(unversioned)
    return own


def _add_routes(app: FastAPI, backend: Backend) -> None:
    app.router.routes.extend(_own_routes().routes)
    add_routers(app, _taken, backend)
    app.mount(VIEWER, TraceViewer(), name="trace-viewer")
    app.mount("/static", StaticFiles(directory=_HERE / "static"), name="static")
    app.mount("/rq", MountedDashboard(backend), name="dashboard")
    made = app.openapi

    def with_problems() -> dict[str, Any]:
        document = made()
        add_problem(document)
        return document

    app.openapi = with_problems  # type: ignore[method-assign]


def _add_handlers(app: FastAPI, backend: Backend) -> None:
    def answer(request: Request, document: ProblemDocument, headers: dict[str, str] | None = None) -> Response:
        if is_api(request.url.path):
            return respond(document, headers)
        page = {"title": document.title, "error": document.detail}
        shown: Response = app.state.templates.TemplateResponse(
            request, "away.html", page, status_code=document.status, headers=headers
        )
        return shown

    @app.exception_handler(QAError)
    async def explain_error(request: Request, error: QAError) -> Response:
        return answer(request, problem_of(error), headers_of(error))

    @app.exception_handler(RedisError)
    async def explain_redis(request: Request, error: RedisError) -> Response:
        unavailable = RedisUnavailableError(explain_among(error, backend.redis, queue_names()))
        return answer(request, problem_of(unavailable), headers_of(unavailable))

    @app.exception_handler(RequestValidationError)
    async def explain_validation(request: Request, error: RequestValidationError) -> Response:
        return answer(request, problem_of_validation(error, body_model(request)))

    @app.exception_handler(HTTPException)
    async def explain_status(request: Request, error: HTTPException) -> Response:
        return answer(request, problem(error.status_code, error.detail), dict(error.headers or {}))
