"""Explanations of Redis errors, in one line that states what to do."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from redis import Redis
from redis.exceptions import (
    AskError,
    AuthenticationError,
    BusyLoadingError,
    ClusterCrossSlotError,
    ClusterDownError,
    NoPermissionError,
    OutOfMemoryError,
    RedisError,
    TimeoutError,
)
from redis.sentinel import MasterNotFoundError

from qa_queue.errors import RedisUnavailableError
from qa_queue.redis.pools import FollowingPool, ReplicaError

_RIGHTS = "docs/how-to-redis.md has the rights that qa-queue needs"


def address_of(connection: Redis) -> str:
    """Return the target of a connection, `host:port/db`, `path/db`, or the master and Sentinels; no password."""
    pool = connection.connection_pool
    kwargs = pool.connection_kwargs
    database = kwargs.get("db") or 0
    if isinstance(pool, FollowingPool):
        host, port = pool.master_address or (None, None)
        where = f", {host}:{port}" if host else ""
        return f"the master {pool.service_name!r}{where}/{database} of the Sentinels {pool.sentinel_manager.group}"
    place = kwargs.get("path") or f"{kwargs.get('host', 'localhost')}:{kwargs.get('port', 6379)}"
    return f"{place}/{database}"


def explain(error: RedisError, address: str, setting: str = "REDIS_URL") -> str:
    """Return what failed at this address and what to do about it, in one line; `setting` names the server."""
    return f"Redis at {address} cannot be used: {_finding(error, setting)}"


@contextmanager
def explained(connection: Redis, setting: str = "REDIS_URL") -> Iterator[None]:
    """Raise errors of Redis in the body as `RedisUnavailableError`, with the explanation."""
    try:
        yield
    except RedisError as error:
        raise RedisUnavailableError(explain(error, address_of(connection), setting)) from error


def _finding(error: RedisError, setting: str) -> str:
    cause = error.__cause__ or error.__context__
    for matches, advice in _FINDINGS:
        if matches(error, cause):
            return advice.format(error=error, cause=cause, setting=setting)
    return f"{error}. Check {setting}."


def _is(*kinds: type[BaseException]) -> Callable[[RedisError, BaseException | None], bool]:
    return lambda error, cause: isinstance(error, kinds) or isinstance(cause, kinds)


def _says(*words: str) -> Callable[[RedisError, BaseException | None], bool]:
    return lambda error, cause: any(word in text for text in (str(error), str(cause)) for word in words)


def _is_tls(_: RedisError, cause: BaseException | None) -> bool:
    return isinstance(cause, ssl.SSLError) or "handshake" in str(cause)


def _is_closed(error: RedisError, cause: BaseException | None) -> bool:
    return isinstance(cause, ConnectionResetError) or "closed by server" in str(error)


# The first that matches wins, so the special stand before the general.
_FINDINGS: tuple[tuple[Callable[[RedisError, BaseException | None], bool], str], ...] = (
    (_is(MasterNotFoundError), "{error}."),
    (
        _is(AuthenticationError),
        "it refused the login. Check REDIS_PASSWORD and REDIS_USERNAME, or the login in {setting}.",
    ),
    (_is(NoPermissionError), f"the user may not do this ({{error}}). Give the ACL user the right; {_RIGHTS}."),
    (  # Redis 6 says so of a command within a script
        _says("user executing the script can't", "NOPERM"),
        f"the user may not do this ({{error}}). Give the ACL user the right; {_RIGHTS}.",
    ),
    (_is(BusyLoadingError), "it is still loading its data. Wait a moment and try again."),
    (
        lambda error, cause: _is(ReplicaError)(error, cause) or _says("READONLY", "MASTERDOWN")(error, cause),
        "it is a read-only replica. Wait for the end of a failover, or set {setting} to the master.",
    ),
    (
        lambda error, cause: _is(OutOfMemoryError)(error, cause) or "OOM command" in str(error),
        "it is out of memory and takes no more. Raise its `maxmemory`, or delete jobs with `qa-queue clean`.",
    ),
    (
        _says("MISCONF"),
        "it takes no writes, because it cannot save its data ({error}). Free space on its disk, or give it the "
        "right to write to its folder.",
    ),
    (
        _is(AskError, ClusterCrossSlotError, ClusterDownError),
        "it is in cluster mode, which is not supported ({error}). Set {setting} to a Redis without cluster mode.",
    ),
    (
        lambda error, _: "DB index" in str(error),
        "it has no such database number. Set REDIS_DB lower, or raise `databases` on the server.",
    ),
    (
        _says("KEY_VALUES_MISMATCH", "PEM lib", "NO_CERTIFICATE_ASSIGNED"),
        "client certificate and key are none, or do not belong together ({cause}). Check REDIS_SSL_CERTFILE and "
        "REDIS_SSL_KEYFILE.",
    ),
    (
        _says("CERTIFICATE_REQUIRED", "certificate required", "ALERT_UNKNOWN_CA", "alert unknown ca"),
        "it refused the client certificate or wants one ({error}). Check REDIS_SSL_CERTFILE and REDIS_SSL_KEYFILE.",
    ),
    (
        _is_tls,
        "the TLS handshake failed ({cause}). Check that it speaks TLS there, and REDIS_SSL_CA_CERTS; where it asks "
        "for a client certificate, REDIS_SSL_CERTFILE too.",
    ),
    (_is(TimeoutError), "it did not answer in time. Check the address and the firewall."),
    (
        _is(ConnectionRefusedError),
        "nothing listens there. Start the service with `qa-queue up`, or set {setting} to a Redis that runs.",
    ),
    (_is(socket.gaierror), "the host is unknown. Check the host in {setting}."),
    (_is(FileNotFoundError), "a file is missing. Check the socket's path in {setting}."),
    (_is_closed, "it closed the connection. If it speaks TLS only, use rediss:// in {setting}, or REDIS_SSL."),
)
