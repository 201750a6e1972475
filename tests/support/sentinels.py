"""A real Redis with two replicas and a Sentinel, for tests that kill the master."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from redis import Redis
from redis.exceptions import RedisError

from qa_queue.local.process import LOOPBACK, LocalService, free_port, launch
from qa_queue.local.redis import find_redis
from tests.support.poll import wait_until

MASTER = "qa"
PASSWORD = "of the servers"
SENTINEL_PASSWORD = "of the Sentinel"
# The Sentinel changes the master when a test asks for it. On a busy machine it would take a server that is slow to
# answer for one that is down, and leave the tests with a connection to a former master.
DOWN_AFTER_MS = 600_000


class SentinelSet:
    """Three servers and a Sentinel; all end with the `with` block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._services: dict[int, LocalService] = {}
        self.ports: list[int] = []
        self.sentinel_port = 0

    def __enter__(self) -> Self:
        while len(self.ports) < 3:
            self.ports.append(port := free_port())
            self.start(port)
        self.sentinel_port = free_port()
        self._launch(self.sentinel_port, _sentinel_config(self.sentinel_port, self.ports[0]), "--sentinel")
        wait_until(self._is_whole, timeout=60, what="a Sentinel that knows its replicas")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        for service in self._services.values():
            service.popen.send_signal(signal.SIGCONT)
            service.stop()

    @property
    def variables(self) -> dict[str, str]:
        """The settings of qa-queue; a Sentinel that is down comes first."""
        return {
            "REDIS_SENTINELS": f"{LOOPBACK}:1,{LOOPBACK}:{self.sentinel_port}",
            "REDIS_SENTINEL_MASTER": MASTER,
            "REDIS_SENTINEL_PASSWORD": SENTINEL_PASSWORD,
            "REDIS_PASSWORD": PASSWORD,
        }

    @property
    def sentinel(self) -> Redis:
        return Redis(port=self.sentinel_port, password=SENTINEL_PASSWORD, decode_responses=True)

    @property
    def master(self) -> int:
        """The port of the master as the Sentinel says."""
        with self.sentinel as sentinel:
            return int(sentinel.sentinel_master(MASTER)["port"])

    @property
    def redis(self) -> Redis:
        """A connection to the present master."""
        return Redis(port=self.master, password=PASSWORD)

    def start(self, port: int) -> None:
        """Start a server, or start it again as it was; the Sentinel tells it then what it is."""
        master = self.ports[0] if port != self.ports[0] else None
        self._launch(port, _server_config(port, master))
        wait_until(lambda: self._answers(port), timeout=30, what="a server that answers")

    def settle(self) -> None:
        """Return when both replicas have all that was written: what they lack at a failover is lost."""
        redis = self.redis
        redis.set("settled", 1)
        assert redis.wait(2, 10_000) == 2

    def kill_master(self) -> int:
        """Kill -9, once the replicas have everything; returns the port."""
        self.settle()
        port = self.master
        os.kill(self._services[port].pid, signal.SIGKILL)
        self._services[port].popen.wait(10)
        return port

    def freeze_master(self) -> int:
        """Freeze the master, like a host that has vanished; return its port."""
        self.settle()
        port = self.master
        os.kill(self._services[port].pid, signal.SIGSTOP)
        return port

    def wait_for_failover(self, old: int) -> None:
        """Make another server than this one the master; return when it takes writes."""

        def is_over() -> bool:
            try:
                if self.master == old:
                    self.sentinel.execute_command("SENTINEL", "FAILOVER", MASTER)
                    return False
                return bool(self.redis.set("failover", 1))
            except RedisError:  # it has begun, or no replica is known to be ready yet
                return False

        wait_until(is_over, timeout=90, what="the end of the failover")

    def _launch(self, port: int, config: str, *arguments: str) -> None:
        folder = self._folder / str(port)
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "redis.conf"
        if not file.exists():  # a Sentinel writes into its configuration file
            file.write_text(f"{config}\ndir {folder}\n")
        self._services[port] = launch("Redis", [find_redis(), file, *arguments], log=folder / "log")

    def _answers(self, port: int) -> bool:
        try:
            return bool(Redis(port=port, password=PASSWORD).ping())
        except RedisError:
            return False

    def _is_whole(self) -> bool:
        try:
            state: dict[str, Any] = self.sentinel.sentinel_master(MASTER)
            replicas: list[dict[str, Any]] = self.sentinel.sentinel_slaves(MASTER)
        except RedisError:
            return False
        synced = [one for one in replicas if one["master-link-status"] == "ok"]
        return state["is_master"] and len(synced) == 2


def _server_config(port: int, master: int | None) -> str:
    lines = [
        f"bind {LOOPBACK}",
        f"port {port}",
        f'requirepass "{PASSWORD}"',
        f'masterauth "{PASSWORD}"',
        "appendonly yes",
        'save ""',
        "repl-diskless-sync yes",
        "repl-diskless-sync-delay 0",
    ]
    return "\n".join([*lines, *([f"replicaof {LOOPBACK} {master}"] if master else [])])


def _sentinel_config(port: int, master: int) -> str:
    return "\n".join(
        [
            f"bind {LOOPBACK}",
            f"port {port}",
            f'requirepass "{SENTINEL_PASSWORD}"',
            f"sentinel monitor {MASTER} {LOOPBACK} {master} 1",
            f'sentinel auth-pass {MASTER} "{PASSWORD}"',
            f"sentinel down-after-milliseconds {MASTER} {DOWN_AFTER_MS}",
            f"sentinel failover-timeout {MASTER} 10000",
        ]
    )
