"""A live service for tests: a Redis that can be stopped and restarted, and processes that use it."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import ExitStack
from pathlib import Path

from redis import Redis

from qa_queue.local.process import LocalServer, free_port
from qa_queue.local.redis import start_redis
from tests.support.processes import SCRIPTS, ServiceProcess, wait_until_gone
from tests.support.schedulers import SCHEDULER
from tests.support.workers import WorkerProcess


class LiveService:
    """Redis and processes with the same `settings`, ended by `stack`; workers have logs of their own."""

    fresh = False  # workers are forked; True starts them as users do
    scheduler_module = SCHEDULER

    def __init__(self, folder: Path, stack: ExitStack, **settings: str) -> None:
        self.folder = folder
        self.log = folder / "processes.log"
        self.workers: list[WorkerProcess] = []
        self.stack = stack
        self._redis_port = free_port()
        self.redis = self.start_redis()
        self.settings = {"REDIS_URL": self.redis.url, "QA_HOME": str(folder / "home"), **settings}

    @property
    def connection(self) -> Redis:
        """A new connection to Redis."""
        return Redis.from_url(self.redis.url)

    def start_redis(self) -> LocalServer:
        """Start Redis, or restart it on the same port with the same data."""
        self.redis = self.stack.enter_context(start_redis(self.folder / "redis", self._redis_port))
        return self.redis

    def kill_redis(self) -> None:
        """Kill Redis by SIGKILL."""
        os.kill(self.redis.pid, signal.SIGKILL)
        wait_until_gone([self.redis.pid])

    def command(self, *words: str | Path, **settings: str) -> ServiceProcess:
        """Start `qa-queue WORDS`."""
        command = (SCRIPTS / "qa-queue", *words)
        process = ServiceProcess(self.log, *command, env=self.settings | settings, forked="qa_queue.cli")
        return self.stack.enter_context(process)

    def scheduler(self, **settings: str) -> ServiceProcess:
        """Start a scheduler."""
        command = (sys.executable, "-m", self.scheduler_module)
        process = ServiceProcess(self.log, *command, env=self.settings | settings, forked=self.scheduler_module)
        return self.stack.enter_context(process)

    def worker(self, *args: str, **settings: str) -> WorkerProcess:
        """Start a worker with these arguments of `rq worker`."""
        log = self.folder / f"worker-{len(self.workers)}.log"
        process = WorkerProcess(log, *args, fresh=self.fresh, **(self.settings | settings))
        self.workers.append(self.stack.enter_context(process))
        return self.workers[-1]
