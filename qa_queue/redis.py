"""The connection to Redis: made once a process, checked before use, and explained when it fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from redis import Redis

from qa_queue.settings import Settings


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

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @classmethod
    def instance(cls, settings: Settings | None = None) -> RedisClient:
        """The client of this process; the first call gives the settings (default: `load_settings()`)."""
        raise NotImplementedError

    def connect(self) -> Redis:
        """The connection, after a PING; the same one on every call until `disconnect`.

        Raises:
            RedisUnavailableError: names host, port and database, never the password, and what to do.
        """
        raise NotImplementedError

    def disconnect(self) -> None:
        """Close every connection of the pool; `connect` opens a new one."""
        raise NotImplementedError

    def health_check(self) -> RedisHealth:
        """PING and look; never raises for a Redis that is down."""
        raise NotImplementedError
