"""Autoscaler: as many worker processes as there is work for, between two bounds. `decide` is pure."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psutil
from redis import Redis
from redis.exceptions import RedisError
from rq.utils import str_to_date

from qa_queue.errors import InputError
from qa_queue.models.values import exponential
from qa_queue.queues import QueueManager
from qa_queue.queues.keys import JOB_PREFIX, QueueKeys
from qa_queue.settings import Settings, child_environment
from qa_queue.worker.child_health import MIB, tree_memory

log = logging.getLogger(__name__)

PATIENCE_S = 1.0  # a job that has waited for less is about to be taken
GROW_PAUSE_S = 5.0  # after workers were added, until they take jobs
SHRINK_AFTER_S = 60.0  # of spare capacity; work comes in waves
ASSUMED_BYTES = 400 * MIB  # memory of a worker before any was measured
RESERVE_BYTES = 512 * MIB  # memory of the machine that stays free
_PAUSE_S = 1.0
_STABLE_S = 20.0  # a worker that ran so long did not fail to start
_RESTART_CAP_MS = 60_000


@dataclass(frozen=True, kw_only=True)
class WorkerBounds:
    """Minimum and maximum of worker processes, and the bytes of memory that they may hold together (None: all)."""

    least: int
    most: int
    memory: int | None = None

    @classmethod
    def parse(cls, text: str, memory: int | None = None) -> WorkerBounds:
        """Return the bounds that `MIN:MAX` states.

        Raises:
            InputError: the text does not have this form.
        """
        least, colon, most = text.partition(":")
        numbers = bool(colon) and least.isdecimal() and most.isdecimal()
        if not numbers or not 0 <= int(least) <= int(most) or int(most) == 0:
            raise InputError(f"--autoscale {text!r} is not a range: use MIN:MAX, such as 1:4, with MIN <= MAX.")
        return cls(least=int(least), most=int(most), memory=memory)


@dataclass(frozen=True, kw_only=True)
class QueueLoad:
    """Work and capacity at one moment.

    `waiting` jobs, the next one for `oldest` s; `running` jobs; `workers` with `slots` jobs each. In bytes: the
    memory of one worker (`each`, None if none was measured) and what the machine has left (`free`).
    """

    waiting: int
    oldest: float
    running: int
    workers: int
    slots: int
    free: int
    each: int | None = None

    @property
    def wanted(self) -> int:
        """Number of workers with a slot for every job."""
        return math.ceil((self.waiting + self.running) / self.slots)


@dataclass(frozen=True, kw_only=True)
class ScalingHistory:
    """Seconds since workers were last added, and how long there has been spare capacity."""

    since_growth: float
    slack_for: float


def decide(bounds: WorkerBounds, load: QueueLoad, history: ScalingHistory) -> int:
    """Return how many workers there should be now.

    Grow at once, at most to the double, when jobs wait that no free slot will take; then let the new workers start.
    Shrink by one, and only after a time in which fewer would have sufficed. The bounds take precedence.
    """
    if load.workers < bounds.least:
        return bounds.least
    if load.workers > bounds.most:
        return bounds.most
    if load.wanted > load.workers:
        return _grown(bounds, load, history)
    if load.wanted < load.workers > bounds.least and history.slack_for >= SHRINK_AFTER_S:
        return load.workers - 1
    return load.workers


def _grown(bounds: WorkerBounds, load: QueueLoad, history: ScalingHistory) -> int:
    urgent = load.workers == 0 or load.oldest >= PATIENCE_S
    if not urgent or history.since_growth < GROW_PAUSE_S:
        return load.workers
    more = min(load.wanted, bounds.most, 2 * load.workers or 1) - load.workers
    return load.workers + max(0, min(more, _that_fit(bounds, load)))


def _that_fit(bounds: WorkerBounds, load: QueueLoad) -> int:
    """Return how many more workers there is memory for."""
    each = load.each or ASSUMED_BYTES
    available = load.free - RESERVE_BYTES
    if bounds.memory is not None:
        available = min(available, bounds.memory - load.workers * each)
    return available // each


class Autoscaler:
    """Starts and ends workers of these queues, each with `settings.queue_concurrency` slots."""

    def __init__(self, connection: Redis, queues: Sequence[str], settings: Settings, bounds: WorkerBounds) -> None:
        self._connection = connection
        self._queues = list(queues)
        self._settings = settings
        self._bounds = bounds
        self._manager = QueueManager(connection, settings)
        self._workers: dict[int, tuple[subprocess.Popen[bytes], float]] = {}  # by pid: process and start
        self._ending: list[subprocess.Popen[bytes]] = []
        self._stop = threading.Event()
        self._grown_at = float("-inf")
        self._slack_since: float | None = None
        self._failures = 0
        self._start_at = 0.0

    def run(self) -> None:
        """Scale until a signal comes; then end every worker and wait for it."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        while not self._stop.is_set():
            self._turn(time.monotonic())
            self._stop.wait(_PAUSE_S)
        for popen in self._all():
            popen.wait()

    def _turn(self, now: float) -> None:
        self._reap(now)
        try:
            load = self._load()
        except RedisError as error:
            log.warning("Redis cannot be reached (%s); the number of workers stays the same", error)
            return
        if load.wanted >= load.workers:
            self._slack_since = None
        elif self._slack_since is None:
            self._slack_since = now
        slack_for = 0.0 if self._slack_since is None else now - self._slack_since
        history = ScalingHistory(since_growth=now - self._grown_at, slack_for=slack_for)
        self._scale(decide(self._bounds, load, history), load, now)

    def _scale(self, target: int, load: QueueLoad, now: float) -> None:
        if target != load.workers and now >= self._start_at:
            text = "%d -> %d workers: %d jobs waiting, %d running"
            log.info(text, load.workers, target, load.waiting, load.running)
        if target > load.workers and now >= self._start_at:
            self._grown_at = now
            for _ in range(target - load.workers):
                self._start(now)
        for _ in range(load.workers - target):
            self._slack_since = now  # the next one ends after another such time
            self._end_youngest()

    def _load(self) -> QueueLoad:
        stats = [self._manager.get_queue_stats(name)[name] for name in self._queues]
        sizes = [size for pid in self._workers if (size := tree_memory(pid))]
        return QueueLoad(
            waiting=sum(one.waiting for one in stats),
            oldest=max(self._oldest(name) for name in self._queues),
            running=sum(one.processing for one in stats),
            workers=len(self._workers),
            slots=self._settings.queue_concurrency,
            free=psutil.virtual_memory().available,
            each=max(sizes, default=None),
        )

    def _oldest(self, queue: str) -> float:
        """Return the seconds for which the next job of the queue has waited."""
        first: Any = self._connection.lindex(QueueKeys(queue).waiting, 0)
        if first is None:
            return 0.0
        enqueued: Any = self._connection.hget(f"{JOB_PREFIX}{first.decode()}", "enqueued_at")
        with contextlib.suppress(ValueError):  # a malformed job
            return (datetime.now(UTC) - str_to_date(enqueued)).total_seconds() if enqueued else 0.0
        return 0.0

    def _start(self, now: float) -> None:
        concurrency = {"QUEUE_CONCURRENCY": str(self._settings.queue_concurrency)}
        popen = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "qa_queue.worker", str(os.getpid()), *self._queues],
            env=child_environment(concurrency),
            start_new_session=True,  # a terminal's Ctrl-C reaches this process alone
        )
        self._workers[popen.pid] = popen, now
        if self._stop.is_set():  # the signal came before this worker was known, so it was not passed on
            popen.terminate()

    def _end_youngest(self) -> None:
        """End the worker that has had the least time to warm up."""
        popen, _ = self._workers.pop(max(self._workers, key=lambda pid: self._workers[pid][1]))
        popen.terminate()
        self._ending.append(popen)

    def _reap(self, now: float) -> None:
        self._ending = [popen for popen in self._ending if popen.poll() is None]
        for pid, (popen, started) in list(self._workers.items()):
            stable = now - started >= _STABLE_S
            if stable:
                self._failures = 0
            if popen.poll() is not None:
                del self._workers[pid]
                self._failures += 0 if stable else 1
                self._start_at = now + self._restart_delay()
                log.error("A worker ended with code %d; restart in %.0f s", popen.returncode, self._start_at - now)

    def _restart_delay(self) -> float:
        """Return the seconds until the next start; a worker that was stable is replaced at once."""
        if not self._failures:
            return 0.0
        return exponential(self._failures, jitter=1, base_ms=1000, cap_ms=_RESTART_CAP_MS) / 1000

    def _all(self) -> list[subprocess.Popen[bytes]]:
        return [*(popen for popen, _ in self._workers.values()), *self._ending]

    def _on_signal(self, number: int, _: object) -> None:
        """Pass the signal on to the workers; a second one stops them now."""
        self._stop.set()
        for popen in self._all():
            popen.send_signal(number)
