"""Makes RQ's own commands find our Redis.

`rq worker` without `-u` and `-c` looks at REDIS_URL, REDIS_HOST and so on in the process environment only, and
opens its connection after it has imported the worker class. So importing that class under RQ's command completes
the environment from the other sources of our settings: `.env`, and `.qa/stack.env` of a running embedded stack.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from redis import Redis, SSLConnection

from qa_queue.errors import SettingsError
from qa_queue.settings import Settings, load_settings


def is_rq_command(argv: list[str]) -> bool:
    """Whether this process is RQ's command line."""
    return Path(argv[0]).name in ("rq", "rq.exe") or argv[0].endswith("rq/cli/__main__.py")


def rq_url(settings: Settings) -> str:
    """The URL of our Redis for RQ's command line, which has no other place for the CA file."""
    url = settings.redis_dsn
    if not settings.redis_ssl_ca_certs or not url.startswith("rediss://"):
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode({'ssl_ca_certs': str(settings.redis_ssl_ca_certs)})}"


def url_of(connection: Redis) -> str:
    """The URL of a connection, for another process that is to use the same Redis; may hold the password."""
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
    """Set REDIS_URL to what our settings say, in a process of RQ's command line; exit when they are wrong."""
    if not is_rq_command(sys.argv):
        return
    try:
        os.environ["REDIS_URL"] = rq_url(load_settings())
    except SettingsError as error:
        sys.exit(str(error))
