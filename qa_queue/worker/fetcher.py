"""Fetch jobs from Redis in a thread, so that the worker's loop never waits for them, and decide which may start."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from redis import Redis
from redis.exceptions import RedisError
from rq.suspension import is_suspended

from qa_queue.models.values import exponential
from qa_queue.queues.dequeue import ReservedJob, dequeue, release
from qa_queue.queues.keys import JOB_PREFIX, QueueKeys
from qa_queue.worker.control import Waker
from qa_queue.worker.executions import SUSPECT_FIELD
from qa_queue.worker.periodic import enqueue_due

log = logging.getLogger(__name__)

_STALE_S = 3.0  # a job that was reserved so long ago is released; other workers recover it after 5 s
_WAIT_S = 1.0  # of one dequeue: the longest delay until a stop or `rq suspend` is noticed
_SUSPENDED_PAUSE_S = 0.5
_RETRY_CAP_MS = 2000  # a due job starts within 5 s of the end of a failover


@dataclass(frozen=True, kw_only=True)
class FetchedJob:
    """A job reserved at a moment (monotonic, s). A `suspect` may start only while no other job runs."""

    reserved: ReservedJob
    at: float
    suspect: bool = False


class ReservedState(Enum):
    """State of a reserved job in Redis."""

    PLAIN = "plain"
    SUSPECT = "suspect"  # was in a process that died, together with other jobs
    GONE = "gone"  # cancelled, or returned to the queue as stalled


class JobFetcher:
    """Fetches as many jobs as the loop can start; with `burst` without waiting, in the loop's own thread."""

    def __init__(self, connection: Redis, queues: Sequence[str], waker: Waker, *, burst: bool) -> None:
        self._connection = connection
        self._queues = list(queues)
        self._thread = None if burst else _FetchThread(connection, self._queues, waker)
        self._kept: deque[FetchedJob] = deque()  # fetched but not started, because Redis failed
        self._suspect: FetchedJob | None = None  # waits until nothing else runs

    @property
    def empty(self) -> bool:
        """True when no fetched job waits to be started."""
        return not self._kept and self._suspect is None

    def start(self) -> None:
        """Start the thread, unless this is a burst."""
        if self._thread is not None:
            self._thread.start()

    def enqueue_due(self) -> None:
        """Move the jobs whose time has come to their places in the queues.

        Raises:
            redis.exceptions.RedisError: Redis failed.
        """
        for name in self._queues:
            enqueue_due(self._connection, name)

    def next(self, capacity: int, *, alone: bool) -> FetchedJob | None:
        """Return a job that may start, or None.

        `capacity` is the number of jobs that may start now; `alone` is true while no job is in flight. In a burst,
        None with capacity means that every queue is empty, unless a suspect waits (`empty`).

        Raises:
            redis.exceptions.RedisError: Redis failed; call again later.
        """
        while fetched := self._candidate(capacity, alone):
            try:
                if startable := self._startable(fetched, alone):
                    return startable
            except RedisError:
                self.keep(fetched)
                raise
        return None

    def keep(self, fetched: FetchedJob) -> None:
        """Take a job back that could not be started because Redis failed; `next` returns it first."""
        self._kept.append(fetched)

    def release_all(self) -> None:
        """Return all jobs that were fetched and not started to their queues."""
        with contextlib.suppress(RedisError):
            while self._kept:
                release(self._connection, self._kept[0].reserved)
                self._kept.popleft()
            if self._suspect is not None:
                release(self._connection, self._suspect.reserved)
                self._suspect = None
            while self._thread is not None and (fetched := self._thread.take()):
                release(self._connection, fetched.reserved)

    def stop(self) -> None:
        """Fetch nothing more and release what was not started."""
        if self._thread is not None:
            self._thread.stop()
        self.release_all()

    def _candidate(self, capacity: int, alone: bool) -> FetchedJob | None:
        if capacity <= 0 or (self._suspect is not None and not alone):
            return None
        if self._suspect is not None:
            suspect, self._suspect = self._suspect, None
            return suspect
        if self._kept:
            return self._kept.popleft()
        if self._thread is not None:
            return self._thread.take(capacity)
        reserved = dequeue(self._connection, self._queues, None)
        return FetchedJob(reserved=reserved, at=time.monotonic()) if reserved else None

    def _startable(self, fetched: FetchedJob, alone: bool) -> FetchedJob | None:
        """Return the job if it may start now; hold back a suspect, release a stale job, drop one that is gone."""
        state = self._state(fetched.reserved)
        if state is ReservedState.GONE:
            return None
        if state is ReservedState.SUSPECT and not alone:
            self._suspect = fetched
            return None
        if time.monotonic() - fetched.at > _STALE_S:
            release(self._connection, fetched.reserved)
            return None
        return replace(fetched, suspect=state is ReservedState.SUSPECT)

    def _state(self, reserved: ReservedJob) -> ReservedState:
        with self._connection.pipeline(transaction=False) as pipe:
            pipe.lpos(QueueKeys(reserved.queue).intermediate, reserved.job_id)
            pipe.hexists(f"{JOB_PREFIX}{reserved.job_id}", SUSPECT_FIELD)
            position, suspect = pipe.execute(raise_on_error=False)  # opening the execution detects a malformed job
        if position is None:
            return ReservedState.GONE
        return ReservedState.SUSPECT if suspect == 1 else ReservedState.PLAIN


class _FetchThread:
    """Dequeues one job for each that was requested, and wakes the loop for each."""

    def __init__(self, connection: Redis, queues: Sequence[str], waker: Waker) -> None:
        self._connection = connection
        self._queues = queues
        self._waker = waker
        self._fetched: queue.SimpleQueue[FetchedJob] = queue.SimpleQueue()
        self._requested = 0  # jobs that may still come
        self._permits = threading.Semaphore(0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fetcher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def take(self, capacity: int = 0) -> FetchedJob | None:
        """Return a job that has come; without one, request up to `capacity` jobs and return None."""
        with contextlib.suppress(queue.Empty):
            fetched = self._fetched.get_nowait()
            self._requested -= 1
            return fetched
        if (more := capacity - self._requested) > 0:
            self._requested += more
            self._permits.release(more)
        return None

    def stop(self) -> None:
        """Return when no further job can come."""
        self._stop.set()
        self._permits.release()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while self._permits.acquire() and not self._stop.is_set():
            if reserved := self._reserve():
                self._fetched.put(FetchedJob(reserved=reserved, at=time.monotonic()))
                self._waker.wake()

    def _reserve(self) -> ReservedJob | None:
        failures = 0
        while not self._stop.is_set():
            try:
                if reserved := self._reserve_unless_suspended():
                    return reserved
                failures = 0
            except RedisError as error:
                failures += 1
                delay = exponential(failures, jitter=1.0, base_ms=250, cap_ms=_RETRY_CAP_MS) / 1000
                log.warning("Redis cannot be reached (%s); fetching jobs again in %.1f s", error, delay)
                self._stop.wait(delay)
        return None

    def _reserve_unless_suspended(self) -> ReservedJob | None:
        if is_suspended(self._connection):
            self._stop.wait(_SUSPENDED_PAUSE_S)
            return None
        return dequeue(self._connection, self._queues, _WAIT_S)
