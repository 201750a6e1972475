"""Whether the service lives, and whether it can work."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel

from qa_queue.api.access import Reader
from qa_queue.api.answers import answers
from qa_queue.api.backend import Backend
from qa_queue.api.metrics import Metrics
from qa_queue.errors import QAError


class Live(BaseModel):
    """The process answers."""

    status: str = "alive"


class Ready(BaseModel):
    """Whether Redis and Supabase can be used; a part that is away says why."""

    status: str
    redis: str | None = None
    supabase: str | None = None


def router(backend: Backend) -> APIRouter:
    """Health and metrics."""
    routes = APIRouter(tags=["health"])
    metrics = Metrics(backend)

    @routes.get("/health/live", summary="Is the process alive?")
    def live() -> Live:
        """Yes, if it answers."""
        return Live()

    @routes.get("/health/ready", response_model=Ready, responses={503: {"model": Ready}}, summary="Can it work?")
    def ready() -> JSONResponse:
        """200 when Redis and Supabase can be used, else 503 with what is away."""
        found = problems(backend)
        state = Ready(status="not ready" if found else "ready", **found)
        return JSONResponse(state.model_dump(exclude_none=True), 503 if found else 200)

    @routes.get(
        "/metrics",
        response_class=PlainTextResponse,
        responses={200: {"content": {"text/plain": {}}, "description": "Prometheus's text format."}, **answers()},
        summary="Figures for Prometheus",
    )
    def get_metrics(_: Reader) -> PlainTextResponse:
        """Depths of the queues, workers, and how runs end and how long they take."""
        return PlainTextResponse(metrics.text(), media_type="text/plain; version=0.0.4")

    return routes


def problems(backend: Backend) -> dict[str, str]:
    """What keeps the service from working, by part; empty when it is ready."""
    found: dict[str, str] = {}
    health = backend.redis_health()
    if health.error:
        found["redis"] = health.error
    try:
        backend.store.check()
    except QAError as error:
        found["supabase"] = str(error)
    return found
