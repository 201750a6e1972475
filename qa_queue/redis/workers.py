"""Connections of workers, which live long and must notice soon that their Redis has gone elsewhere."""

from __future__ import annotations

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from qa_queue.redis.pools import leaving, pool_of
from qa_queue.redis.servers import RedisServer

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
    """Make a connection fit for a worker, whoever made it.

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
