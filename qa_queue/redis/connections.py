"""Queues on a Redis of their own, for everybody who was given the service's main connection.

Connections of workers, which live long and must notice soon that their Redis has gone elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from qa_queue.redis.diagnosis import address_of, explain
from qa_queue.redis.pools import leaving, pool_of
from qa_queue.redis.servers import RedisServer
from qa_queue.settings.redis import queue_variable


class MainRedis(Redis):
    """The connection to the main Redis, which finds that of a queue on another one, opened when first needed."""

    def __init__(self, *, find: Callable[[str], Redis | None], **options: Any) -> None:
        super().__init__(**options)
        self._find = find

    def of(self, queue: str) -> Redis:
        """The connection to the Redis of this queue; this one where it has none of its own.

        Raises:
            RedisUnavailableError: it cannot be used.
        """
        return self._find(queue) or self


def connection_of(connection: Redis, queue: str) -> Redis:
    """The connection to a queue's Redis, by the service's main one; any other connection is for all queues."""
    return connection.of(queue) if isinstance(connection, MainRedis) else connection


def by_server(connection: Redis, queues: Iterable[str]) -> list[tuple[Redis, list[str]]]:
    """Each Redis that has some of these queues, with their names in the order given; one where all are together."""
    groups: dict[int, tuple[Redis, list[str]]] = {}
    for queue in queues:
        own = connection_of(connection, queue)
        groups.setdefault(id(own), (own, []))[1].append(queue)
    return list(groups.values())


def explain_among(error: RedisError, connection: Redis, queues: Iterable[str]) -> str:
    """As `explain`, where the error may be of any of these queues' servers: of the first that does not answer."""
    for server, names in by_server(connection, queues) if isinstance(connection, MainRedis) else ():
        try:
            server.ping()
        except RedisError as found:
            setting = "REDIS_URL" if server is connection else queue_variable(names[0])
            return explain(found, address_of(server), setting)
    return explain(error, address_of(connection))


CONNECT_TIMEOUT_S = 2.0
ANSWER_TIMEOUT_S = 5.0  # the longest block of a worker is 1 s; a host that vanished never answers
CONNECTIONS = 20


def worker_connection(server: RedisServer) -> Redis:
    """A connection for a worker; none is opened yet.

    Raises:
        SettingsError: a setting cannot be used.
    """
    pool = pool_of(server, max_connections=CONNECTIONS, socket_timeout=ANSWER_TIMEOUT_S, retry=_patience())
    return steady(Redis(connection_pool=pool))


def steady(connection: Redis) -> Redis:
    """Make any connection fit for a worker.

    A worker has loops that try again, so each try is short: one that waits holds up heartbeats and due jobs.
    """
    pool = connection.connection_pool
    pool.disconnect()
    pool.connection_class = leaving(pool.connection_class)
    options = {"socket_timeout": ANSWER_TIMEOUT_S, "retry": _patience()}
    if "path" not in pool.connection_kwargs:
        options |= {"socket_connect_timeout": CONNECT_TIMEOUT_S, "socket_keepalive": True}
    pool.connection_kwargs.update(options)
    pool.reset()
    return connection


def _patience() -> Retry:
    return Retry(ExponentialBackoff(cap=0.5, base=0.1), 1)


def server_time(connection: Redis) -> datetime:
    """Return the time by Redis' clock, which all processes share; their own may be wrong.

    Raises:
        redis.exceptions.RedisError: Redis failed.
    """
    seconds, microseconds = connection.time()
    return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=microseconds)
