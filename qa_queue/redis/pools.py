"""Pools of connections to a Redis, which leave a server that is no longer the master, and by Sentinel follow it."""

from __future__ import annotations

import logging
import os
import time
from functools import cache
from typing import Any

from redis import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.connection import AbstractConnection, Connection, parse_url
from redis.exceptions import AuthenticationError, ConnectionError, RedisError, ResponseError, TimeoutError
from redis.retry import Retry
from redis.sentinel import (
    MasterNotFoundError,
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)

from qa_queue.errors import SettingsError
from qa_queue.redis.servers import RedisServer, SentinelGroup

log = logging.getLogger(__name__)
ASK_TIMEOUT_S = 1.0  # of one Sentinel; the next is asked then
ASK_EVERY_S = 1.0  # whether the master is still the same
ASK_AGAIN_S = 10.0  # where no Sentinel says
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


def servers_by_sentinel(server: RedisServer) -> list[str]:
    """Return the master and its replicas as `host:port`; none without Sentinels, or while none of them answers."""
    if server.sentinels is None:
        return []
    discovery = Discovery(server.sentinels, sentinel_options(server))
    try:
        return discovery.servers(server.sentinels.master)
    except RedisError as error:
        log.warning("The servers behind the Sentinels %s are not known: %s", server.sentinels, error)
        return []
    finally:
        for sentinel in discovery.sentinels:
            sentinel.close()


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


class FollowingPool(SentinelConnectionPool, BlockingConnectionPool):
    """As a `BlockingConnectionPool`, whose connections go to the master, and leave one that was replaced.

    redis-py asks the Sentinels only when it opens a connection. After a planned failover the old master takes
    writes for some seconds more, and those are lost, so here they are asked once a second while there is work.
    """

    def __init__(self, master: str, discovery: Discovery, **options: Any) -> None:
        self._ask_at = 0.0
        super().__init__(master, discovery, **options)  # type: ignore[no-untyped-call] # redis-py

    def get_connection(self, *args: Any, **options: Any) -> Any:
        """A connection to the master, waited for where all are in use."""
        now = time.monotonic()
        if now >= self._ask_at:
            self._ask_at = now + ASK_EVERY_S
            try:
                self.get_master_address()  # type: ignore[no-untyped-call] # redis-py; drops idle connections to another
            except RedisError:
                self._ask_at = now + ASK_AGAIN_S  # the connections that there are may do without Sentinels
        return super().get_connection(*args, **options)  # type: ignore[no-untyped-call] # redis-py

    def close(self) -> None:
        """Close every connection, those to the Sentinels too."""
        super().close()
        for sentinel in self.sentinel_manager.sentinels:
            sentinel.close()


class Discovery(Sentinel):
    """Asks one Sentinel after the other, and tells apart why none names the master."""

    def __init__(self, group: SentinelGroup, options: dict[str, Any]) -> None:
        self.group = group
        self._knew: Redis | None = None  # is asked first; the list itself is read by other threads
        login = {"username": group.username, "password": group.password}
        super().__init__(list(group.hosts), sentinel_kwargs=login | options)  # type: ignore[no-untyped-call] # redis-py

    def discover_master(self, service_name: str) -> tuple[str, int]:
        """Return where the master of this name is.

        Raises:
            redis.sentinel.MasterNotFoundError: no one knows it; says why and what to do.
        """
        problems: list[str] = []
        for sentinel in sorted(self.sentinels, key=lambda one: one is not self._knew):
            try:
                masters: Any = sentinel.sentinel_masters()
            except (AuthenticationError, ConnectionError, TimeoutError, ResponseError) as error:
                problems.append(_unusable(sentinel, error))
                continue
            state = masters.get(service_name)
            if state and self.check_master_state(state, service_name):  # type: ignore[no-untyped-call] # redis-py
                self._knew = sentinel
                return state["ip"], state["port"]
            problems.append(_unknown(service_name, masters))
        raise MasterNotFoundError("; ".join(dict.fromkeys(problems)))

    def servers(self, service_name: str) -> list[str]:
        """Return the master of this name and its replicas as `host:port`; raises as `discover_master`."""
        places = [self.discover_master(service_name)]
        if self._knew is not None:
            replicas: Any = self._knew.sentinel_slaves(service_name)
            places += [(one["ip"], one["port"]) for one in replicas]
        return [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in places]


def _unusable(sentinel: Any, error: RedisError) -> str:
    options = sentinel.connection_pool.connection_kwargs
    place = f"{options.get('host')}:{options.get('port')}"
    match error:
        case AuthenticationError():
            return f"{place} refused the login: check REDIS_SENTINEL_PASSWORD and REDIS_SENTINEL_USERNAME"
        case ResponseError() if "unknown command" in str(error):
            return f"{place} is not a Sentinel: check host and port in REDIS_SENTINELS"
        case ResponseError():
            return f"{place} refused to say ({error}): check REDIS_SENTINEL_USERNAME and its rights"
    return f"no Sentinel answers at {place}: check REDIS_SENTINELS and the firewall"


def _unknown(name: str, masters: dict[str, Any]) -> str:
    if name in masters:
        return f"the master {name!r} is down and no other was chosen yet: wait for the failover"
    known = ", ".join(sorted(masters)) or "none"
    return f"the Sentinels watch no master {name!r}: set REDIS_SENTINEL_MASTER to one that they do watch ({known})"
