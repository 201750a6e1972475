"""Keeps as many worker processes as there is work for, between two bounds."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from rq.utils import str_to_date

from qa_queue.backoff import exponential
from qa_queue.priorities import QueueKeys
from qa_queue.priorities.keys import JOB_PREFIX
from qa_queue.queues import QueueManager
from qa_queue.settings import Settings, child_environment
from qa_queue.worker.memory import available_memory, tree_memory
from qa_queue.worker.scaling import Bounds, History, Load, decide

log = logging.getLogger(__name__)

_PAUSE = 1.0
_STEADY_S = 20.0  # a worker that lived so long did not fail to start
_CAP_MS = 60_000


class Autoscaler:
    """Starts and ends workers of these queues, each for `settings.queue_concurrency` jobs at once."""

    def __init__(self, connection: Redis, queues: Sequence[str], settings: Settings, bounds: Bounds) -> None:
        self._connection = connection
        self._queues = list(queues)
        self._settings = settings
        self._bounds = bounds
        self._manager = QueueManager(connection, settings)
        self._workers: dict[int, tuple[subprocess.Popen[bytes], float]] = {}
        self._ending: list[subprocess.Popen[bytes]] = []
        self._stop = threading.Event()
        self._grown_at = float("-inf")
        self._slack_since: float | None = None
        self._failures = 0
        self._start_at = 0.0

    def run(self) -> None:
        """Scale until told to stop; then end every worker and wait for it."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        while not self._stop.is_set():
            self._turn(time.monotonic())
            self._stop.wait(_PAUSE)
        for popen in self._all():
            popen.wait()

    def _turn(self, now: float) -> None:
        self._reap(now)
        try:
            load = self._load()
        except RedisError as error:
            log.warning("Redis cannot be reached (%s); the workers stay as they are", error)
            return
        if load.wanted >= load.workers:
            self._slack_since = None
        elif self._slack_since is None:
            self._slack_since = now
        slack_for = 0.0 if self._slack_since is None else now - self._slack_since
        history = History(since_growth=now - self._grown_at, slack_for=slack_for)
        self._become(decide(self._bounds, load, history), load, now)

    def _become(self, target: int, load: Load, now: float) -> None:
        if target != load.workers and now >= self._start_at:
            log.info("%d -> %d workers: %d jobs wait, %d run", load.workers, target, load.waiting, load.running)
        if target > load.workers and now >= self._start_at:
            self._grown_at = now
            for _ in range(target - load.workers):
                self._start(now)
        for _ in range(load.workers - target):
            self._slack_since = now  # the next one goes after another such time
            self._end_one()

    def _load(self) -> Load:
        stats = [self._manager.get_queue_stats(name)[name] for name in self._queues]
        sizes = [size for pid in self._workers if (size := tree_memory(pid))]
        return Load(
            waiting=sum(one.waiting for one in stats),
            oldest=max(self._oldest(name) for name in self._queues),
            running=sum(one.processing for one in stats),
            workers=len(self._workers),
            slots=self._settings.queue_concurrency,
            each=max(sizes, default=None),
            free=available_memory(),
        )

    def _oldest(self, queue: str) -> float:
        """Seconds that the job waits which is to be taken next."""
        first: Any = self._connection.lindex(QueueKeys(queue).waiting, 0)
        if first is None:
            return 0.0
        enqueued: Any = self._connection.hget(f"{JOB_PREFIX}{first.decode()}", "enqueued_at")
        with contextlib.suppress(ValueError):  # a hash that is no job
            return (datetime.now(UTC) - str_to_date(enqueued)).total_seconds() if enqueued else 0.0
        return 0.0

    def _start(self, now: float) -> None:
        concurrency = {"QUEUE_CONCURRENCY": str(self._settings.queue_concurrency)}
        popen = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "qa_queue.worker", str(os.getpid()), *self._queues],
            env=child_environment(concurrency),
            start_new_session=True,  # a terminal's Ctrl-C comes to us alone
        )
        self._workers[popen.pid] = popen, now
        if self._stop.is_set():  # the signal came before this worker was known, so nobody has passed it on
            popen.terminate()

    def _end_one(self) -> None:
        """The youngest, which has the least warmed up."""
        popen, _ = self._workers.pop(max(self._workers, key=lambda pid: self._workers[pid][1]))
        popen.terminate()
        self._ending.append(popen)

    def _reap(self, now: float) -> None:
        self._ending = [popen for popen in self._ending if popen.poll() is None]
        for pid, (popen, started) in list(self._workers.items()):
            if popen.poll() is None:
                if now - started >= _STEADY_S:
                    self._failures = 0
                continue
            del self._workers[pid]
            self._failures = 0 if now - started >= _STEADY_S else self._failures + 1
            delay = (
                exponential(self._failures, jitter=1, base_ms=1000, cap_ms=_CAP_MS) / 1000 if self._failures else 0
            )
            self._start_at = now + delay
            log.error("A worker ended with code %d; another starts in %.0f s", popen.returncode, delay)

    def _all(self) -> list[subprocess.Popen[bytes]]:
        return [*(popen for popen, _ in self._workers.values()), *self._ending]

    def _on_signal(self, number: int, _: object) -> None:
        """The workers get the signal too; a second one stops them now."""
        self._stop.set()
        for popen in self._all():
            popen.send_signal(number)
