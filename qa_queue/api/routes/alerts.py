"""The alerts of the service."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from qa_queue.api.auth import Reader
from qa_queue.api.errors import answers
from qa_queue.monitoring.alerts import Alert, firing
from qa_queue.monitoring.alerts.rules import RuleKind, Severity
from qa_queue.services import Backend


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


def router(backend: Backend) -> APIRouter:
    """The operations on alerts."""
    routes = APIRouter(prefix="/alerts", tags=["alerts"])

    @routes.get("", responses=answers(), summary="List the alerts that fire now")
    def list_alerts(_: Reader) -> Alerts:
        """List the alerts of the scheduler's last evaluation, some seconds ago."""
        state = backend.alerts
        return Alerts(
            alerts=[_shown(alert) for alert in firing(state.load())],
            watched=state.active(),
            broken_channels=state.channel_errors(),
        )

    return routes


def _shown(alert: Alert) -> FiringAlert:
    since = datetime.fromtimestamp(alert.firing_since or 0, UTC)
    shown = alert.model_dump(include={"rule", "kind", "subject", "severity", "summary", "value"})
    return FiringAlert(**shown, since=since, told=alert.notified)
