"""Rules on the settings of Redis as a whole, and on the names within them. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import urlsplit

QUEUE_URL = "REDIS_URL_"  # and the queue's name
SENTINEL_PORT = 26379
_HOW = "it should be host:port,host:port."


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
