"""Alerts: rules over a snapshot of the service, decided by values alone, told through channels."""

from __future__ import annotations

from qa_queue.alerts.decide import Alert
from qa_queue.alerts.deputy import Deputy, watch_of
from qa_queue.alerts.signature import sign, verify
from qa_queue.alerts.source import alert_config
from qa_queue.alerts.state import AlertState, firing

__all__ = ["Alert", "AlertState", "Deputy", "alert_config", "firing", "sign", "verify", "watch_of"]
