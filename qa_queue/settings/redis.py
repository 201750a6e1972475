"""The settings of Redis: one server, a master that Sentinels name, or one of its own for a queue."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from typing import Self
from urllib.parse import quote, urlsplit

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings

from qa_queue.settings.environment import environment

QUEUE_URL = "REDIS_URL_"  # and the queue's name
SENTINEL_PORT = 26379
_HOW = "it should be host:port,host:port."


class RedisSettings(BaseSettings):
    """The settings whose names begin with REDIS_."""

    redis_url: str | None = Field(
        default=None,
        description="Redis as a URL: redis://, rediss:// (TLS) or unix://. Wins over the parts.",
    )
    redis_host: str = Field(default="127.0.0.1", description="Host of Redis.")
    redis_port: int = Field(default=6379, ge=1, le=65535, description="Port of Redis.")
    redis_password: SecretStr | None = Field(default=None, description="Password of Redis.")
    redis_username: str | None = Field(default=None, description="ACL user of Redis.")
    redis_db: int = Field(default=0, ge=0, description="Database number in Redis.")
    redis_ssl: bool = Field(default=False, description="Whether Redis by host or by Sentinel speaks TLS.")
    redis_ssl_ca_certs: Path | None = Field(default=None, description="CA file for a Redis that speaks TLS.")
    redis_ssl_certfile: Path | None = Field(
        default=None, description="Client certificate for a Redis that asks for one, as a PEM file."
    )
    redis_ssl_keyfile: Path | None = Field(
        default=None, description="Key of the client certificate; without one it is in the certificate's file."
    )
    redis_sentinels: str | None = Field(
        default=None,
        description="Sentinels as host:port,host:port: Redis is the master that they name. Wins over REDIS_URL; "
        "login, database and TLS are those of the parts.",
    )
    redis_sentinel_master: str | None = Field(default=None, description="The master's name at the Sentinels.")
    redis_sentinel_username: str | None = Field(default=None, description="ACL user of the Sentinels.")
    redis_sentinel_password: SecretStr | None = Field(default=None, description="Password of the Sentinels.")
    redis_url_test_execution: str | None = Field(
        default=None,
        description="A Redis of its own for a queue, as a URL; REDIS_URL_<QUEUE> does it for every queue.",
    )
    redis_url_cleanup: str | None = Field(default=None, description="The same for the queue cleanup.")
    redis_url_adaptation_learning: str | None = Field(
        default=None, description="The same for the queue adaptation-learning."
    )
    redis_max_connections: int = Field(default=50, ge=1, description="Size of a process's pool.")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if problem := redis_problem(
            sentinels=self.redis_sentinels,
            given=[
                name.upper()
                for name in type(self).model_fields
                if name.startswith("redis_s") and getattr(self, name)
            ],
        ):
            raise ValueError(problem)
        return self

    def redis_url_of(self, queue: str) -> str | None:
        """The URL of a queue that has a Redis of its own; may hold a password. None: it is on the main one."""
        return self._queue_urls.get(queue_variable(queue))

    @property
    def redis_url_names(self) -> frozenset[str]:
        """The variables that give a queue a Redis of its own."""
        return frozenset(self._queue_urls)

    @cached_property
    def _queue_urls(self) -> dict[str, str]:
        fields = {name.upper() for name in type(self).model_fields}
        added = {k: v for k, v in environment().items() if k.startswith(QUEUE_URL) and k not in fields}
        own = {name: getattr(self, name.lower()) for name in fields if name.startswith(QUEUE_URL)}
        return {name: url for name, url in (added | own).items() if url}

    @cached_property
    def redis_dsn(self) -> str:
        """The URL of Redis, built from the parts where no URL is set; may hold the password, so never log it.

        With Sentinels, host and port in it stand for nothing.
        """
        if self.redis_url and not self.redis_sentinels:
            return self.redis_url
        login = ""
        if self.redis_password:
            login = f"{quote(self.redis_username or '', safe='')}:"
            login += f"{quote(self.redis_password.get_secret_value(), safe='')}@"
        scheme = "rediss" if self.redis_ssl else "redis"
        return f"{scheme}://{login}{self.redis_host}:{self.redis_port}/{self.redis_db}"


def queue_variable(queue: str) -> str:
    """The variable that gives a queue a Redis of its own, such as REDIS_URL_TEST_EXECUTION."""
    return QUEUE_URL + re.sub(r"[^A-Z0-9]", "_", queue.upper())


def sentinel_hosts(text: str) -> tuple[tuple[str, int], ...]:
    """The hosts and ports of REDIS_SENTINELS.

    Raises:
        ValueError: a part of it is not host:port.
    """
    if "@" in text:  # and none of it is shown: a password may hold any sign
        raise ValueError(
            "REDIS_SENTINELS holds a login, which belongs in REDIS_SENTINEL_USERNAME and REDIS_SENTINEL_PASSWORD: "
            + _HOW
        )
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise ValueError(f"REDIS_SENTINELS names no host: {_HOW}")
    return tuple(_host(part) for part in parts)


def redis_problem(*, sentinels: str | None, given: Collection[str]) -> str | None:
    """Return the problem of the settings of Sentinels and client certificates, or None; `given` are those set."""
    if sentinels:
        try:
            sentinel_hosts(sentinels)
        except ValueError as error:
            return str(error)
        if "REDIS_SENTINEL_MASTER" not in given:
            return (
                "REDIS_SENTINELS is set and REDIS_SENTINEL_MASTER is not: set it to the name of the master that "
                "the Sentinels watch, as in their `sentinel monitor NAME ...`."
            )
    elif alone := sorted(name for name in given if name.startswith("REDIS_SENTINEL_")):
        return f"{alone[0]} is set and REDIS_SENTINELS is not: {_HOW}"
    if "REDIS_SSL_KEYFILE" in given and "REDIS_SSL_CERTFILE" not in given:
        return "REDIS_SSL_KEYFILE is set and REDIS_SSL_CERTFILE is not: set it to the client certificate."
    return None


def _host(part: str) -> tuple[str, int]:
    try:
        url = urlsplit(f"//{part}")
        host, port = url.hostname, url.port
    except ValueError:
        host, port = None, None
    if not host or any(sign in part for sign in "/?#"):
        raise ValueError(f"REDIS_SENTINELS has {part!r}, which is not host:port: {_HOW}")
    return host, port or SENTINEL_PORT
