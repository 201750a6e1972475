"""Alerts: rules over a snapshot of the service, decided by values alone, told through channels."""

from __future__ import annotations

from qa_queue.monitoring.alerts.deputy import Deputy, watch_of
from qa_queue.monitoring.alerts.source import alert_config
from qa_queue.monitoring.alerts.state import Alert, AlertState, firing
from qa_queue.monitoring.alerts.transports import sign, verify

__all__ = ["Alert", "AlertState", "Deputy", "alert_config", "firing", "sign", "verify", "watch_of"]
