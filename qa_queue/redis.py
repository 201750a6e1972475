"""The connection to Redis: made once a process, checked before use, and explained when it fails."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from redis import BlockingConnectionPool, Redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoPermissionError,
    RedisError,
    TimeoutError,
)
from redis.retry import Retry

from qa_queue.errors import RedisUnavailableError, SettingsError
from qa_queue.settings import Settings, load_settings

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 3.0
SOCKET_TIMEOUT_S = 15.0  # longer than any block of ours; RQ's workers raise it for their own blocks
POOL_WAIT_S = 20.0
IDLE_CHECK_S = 30  # a connection idle for longer is pinged before it is used again
RETRIES = 2  # of opening a connection and of each command: a restart's short gap is not an error


@dataclass(frozen=True, kw_only=True)
class RedisHealth:
    """What a health check found; `latency_ms` of one PING, `error` says what to do."""

    ok: bool
    latency_ms: float | None = None
    version: str | None = None
    error: str | None = None


class RedisClient:
    """A pool of connections to the Redis of the settings; bytes in and out, as RQ needs.

    Safe to share between threads, and across a fork: the child opens connections of its own.
    """

    _instance: ClassVar[RedisClient | None] = None
    _instance_lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._connection: Redis | None = None

    @classmethod
    def instance(cls, settings: Settings | None = None) -> RedisClient:
        """The client of this process; the first call gives the settings (default: `load_settings()`)."""
        with cls._instance_lock:
            if cls._instance is None:
                cls._instance = cls(settings or load_settings())
            return cls._instance

    def connect(self) -> Redis:
        """The connection, after a PING; the same one on every call until `disconnect`.

        Raises:
            RedisUnavailableError: names host, port and database, never the password, and what to do.
            SettingsError: REDIS_URL is no Redis URL.
        """
        with self._lock:
            if self._connection is None:
                self._connection = self._opened()
            return self._connection

    def disconnect(self) -> None:
        """Close every connection of the pool; `connect` opens a new one."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.connection_pool.disconnect()
            connection.close()

    def health_check(self) -> RedisHealth:
        """PING and look; never raises for a Redis that is down."""
        try:
            connection = self.connect()
            started = time.perf_counter()
            connection.ping()
            latency_ms = (time.perf_counter() - started) * 1000
            version = str(connection.info("server")["redis_version"])
        except RedisUnavailableError as error:
            return RedisHealth(ok=False, error=str(error))
        except RedisError as error:
            return RedisHealth(ok=False, error=explain(error, address_of(connection)))
        return RedisHealth(ok=True, latency_ms=latency_ms, version=version)

    def _opened(self) -> Redis:
        # Whether it can be used at all shows at the first try: a wrong setting is told at once.
        with Redis.from_pool(_pool(self._settings, socket_timeout=CONNECT_TIMEOUT_S)) as probe:
            try:
                probe.ping()
            except RedisError as error:
                raise RedisUnavailableError(explain(error, address_of(probe))) from error
        log.debug("Redis answers at %s", address_of(probe))
        patience = Retry(ExponentialBackoff(cap=1, base=0.1), RETRIES)
        return Redis(connection_pool=_pool(self._settings, socket_timeout=SOCKET_TIMEOUT_S, retry=patience))


def _pool(settings: Settings, *, socket_timeout: float, retry: Retry | None = None) -> BlockingConnectionPool:
    options: dict[str, Any] = {}
    if settings.redis_dsn.startswith("rediss://") and settings.redis_ssl_ca_certs:
        options["ssl_ca_certs"] = str(settings.redis_ssl_ca_certs)
    if not settings.redis_dsn.startswith("unix://"):
        options["socket_keepalive"] = True
        options["socket_connect_timeout"] = CONNECT_TIMEOUT_S
    try:
        return BlockingConnectionPool.from_url(
            settings.redis_dsn,
            max_connections=settings.redis_max_connections,
            timeout=POOL_WAIT_S,
            socket_timeout=socket_timeout,
            health_check_interval=IDLE_CHECK_S,
            retry=retry or Retry(NoBackoff(), 0),
            **options,
        )
    except ValueError as error:
        raise SettingsError(
            f"REDIS_URL is no Redis URL: {error}. Set it to redis://HOST:PORT/DB, rediss:// for TLS or unix://PATH."
        ) from None


def address_of(connection: Redis) -> str:
    """Where a connection goes, as `host:port/db` or `path/db`; never the password."""
    kwargs = connection.connection_pool.connection_kwargs
    place = kwargs.get("path") or f"{kwargs.get('host', 'localhost')}:{kwargs.get('port', 6379)}"
    return f"{place}/{kwargs.get('db') or 0}"


def explain(error: RedisError, address: str) -> str:
    """What failed at this address and what to do about it, in one line."""
    return f"Redis at {address} cannot be used: {_finding(error)}"


def _finding(error: RedisError) -> str:
    cause = error.__cause__ or error.__context__
    for matches, advice in _FINDINGS:
        if matches(error, cause):
            return advice.format(error=error, cause=cause)
    return f"{error}. Check REDIS_URL."


def _is(*kinds: type[BaseException]) -> Callable[[RedisError, BaseException | None], bool]:
    return lambda error, cause: isinstance(error, kinds) or isinstance(cause, kinds)


def _is_tls(_: RedisError, cause: BaseException | None) -> bool:
    return isinstance(cause, ssl.SSLError) or "handshake" in str(cause)


def _is_closed(error: RedisError, cause: BaseException | None) -> bool:
    return isinstance(cause, ConnectionResetError) or "closed by server" in str(error)


# The first that matches wins, so the special stand before the general.
_FINDINGS: tuple[tuple[Callable[[RedisError, BaseException | None], bool], str], ...] = (
    (
        _is(AuthenticationError),
        "it refused the login. Check REDIS_PASSWORD and REDIS_USERNAME, or the login in REDIS_URL.",
    ),
    (_is(NoPermissionError), "the user may not do this ({error}). Give the ACL user the rights, or use another."),
    (_is(BusyLoadingError), "it is still loading its data. Wait a moment and try again."),
    (
        lambda error, _: "DB index" in str(error),
        "it has no such database number. Set REDIS_DB lower, or raise `databases` on the server.",
    ),
    (_is_tls, "the TLS handshake failed ({cause}). Check that it speaks TLS there, and REDIS_SSL_CA_CERTS."),
    (_is(TimeoutError), "it did not answer in time. Check the address and the firewall."),
    (_is(ConnectionRefusedError), "nothing listens there. Start Redis, or set REDIS_URL to where it runs."),
    (_is(socket.gaierror), "the host is unknown. Check the host in REDIS_URL or REDIS_HOST."),
    (_is(FileNotFoundError), "a file is missing. Check the socket's path in REDIS_URL, and REDIS_SSL_CA_CERTS."),
    (_is_closed, "it closed the connection. If it speaks TLS only, use rediss:// in REDIS_URL."),
)
