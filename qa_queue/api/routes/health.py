"""Operations on the health of the service: liveness, readiness, metrics and alerts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel, Field

from qa_queue.api.dependencies import Service, ServiceReader
from qa_queue.api.errors import answers
from qa_queue.monitoring import Health, SchedulerState
from qa_queue.monitoring.alerts import Alert, firing
from qa_queue.monitoring.alerts.rules import RuleKind, Severity

routes = APIRouter(tags=["health"])
alerts = APIRouter(prefix="/alerts", tags=["alerts"])


class Live(BaseModel):
    """Liveness: the process responds."""

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


class FiringAlert(BaseModel):
    """An alert that fires now; `subject` is the queue or host, empty if it is the service as a whole."""

    rule: str = Field(description="The rule's name in qa-alerts.yaml.")
    kind: RuleKind
    subject: str
    severity: Severity
    summary: str
    value: float = Field(description="In the unit of its kind: jobs, seconds, a share, or bytes.")
    since: datetime
    told: bool = Field(description="True if a message about it was sent.")


class Alerts(BaseModel):
    """The alerts that fire now, the worst first, and the channels that did not accept their last message."""

    alerts: list[FiringAlert]
    watched: bool = Field(
        description="True if a scheduler evaluates the rules; otherwise the list is old: start the scheduler."
    )
    broken_channels: dict[str, str] = Field(description="The errors by channel.")


@routes.get("/health/live", summary="Check that the process responds")
def live() -> Live:
    """Return a constant: the process responds."""
    return Live()


@routes.get(
    "/health/ready",
    response_model=Ready,
    responses={503: {"model": Ready}},
    summary="Check that the service can work",
)
def ready(backend: Service) -> JSONResponse:
    """Return 200 if Redis and Supabase can be used, else 503 with the reason; other parts are listed."""
    health = backend.health_check()
    return JSONResponse(_readiness(health).model_dump(mode="json", exclude_none=True), 200 if health.ok else 503)


@routes.get(
    "/metrics",
    response_class=PlainTextResponse,
    responses={200: {"content": {"text/plain": {}}, "description": "Prometheus's text format."}, **answers()},
    summary="Get metrics for Prometheus",
)
def get_metrics(request: Request, _: ServiceReader) -> PlainTextResponse:
    """Return queue depths, workers, and the outcomes and durations of runs."""
    return PlainTextResponse(request.app.state.metrics.text(), media_type="text/plain; version=0.0.4")


@alerts.get("", responses=answers(), summary="List the alerts that fire now")
def list_alerts(backend: Service, _: ServiceReader) -> Alerts:
    """List the alerts of the scheduler's last evaluation, some seconds ago."""
    state = backend.alerts
    return Alerts(
        alerts=[_firing(alert) for alert in firing(state.load())],
        watched=state.active(),
        broken_channels=state.channel_errors(),
    )


def _readiness(health: Health) -> Ready:
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


def _firing(alert: Alert) -> FiringAlert:
    since = datetime.fromtimestamp(alert.firing_since or 0, UTC)
    shown = alert.model_dump(include={"rule", "kind", "subject", "severity", "summary", "value"})
    return FiringAlert(**shown, since=since, told=alert.notified)
