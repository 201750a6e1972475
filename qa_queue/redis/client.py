"""The connection to Redis: made once a process and checked before use."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import ClassVar

from redis import Redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from qa_queue.errors import RedisUnavailableError, SettingsError
from qa_queue.redis.connections import MainRedis
from qa_queue.redis.diagnosis import address_of, explain
from qa_queue.redis.pools import CONNECT_TIMEOUT_S, pool_of
from qa_queue.redis.servers import RedisServer, SentinelGroup, main_server, server_of
from qa_queue.settings import Settings, load_settings

log = logging.getLogger(__name__)

SOCKET_TIMEOUT_S = 15.0  # many jobs are enqueued in one step
RETRIES = 2  # of opening a connection and of each command: a restart's short gap is not an error
_Key = tuple[str, SentinelGroup | None]  # with Sentinels, host and port of the URL stand for nothing


@dataclass(frozen=True, kw_only=True)
class RedisHealth:
    """Result of a health check; `latency_ms` of one PING, `error` states what to do."""

    ok: bool
    latency_ms: float | None = None
    version: str | None = None
    error: str | None = None


class RedisClient:
    """Pools of connections to the Redis of the settings; bytes in and out, as RQ needs.

    `socket_timeout` is how long an answer may take, in s; longer than any block of ours.
    Safe to share between threads, and across a fork: the child opens connections of its own.
    """

    _instance: ClassVar[RedisClient | None] = None
    _instance_lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, settings: Settings, *, socket_timeout: float = SOCKET_TIMEOUT_S) -> None:
        self._settings = settings
        self._socket_timeout = socket_timeout
        self._lock = threading.Lock()
        self._open: dict[_Key, Redis] = {}

    @classmethod
    def instance(cls, settings: Settings | None = None) -> RedisClient:
        """The client of this process; the first call gives the settings (default: `load_settings()`)."""
        with cls._instance_lock:
            if cls._instance is None:
                cls._instance = cls(settings or load_settings())
            return cls._instance

    def connect(self) -> Redis:
        """The main connection, after a PING; the same one on every call until `disconnect`.

        Where queues have a Redis of their own it is a `MainRedis`, from which `connection_of` finds theirs.

        Raises:
            RedisUnavailableError: names host, port and database, never the password, and what to do.
            SettingsError: a setting cannot be used: no Redis URL, a missing file.
        """
        return self._connection(main_server(self._settings))

    def connection_of(self, queue: str) -> Redis:
        """The connection to the Redis of a queue; raises as `connect` does."""
        return self._connection(server_of(self._settings, queue))

    def disconnect(self) -> None:
        """Close every connection of the pools; `connect` opens new ones."""
        with self._lock:
            connections, self._open = list(self._open.values()), {}
        for connection in connections:
            connection.close()
            connection.connection_pool.close()

    def health_check(self, queue: str | None = None) -> RedisHealth:
        """PING and look, at the main Redis or at that of a queue; never raises for a Redis that is down."""
        try:
            connection = self.connect() if queue is None else self.connection_of(queue)
            started = time.perf_counter()
            connection.ping()
            latency_ms = (time.perf_counter() - started) * 1000
            version = str(connection.info("server")["redis_version"])
        except (RedisUnavailableError, SettingsError) as error:
            return RedisHealth(ok=False, error=str(error))
        except RedisError as error:
            return RedisHealth(ok=False, error=explain(error, address_of(connection)))
        return RedisHealth(ok=True, latency_ms=latency_ms, version=version)

    def _connection(self, server: RedisServer) -> Redis:
        key = (server.url, server.sentinels)
        with self._lock:
            found = self._open.get(key)
        if found is None:
            opened = self._opened(server)  # one that does not answer holds up no one who wants another
            with self._lock:
                found = self._open.setdefault(key, opened)
        return found

    def _opened(self, server: RedisServer) -> Redis:
        settings = self._settings
        check(server)
        patience = Retry(ExponentialBackoff(cap=1, base=0.1), RETRIES)
        pool = pool_of(
            server,
            max_connections=settings.redis_max_connections,
            socket_timeout=self._socket_timeout,
            retry=patience,
        )
        if settings.redis_url_names and server == main_server(settings):
            return MainRedis(find=self._own, connection_pool=pool)
        return Redis(connection_pool=pool)

    def _own(self, queue: str) -> Redis | None:
        return self.connection_of(queue) if self._settings.redis_url_of(queue) else None


def check(server: RedisServer) -> None:
    """Check at the first try that a Redis can be used: a wrong setting is reported at once.

    Raises:
        RedisUnavailableError: it cannot; says why and what to do.
        SettingsError: a setting cannot be used.
    """
    pool = pool_of(server, max_connections=1, socket_timeout=CONNECT_TIMEOUT_S, retry=Retry(NoBackoff(), 0))
    probe = Redis(connection_pool=pool)
    try:
        probe.ping()
    except RedisError as error:
        raise RedisUnavailableError(explain(error, address_of(probe), server.setting)) from error
    finally:
        probe.close()
        pool.close()
    log.debug("Redis answers at %s", address_of(probe))
