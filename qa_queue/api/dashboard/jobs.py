"""RQ's classes as rq-dashboard has to use them here: JSON jobs, and odd ones that must not break a page."""

from __future__ import annotations

import logging
from typing import Any

from redis import Redis
from rq import Queue, Worker
from rq.exceptions import DeserializationError, InvalidJobOperation, NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer

from qa_queue.queues.priority_queue import PriorityQueue

log = logging.getLogger(__name__)


class JsonJob(Job):
    """A job with a JSON payload, whether the caller says so or not."""

    def __init__(self, id: str | None = None, connection: Redis | None = None, serializer: Any = None) -> None:
        del serializer
        super().__init__(id, connection=connection, serializer=JSONSerializer)

    @property
    def dependency_ids(self) -> list[bytes]:  # type: ignore[override] # rq-dashboard 0.9 decodes them
        """As bytes, which RQ 3 no longer gives."""
        return [name.encode() for name in super().dependency_ids]

    def get_meta(self, refresh: bool = True) -> dict[str, Any]:
        """The job's metadata, or its bytes under `unserialized` when they are not JSON."""
        try:
            return super().get_meta(refresh)
        except ValueError:
            return self.meta

    def get_call_string(self) -> str:
        """Return what the job calls, or that it cannot be read."""
        try:
            return super().get_call_string() or ""
        except DeserializationError:
            return "(a payload that cannot be read)"


class JsonQueue(PriorityQueue):
    """A queue of JSON jobs; a deleted job is not listed."""

    job_class = JsonJob

    def fetch_job(self, job_id: str) -> Job | None:
        """The job, or None when it is gone or malformed."""
        try:
            return super().fetch_job(job_id)
        except (ValueError, TypeError, KeyError):
            log.warning("Job %s of queue %s is malformed in Redis and is not shown", job_id, self.name)
            return None


class JsonWorker(Worker):
    """A worker as the workers page reads it."""

    job_class = JsonJob
    queue_class: type[Queue] = JsonQueue

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "serializer": JSONSerializer})

    def get_current_job(self) -> Job | None:
        """One of the jobs it runs; None when that ended while the page was being made."""
        try:
            return super().get_current_job()
        except (NoSuchJobError, InvalidJobOperation, ValueError):
            return None


def requeue_job(job_id: str, connection: Redis) -> Job:
    """Put a failed job back on its queue; the next dequeue gives it the place of its priority."""
    job = JsonJob.fetch(job_id, connection=connection)
    JsonQueue(job.origin, connection=connection).failed_job_registry.requeue(job)
    return job
