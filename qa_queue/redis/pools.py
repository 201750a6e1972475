"""Pools of connections to a Redis, which leave a server that is no longer the master."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from redis import BlockingConnectionPool
from redis.backoff import NoBackoff
from redis.connection import AbstractConnection, Connection, parse_url
from redis.exceptions import ConnectionError, ResponseError
from redis.retry import Retry
from redis.sentinel import SentinelManagedConnection, SentinelManagedSSLConnection

from qa_queue.errors import SettingsError
from qa_queue.redis.sentinels import ASK_TIMEOUT_S, Discovery, FollowingPool
from qa_queue.redis.servers import RedisServer

CONNECT_TIMEOUT_S = 3.0
POOL_WAIT_S = 20.0
IDLE_CHECK_S = 30  # a connection idle for longer is pinged before it is used again
_TLS_OPTIONS = {
    "REDIS_SSL_CA_CERTS": "ssl_ca_certs",
    "REDIS_SSL_CERTFILE": "ssl_certfile",
    "REDIS_SSL_KEYFILE": "ssl_keyfile",
}
_REPLICA = ("READONLY", "MASTERDOWN")


class ReplicaError(ConnectionError):
    """The server is a read-only replica; the connection is closed, so that the next one finds the master."""


class _LeavesReplica:
    """A connection that closes when it turns out to lead to a replica.

    redis-py does so for Sentinel's connections alone, and not for what a script of Redis 6 answers. A name that
    points to the master (a managed Redis) is looked up anew only by a new connection.
    """

    def read_response(self, *args: Any, **options: Any) -> Any:
        """Read an answer."""
        try:
            return super().read_response(*args, **options)  # type: ignore[misc] # of the class that it is mixed into
        except ResponseError as error:
            if not any(word in str(error) or word in type(error).__name__.upper() for word in _REPLICA):
                raise
            self.disconnect()  # type: ignore[attr-defined]
            raise ReplicaError(f"it is a replica: {error}") from error


class _AsksSentinels(_LeavesReplica):
    """Opened anew in the middle of a command, it goes where the master is by then.

    redis-py 8.1 goes back to the host that it knows, which after a failover may not even refuse.
    """

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """Send a command."""
        if not self._sock:  # type: ignore[attr-defined]
            self.connect()  # type: ignore[attr-defined]
        super().send_packed_command(command, check_health)  # type: ignore[misc] # of the class that it is mixed into


def pool_of(
    server: RedisServer, *, max_connections: int, socket_timeout: float, retry: Retry
) -> BlockingConnectionPool:
    """A pool of connections to this server, none of them opened yet.

    Raises:
        SettingsError: the URL is invalid, or a TLS file is missing.
    """
    options: dict[str, Any] = {
        "max_connections": max_connections,
        "timeout": POOL_WAIT_S,
        "socket_timeout": socket_timeout,
        "health_check_interval": IDLE_CHECK_S,
        "retry": retry,
        **_network(server),
    }
    address = _parsed(server)
    if server.sentinels is None:
        kind = address.get("connection_class", Connection)
        return BlockingConnectionPool.from_url(server.url, **options, connection_class=leaving(kind))
    options |= {name: value for name, value in address.items() if name in ("username", "password", "db")}
    kind = SentinelManagedSSLConnection if server.secure else SentinelManagedConnection
    discovery = Discovery(server.sentinels, sentinel_options(server))
    return FollowingPool(server.sentinels.master, discovery, connection_class=leaving(kind), **options)


def sentinel_options(server: RedisServer) -> dict[str, Any]:
    """Return redis-py's options for the Sentinels of a server, without the login; raises as `pool_of`."""
    asked_once = Retry(NoBackoff(), 0)  # redis-py would wait seconds for each that is down, and there are others
    times = {"socket_timeout": ASK_TIMEOUT_S, "socket_connect_timeout": ASK_TIMEOUT_S}
    return {**times, "retry": asked_once, "ssl": server.secure, **tls_options(server)}


def tls_options(server: RedisServer) -> dict[str, str]:
    """The files of TLS as redis-py's options; none where the server does not speak it.

    Raises:
        SettingsError: one cannot be read.
    """
    if not server.secure:
        return {}
    for name, path in server.files:
        if not os.access(path, os.R_OK) or not path.is_file():
            raise SettingsError(f"{name}={str(path)!r} is not a readable file: set it to a PEM file, or unset it.")
    return {_TLS_OPTIONS[name]: str(path) for name, path in server.files}


def _network(server: RedisServer) -> dict[str, Any]:
    if server.url.startswith("unix://"):
        return {}
    return {"socket_keepalive": True, "socket_connect_timeout": CONNECT_TIMEOUT_S, **tls_options(server)}


def _parsed(server: RedisServer) -> dict[str, Any]:
    try:
        return dict(parse_url(server.url))  # type: ignore[no-untyped-call] # redis-py
    except ValueError:  # its text may hold a part of the password
        raise SettingsError(
            f"{server.setting} is not a Redis URL. "
            "Set it to redis://HOST:PORT/DB, rediss:// for TLS or unix://PATH; "
            "write / # ? @ : in a password as %2F %23 %3F %40 %3A."
        ) from None


@cache
def leaving(kind: type[AbstractConnection]) -> type[AbstractConnection]:
    """The class of connections that is as this one and leaves a replica."""
    if issubclass(kind, _LeavesReplica):
        return kind
    mixed = _AsksSentinels if issubclass(kind, SentinelManagedConnection) else _LeavesReplica
    return type(f"Leaving{kind.__name__}", (mixed, kind), {})
