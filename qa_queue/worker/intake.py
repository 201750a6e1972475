"""Takes jobs from Redis in a thread of its own, one for each permit, so that the worker's loop need not wait."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence

from redis import Redis
from redis.exceptions import RedisError
from rq.suspension import is_suspended

from qa_queue.backoff import exponential
from qa_queue.priorities import Taken, dequeue

log = logging.getLogger(__name__)

_WAIT = 1.0  # seconds that one dequeue waits: how late a stop or `rq suspend` is noticed
_SUSPENDED_PAUSE = 0.5
_RETRY_CAP_MS = 2000  # a due job starts within 5 s of a failover's end


class Intake:
    """Jobs that were taken wait in `taken`, with the moment (monotonic, s); `wake` is called for each."""

    def __init__(self, connection: Redis, queues: Sequence[str], wake: Callable[[], None]) -> None:
        self.taken: queue.SimpleQueue[tuple[Taken, float]] = queue.SimpleQueue()
        self._connection = connection
        self._queues = list(queues)
        self._wake = wake
        self._permits = threading.Semaphore(0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)
        self.permitted = 0

    def start(self) -> None:
        """Begin to take jobs, as far as permitted."""
        self._thread.start()

    def permit(self, jobs: int) -> None:
        """Allow so many more jobs to be taken."""
        self.permitted += jobs
        self._permits.release(jobs) if jobs else None

    def stop(self) -> None:
        """Take no more; returns when nothing more can come."""
        self._stop.set()
        self._permits.release()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while self._permits.acquire() and not self._stop.is_set():
            if taken := self._next():
                self.taken.put((taken, time.monotonic()))
                self._wake()

    def _next(self) -> Taken | None:
        failures = 0
        while not self._stop.is_set():
            try:
                if taken := self._look():
                    return taken
                failures = 0
            except RedisError as error:
                failures += 1
                delay = exponential(failures, jitter=1.0, base_ms=250, cap_ms=_RETRY_CAP_MS) / 1000
                log.warning("Redis cannot be reached (%s); looking for jobs again in %.1f s", error, delay)
                self._stop.wait(delay)
        return None

    def _look(self) -> Taken | None:
        if is_suspended(self._connection):
            self._stop.wait(_SUSPENDED_PAUSE)
            return None
        return dequeue(self._connection, self._queues, _WAIT)
