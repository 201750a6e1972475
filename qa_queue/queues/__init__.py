"""The queues: getting them, putting jobs on them, reading what is on them, keeping them small."""

from qa_queue.queues.jobs import JobSpec
from qa_queue.queues.manager import MAX_JOBS_AT_ONCE, WORKER_CLASS, QueueManager
from qa_queue.queues.retention import trim
from qa_queue.queues.stats import QueuePosition, QueueStats

__all__ = [
    "MAX_JOBS_AT_ONCE",
    "WORKER_CLASS",
    "JobSpec",
    "QueueManager",
    "QueuePosition",
    "QueueStats",
    "trim",
]
