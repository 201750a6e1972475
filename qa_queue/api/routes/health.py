"""Liveness, readiness and metrics of the service."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel, Field

from qa_queue.api.auth import Reader
from qa_queue.api.errors import answers
from qa_queue.api.metrics import Metrics
from qa_queue.monitoring import Health, SchedulerState
from qa_queue.services import Backend


class Live(BaseModel):
    """The process answers."""

    status: str = "alive"


class Scheduler(BaseModel):
    """The scheduler: `stopped` if its heartbeats have stopped, `none` if there was none within a week."""

    status: Literal["alive", "stopped", "none"]
    last_heartbeat: datetime | None = None


class Ready(BaseModel):
    """Readiness: Redis and Supabase can be used; a part that cannot has the reason.

    The other fields do not make the service unready: the scheduler, workers alive and the age of the oldest waiting
    job by queue, and `warnings` as sentences.
    """

    status: Literal["ready", "not ready"]
    redis: str | None = None
    supabase: str | None = None
    scheduler: Scheduler | None = None
    workers: dict[str, int] = Field(default_factory=dict)
    oldest_waiting_seconds: dict[str, float] = Field(default_factory=dict)
    warnings: list[str] = Field(default_factory=list)


def router(backend: Backend) -> APIRouter:
    """Return the operations on health and metrics."""
    routes = APIRouter(tags=["health"])
    metrics = Metrics(backend)

    @routes.get("/health/live", summary="Check that the process answers")
    def live() -> Live:
        """Answer."""
        return Live()

    @routes.get(
        "/health/ready",
        response_model=Ready,
        responses={503: {"model": Ready}},
        summary="Check that the service can work",
    )
    def ready() -> JSONResponse:
        """Answer 200 if Redis and Supabase can be used, else 503 with the reason; other parts are listed."""
        health = backend.health_check()
        return JSONResponse(_shown(health).model_dump(mode="json", exclude_none=True), 200 if health.ok else 503)

    @routes.get(
        "/metrics",
        response_class=PlainTextResponse,
        responses={200: {"content": {"text/plain": {}}, "description": "Prometheus's text format."}, **answers()},
        summary="Get metrics for Prometheus",
    )
    def get_metrics(_: Reader) -> PlainTextResponse:
        """Depths of the queues, workers, and how runs end and how long they take."""
        return PlainTextResponse(metrics.text(), media_type="text/plain; version=0.0.4")

    return routes


def _shown(health: Health) -> Ready:
    return Ready(
        status="ready" if health.ok else "not ready",
        redis=health.redis,
        supabase=health.supabase,
        scheduler=_scheduler(health.scheduler) if health.scheduler else None,
        workers=health.workers,
        oldest_waiting_seconds={name: round(age, 1) for name, age in health.oldest_waiting_s.items()},
        warnings=list(health.warnings),
    )


def _scheduler(state: SchedulerState) -> Scheduler:
    if state.alive:
        return Scheduler(status="alive", last_heartbeat=state.last)
    return Scheduler(status="stopped" if state.stopped else "none", last_heartbeat=state.last)
