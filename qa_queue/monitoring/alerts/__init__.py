"""Alerts: rules on a snapshot of the service, evaluated by the scheduler, and messages through channels."""

from __future__ import annotations

from qa_queue.monitoring.alerts.channels import sign, verify
from qa_queue.monitoring.alerts.config import alert_config
from qa_queue.monitoring.alerts.monitor import AlertMonitor
from qa_queue.monitoring.alerts.state import Alert, AlertState, firing

__all__ = ["Alert", "AlertMonitor", "AlertState", "alert_config", "firing", "sign", "verify"]
