"""How the service is: what can be seen of Redis, Supabase, workers and scheduler at one moment."""

from __future__ import annotations

from qa_queue.monitoring.health import Health, health_check
from qa_queue.monitoring.oldest import oldest_waiting
from qa_queue.monitoring.scheduler_heartbeat import BEAT_S, SchedulerState, beat, read_scheduler
from qa_queue.monitoring.workers import WorkerState, read_workers

__all__ = [
    "BEAT_S",
    "Health",
    "SchedulerState",
    "WorkerState",
    "beat",
    "health_check",
    "oldest_waiting",
    "read_scheduler",
    "read_workers",
]
