"""A Redis in the words of RQ's own command line."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode, urlsplit

from redis.connection import parse_url

from qa_queue.redis.pools import CONNECT_TIMEOUT_S, Discovery, sentinel_options, tls_options
from qa_queue.redis.servers import RedisServer

_LOGIN = ("username", "password", "db")


def rq_url(server: RedisServer) -> str:
    """The URL of a Redis, which is the only place that RQ has for the files of TLS.

    Behind Sentinels it is that of the present master; long-lived users follow it by a connection of ours.

    Raises:
        SettingsError: a file is not there.
        redis.exceptions.RedisError: no Sentinel names the master.
    """
    url = server.url
    if server.sentinels is not None:
        host, port = Discovery(server.sentinels, sentinel_options(server)).discover_master(server.sentinels.master)
        login, at, _ = urlsplit(url).netloc.rpartition("@")
        url = urlsplit(url)._replace(netloc=f"{login}{at}{host}:{port}").geturl()
    options = tls_options(server)
    return f"{url}{'&' if '?' in url else '?'}{urlencode(options)}" if options else url


def rq_sentinel(server: RedisServer) -> dict[str, Any] | None:
    """The value of SENTINEL in RQ's settings; None for a Redis without.

    Raises:
        SettingsError: a file of TLS is not there.
    """
    if server.sentinels is None:
        return None
    group = server.sentinels
    options = {name: value for name, value in parse_url(server.url).items() if name in _LOGIN}  # type: ignore[no-untyped-call]
    return {
        "INSTANCES": list(group.hosts),
        "MASTER_NAME": group.master,
        "SSL": server.secure,
        "CONNECTION_KWARGS": options | {"socket_connect_timeout": CONNECT_TIMEOUT_S} | tls_options(server),
        "SENTINEL_KWARGS": sentinel_options(server) | {"username": group.username, "password": group.password},
    }
