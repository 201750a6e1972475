"""The state of the service: Redis, Supabase, queues, workers and the scheduler at one moment; and alerts on it."""

from __future__ import annotations

from qa_queue.monitoring.health import Health, health_check
from qa_queue.monitoring.heartbeats import (
    HEARTBEAT_S,
    SchedulerState,
    WorkerState,
    read_scheduler,
    read_workers,
    send_heartbeat,
)
from qa_queue.monitoring.snapshot_reader import oldest_waiting

__all__ = [
    "HEARTBEAT_S",
    "Health",
    "SchedulerState",
    "WorkerState",
    "health_check",
    "oldest_waiting",
    "read_scheduler",
    "read_workers",
    "send_heartbeat",
]
