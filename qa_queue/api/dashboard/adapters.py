"""Adapters for rq-dashboard: RQ's classes with JSON jobs, and a connection for each request.

Jobs that cannot be read must not break a page.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from flask import Flask, g, request
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue, Worker
from rq.exceptions import DeserializationError, InvalidJobOperation, NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer

from qa_queue.extensions import queue_names
from qa_queue.queues.job_view import server_of_job
from qa_queue.queues.priority_queue import PriorityQueue
from qa_queue.redis import RedisClient, address_of, connection_of
from qa_queue.redis.pools import pool_of
from qa_queue.redis.servers import RedisServer, main_server, server_of
from qa_queue.settings import Settings

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


class Servers:
    """The main Redis first, then those of queues that have their own, connected when first looked at."""

    def __init__(self, settings: Settings) -> None:
        self._client = RedisClient(settings)
        self.main = self._client.connect()
        self._queues: dict[str, str | None] = {_label(main_server(settings)): None}  # one on it, by label
        for name in queue_names():
            if settings.redis_url_of(name):
                self._queues.setdefault(_label(server_of(settings, name)), name)

    @property
    def labels(self) -> tuple[str, ...]:
        """Return what people see of each, without logins."""
        return tuple(self._queues)

    def at(self, label: str) -> Redis:
        """The connection to a server.

        Raises:
            RedisUnavailableError: it cannot be used.
        """
        queue = self._queues[label]
        return self.main if queue is None else self._client.connection_of(queue)

    def about(self, arguments: Mapping[str, Any]) -> Redis:
        """The connection for a request that names no server: that of its queue, or that has its job."""
        if queue := arguments.get("queue_name"):
            return connection_of(self.main, queue)
        if job_id := arguments.get("job_id"):
            return server_of_job(self.main, job_id)
        return self.main


class DashboardApp(Flask):
    """The application as rq-dashboard's blueprint expects it, with a connection for each request.

    The blueprint keeps it on the application, where requests at the same time would take it from each other.
    """

    servers: Servers

    @property
    def redis_conn(self) -> Redis:
        """The connection of this request."""
        if "redis" not in g:
            g.redis = self.servers.about(request.view_args or {})
        return g.redis  # type: ignore[no-any-return] # what was put there

    @redis_conn.setter
    def redis_conn(self, connection: Redis) -> None:
        g.redis = connection


def _label(server: RedisServer) -> str:
    pool = pool_of(server, max_connections=1, socket_timeout=1, retry=Retry(NoBackoff(), 0))
    return f"redis://{address_of(Redis(connection_pool=pool))}"
