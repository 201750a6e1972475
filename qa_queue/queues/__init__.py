"""All access to a queue's Redis: enqueueing, reserving, cancelling, requeueing and deleting jobs, limits, events.

The steps that must be atomic are Lua scripts in `lua`; `keys` names every key.
"""

from qa_queue.queues.jobs import JobSpec
from qa_queue.queues.manager import MAX_JOBS_AT_ONCE, WORKER_CLASS, QueueManager
from qa_queue.queues.stats import QueuePosition, QueueStats

__all__ = ["MAX_JOBS_AT_ONCE", "WORKER_CLASS", "JobSpec", "QueueManager", "QueuePosition", "QueueStats"]
