"""How many worker processes there should be. Pure.

Keeps as many worker processes as there is work for, between two bounds.
"""

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

from redis import Redis
from redis.exceptions import RedisError
from rq.utils import str_to_date

from qa_queue.errors import InputError
from qa_queue.models.backoff import exponential
from qa_queue.queues import QueueManager
from qa_queue.queues.keys import JOB_PREFIX, QueueKeys
from qa_queue.settings import Settings, child_environment
from qa_queue.worker.renewal import available_memory, tree_memory

MIB = 1 << 20
PATIENCE_S = 1.0  # a job that waits for less is about to be taken
GROW_PAUSE_S = 5.0  # a new worker gets so long to show what it does
SHRINK_AFTER_S = 60.0  # of less to do than the workers could; work comes in waves
GUESS_BYTES = 400 * MIB  # of a worker that nobody has measured yet
RESERVE_BYTES = 512 * MIB  # that stay free


@dataclass(frozen=True, kw_only=True)
class WorkerBounds:
    """The fewest and the most worker processes; `memory` is what they may hold together, in bytes, None is all."""

    least: int
    most: int
    memory: int | None = None

    @classmethod
    def parse(cls, text: str, memory: int | None = None) -> WorkerBounds:
        """From `MIN:MAX`.

        Raises:
            InputError: it is not that.
        """
        least, colon, most = text.partition(":")
        if (
            not (colon and least.isdecimal() and most.isdecimal())
            or not 0 <= int(least) <= int(most)
            or most == "0"
        ):
            raise InputError(f"--autoscale {text!r} is no range: it takes MIN:MAX, such as 1:4, with MIN <= MAX.")
        return cls(least=int(least), most=int(most), memory=memory)


@dataclass(frozen=True, kw_only=True)
class QueueLoad:
    """What there is to do and who does it.

    `waiting` jobs, the oldest for `oldest` s; `running` jobs; `workers` of `slots` jobs each. `each` is what one
    worker holds in memory and `free` what the machine has left, in bytes, None where they are not known.
    """

    waiting: int
    oldest: float
    running: int
    workers: int
    slots: int
    each: int | None = None
    free: int | None = None

    @property
    def wanted(self) -> int:
        """Workers that would have a slot for every job."""
        return math.ceil((self.waiting + self.running) / self.slots)


@dataclass(frozen=True, kw_only=True)
class ScalingHistory:
    """Seconds since workers were last added, and for how long there has been less to do than they could."""

    since_growth: float
    slack_for: float


def decide(bounds: WorkerBounds, load: QueueLoad, history: ScalingHistory) -> int:
    """How many workers there should be now.

    Grows at once, but at most to the double, when jobs wait that no free slot will take, and then lets the new
    ones start. Shrinks by one, and only after a time in which fewer would have done. The limits hold before all.
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
    """How many more workers there is memory for."""
    each = load.each or GUESS_BYTES
    rooms = [load.free - RESERVE_BYTES] if load.free is not None else []
    if bounds.memory is not None:
        rooms.append(bounds.memory - load.workers * each)
    return min((room // each for room in rooms), default=bounds.most)


log = logging.getLogger(__name__)

_PAUSE = 1.0
_STEADY_S = 20.0  # a worker that lived so long did not fail to start
_CAP_MS = 60_000


class Autoscaler:
    """Starts and ends workers of these queues, each for `settings.queue_concurrency` jobs at once."""

    def __init__(self, connection: Redis, queues: Sequence[str], settings: Settings, bounds: WorkerBounds) -> None:
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
        history = ScalingHistory(since_growth=now - self._grown_at, slack_for=slack_for)
        self._become(decide(self._bounds, load, history), load, now)

    def _become(self, target: int, load: QueueLoad, now: float) -> None:
        if target != load.workers and now >= self._start_at:
            log.info("%d -> %d workers: %d jobs wait, %d run", load.workers, target, load.waiting, load.running)
        if target > load.workers and now >= self._start_at:
            self._grown_at = now
            for _ in range(target - load.workers):
                self._start(now)
        for _ in range(load.workers - target):
            self._slack_since = now  # the next one goes after another such time
            self._end_one()

    def _load(self) -> QueueLoad:
        stats = [self._manager.get_queue_stats(name)[name] for name in self._queues]
        sizes = [size for pid in self._workers if (size := tree_memory(pid))]
        return QueueLoad(
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
