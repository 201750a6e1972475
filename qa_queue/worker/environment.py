"""The Redis of a worker that RQ's own command starts, found by our settings.

`rq worker` without `-u` and `-c` reads REDIS_URL, REDIS_HOST and so on from the process environment only, and
connects after it has imported the worker class. So the import of that class under RQ's command completes the
environment from the other sources of our settings: `.env`, and `.qa/stack.env` of a running embedded stack.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from redis import Redis, SSLConnection
from redis.exceptions import RedisError
from redis.sentinel import SentinelConnectionPool

from qa_queue.errors import InputError, QAError
from qa_queue.redis.client import check
from qa_queue.redis.connections import worker_connection
from qa_queue.redis.rq_options import rq_url
from qa_queue.redis.servers import main_server, server_for_all
from qa_queue.settings import Settings, load_settings
from qa_queue.settings.redis import QUEUE_URL


def is_rq_command(argv: list[str]) -> bool:
    """Return whether this process is RQ's command line."""
    return Path(argv[0]).name in ("rq", "rq.exe") or argv[0].endswith("rq/cli/__main__.py")


def url_of(connection: Redis) -> str | None:
    """Return the URL of a connection, for another process that uses the same Redis; it may hold the password.

    None behind Sentinels: the master that they name has no URL, and every process finds it by the settings.
    """
    if isinstance(connection.connection_pool, SentinelConnectionPool):
        return None
    options: dict[str, Any] = connection.connection_pool.connection_kwargs
    login = ""
    if options.get("password"):
        login = f"{quote(options.get('username') or '', safe='')}:{quote(options['password'], safe='')}@"
    if path := options.get("path"):
        return f"unix://{login}{path}?db={options.get('db') or 0}"
    secure = issubclass(connection.connection_pool.connection_class, SSLConnection)
    scheme = "rediss" if secure else "redis"
    host = options.get("host", "localhost")
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{login}{host}:{options.get('port', 6379)}/{options.get('db') or 0}"


def complete_environment() -> None:
    """Set REDIS_URL to that of our settings in a process of RQ's command line; exit if the settings are wrong.

    It is the URL of the main Redis, where RQ's command connects first; `connection_for` finds that of the queues.
    """
    if not is_rq_command(sys.argv):
        return
    try:
        server = main_server(load_settings())
        if server.sentinels is not None:
            check(server)
        os.environ["REDIS_URL"] = rq_url(server)
    except (QAError, RedisError) as error:
        sys.exit(str(error))


def connection_for(queues: Sequence[str], given: Redis, settings: Settings) -> Redis:
    """Return the connection for a worker of these queues that RQ's command starts with the connection `given`.

    RQ's connection is kept where possible; a queue with its own Redis and a master behind Sentinels need ours.

    Raises:
        InputError: the queues are on different servers, or RQ's own settings name Sentinels and ours do not.
    """
    server = server_for_all(settings, queues)
    if server.sentinels is not None or server.setting.startswith(QUEUE_URL):
        return worker_connection(server)
    if url_of(given) is None:
        raise InputError(
            "RQ's settings name Sentinels, and qa-queue's do not: set REDIS_SENTINELS and REDIS_SENTINEL_MASTER, "
            "and use `-c qa_queue.rq_config`."
        )
    return given
