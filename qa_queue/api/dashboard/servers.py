"""The Redis servers that the dashboard shows as its instances, and which of them a request is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask, g, request
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from qa_queue.extensions import queue_names
from qa_queue.queues.job_view import server_of_job
from qa_queue.redis import RedisClient, address_of, connection_of
from qa_queue.redis.pools import pool_of
from qa_queue.redis.servers import RedisServer, main_server, server_of
from qa_queue.settings import Settings


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
