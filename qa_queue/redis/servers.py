"""The Redis servers that the settings name, for the service and for a queue. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from qa_queue.errors import InputError
from qa_queue.settings import Settings
from qa_queue.settings.redis import queue_variable, sentinel_hosts


@dataclass(frozen=True, kw_only=True)
class SentinelGroup:
    """The Sentinels that know where the master of this name is."""

    hosts: tuple[tuple[str, int], ...]
    master: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return ", ".join(f"{host}:{port}" for host, port in self.hosts)


@dataclass(frozen=True, kw_only=True)
class RedisServer:
    """A Redis and how to speak to it. With `sentinels`, host and port of the URL stand for nothing.

    `files` are those of TLS, by the setting that names each; `setting` is the one that names the server.
    """

    url: str = field(repr=False)
    setting: str = "REDIS_URL"
    files: tuple[tuple[str, Path], ...] = ()
    sentinels: SentinelGroup | None = None

    @property
    def secure(self) -> bool:
        """Return whether it speaks TLS."""
        return self.url.startswith("rediss://")


def main_server(settings: Settings) -> RedisServer:
    """The Redis of the service, and of every queue that has none of its own."""
    sentinels = _sentinels(settings)
    setting = "REDIS_SENTINELS" if sentinels else "REDIS_URL" if settings.redis_url else "REDIS_HOST"
    return RedisServer(url=settings.redis_dsn, setting=setting, files=_files(settings), sentinels=sentinels)


def server_of(settings: Settings, queue: str) -> RedisServer:
    """The Redis of a queue."""
    url = settings.redis_url_of(queue)
    if url is None:
        return main_server(settings)
    return RedisServer(url=url, setting=queue_variable(queue), files=_files(settings))


def server_for_all(settings: Settings, queues: Iterable[str]) -> RedisServer:
    """The Redis of all of these queues.

    Raises:
        InputError: they are on different servers; names the worker that may serve each.
    """
    groups: dict[tuple[str, SentinelGroup | None], list[str]] = {}
    servers = {name: server_of(settings, name) for name in queues}
    for name, server in servers.items():
        groups.setdefault((server.url, server.sentinels), []).append(name)
    if len(groups) > 1:
        own = sorted({server.setting for server in servers.values() if server.setting.startswith("REDIS_URL_")})
        commands = " and ".join(f"`qa-queue worker {' '.join(names)}`" for names in groups.values())
        raise InputError(
            f"One worker serves one Redis, and these queues are on {len(groups)} ({', '.join(own)}): "
            f"start {commands}."
        )
    return next(iter(servers.values()), main_server(settings))


def _sentinels(settings: Settings) -> SentinelGroup | None:
    if not settings.redis_sentinels:
        return None
    password = settings.redis_sentinel_password
    return SentinelGroup(
        hosts=sentinel_hosts(settings.redis_sentinels),
        master=settings.redis_sentinel_master or "",
        username=settings.redis_sentinel_username,
        password=password.get_secret_value() if password else None,
    )


def _files(settings: Settings) -> tuple[tuple[str, Path], ...]:
    named = {
        "REDIS_SSL_CA_CERTS": settings.redis_ssl_ca_certs,
        "REDIS_SSL_CERTFILE": settings.redis_ssl_certfile,
        "REDIS_SSL_KEYFILE": settings.redis_ssl_keyfile,
    }
    return tuple((name, path) for name, path in named.items() if path)
