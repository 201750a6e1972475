"""Which job starts next: what the intake has brought, as far as there is room, and a suspect only alone.

Takes jobs from Redis in a thread of its own, one for each permit, so that the worker's loop need not wait.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from redis import Redis
from redis.exceptions import RedisError
from rq.suspension import is_suspended

from qa_queue.models.backoff import exponential
from qa_queue.queues.dequeue import ReservedJob, dequeue, release
from qa_queue.worker.bookkeeping import Bookkeeping, ReservedState
from qa_queue.worker.dispatcher import Dispatcher
from qa_queue.worker.slots import Slots

if TYPE_CHECKING:
    from redis import Redis


log = logging.getLogger(__name__)

_STALE_S = 5.0  # a taken job that lay so long goes back; janitors return it after 10 s


class JobFetcher:
    """Takes jobs and starts them. `burst` looks once and does not wait; `empty` is what it found then."""

    def __init__(
        self,
        connection: Redis,
        queues: Sequence[str],
        *,
        slots: Slots,
        runs: Dispatcher,
        ledger: Bookkeeping,
        intake: JobIntake,
        burst: bool,
        max_jobs: int | None,
    ) -> None:
        self.empty = False
        self.started = 0
        self._connection = connection
        self._queues = queues
        self._slots = slots
        self._runs = runs
        self._ledger = ledger
        self._intake = intake
        self._burst = burst
        self._max_jobs = max_jobs
        self._asked = 0  # jobs that the intake may still bring
        self._alone: tuple[ReservedJob, float] | None = None  # a suspect that waits until nothing else runs
        self._again: deque[tuple[ReservedJob, float]] = deque()  # taken, and Redis failed before they had started

    @property
    def used_up(self) -> bool:
        """Whether this worker may start no more jobs, ever."""
        return self._max_jobs is not None and self.started >= self._max_jobs

    @property
    def room(self) -> int:
        """How many more jobs may start now."""
        if self._alone is not None:
            return 0
        free = self._slots.free
        return free if self._max_jobs is None else min(free, self._max_jobs - self.started)

    def take(self) -> None:
        """Start as many jobs as there is room for.

        Raises:
            redis.exceptions.RedisError: Redis failed.
        """
        self._start_again()
        self._start_alone()
        if self._burst:
            self._look()
        else:
            self._ask()

    def stop(self) -> None:
        """Take nothing more, and give back what was taken and not started."""
        self._intake.stop()
        self.give_back()

    def give_back(self) -> None:
        """Return to the queue what was taken and not started."""
        with contextlib.suppress(queue.Empty, RedisError):
            while self._again:
                release(self._connection, self._again[0][0])
                self._again.popleft()
            if self._alone is not None:
                release(self._connection, self._alone[0])
                self._alone = None
            while True:
                taken, _ = self._intake.taken.get_nowait()
                self._asked -= 1
                release(self._connection, taken)

    def _look(self) -> None:
        while self.room > 0:
            taken = dequeue(self._connection, self._queues, None)
            self.empty = taken is None and self._alone is None and not self._again
            if taken is None:
                return
            self._start(taken, time.monotonic())

    def _ask(self) -> None:
        with contextlib.suppress(queue.Empty):
            while self.room > 0:
                taken, at = self._intake.taken.get_nowait()
                self._asked -= 1
                self._start(taken, at)
        if (more := self.room - self._asked) > 0:
            self._asked += more
            self._intake.permit(more)

    def _start_again(self) -> None:
        while self._again and self.room > 0:
            self._start(*self._again.popleft())

    def _start_alone(self) -> None:
        if self._alone is not None and not len(self._slots):
            (taken, at), self._alone = self._alone, None
            self._start(taken, at)

    def _start(self, taken: ReservedJob, at: float) -> None:
        try:
            self._open(taken, at)
        except RedisError:
            self._again.append((taken, at))  # it stands in the intermediate list, where a janitor is slow to look
            raise

    def _open(self, taken: ReservedJob, at: float) -> None:
        look = self._ledger.look(taken)
        if look is ReservedState.GONE:
            return
        if look is ReservedState.SUSPECT and len(self._slots):
            self._alone = taken, at
            return
        if time.monotonic() - at > _STALE_S:
            release(self._connection, taken)
            return
        before = len(self._slots)
        self._runs.start(taken, suspect=look is ReservedState.SUSPECT)
        self.started += len(self._slots) - before


log = logging.getLogger(__name__)

_WAIT = 1.0  # seconds that one dequeue waits: how late a stop or `rq suspend` is noticed
_SUSPENDED_PAUSE = 0.5
_RETRY_CAP_MS = 2000  # a due job starts within 5 s of a failover's end


class JobIntake:
    """Jobs that were taken wait in `taken`, with the moment (monotonic, s); `wake` is called for each."""

    def __init__(self, connection: Redis, queues: Sequence[str], wake: Callable[[], None]) -> None:
        self.taken: queue.SimpleQueue[tuple[ReservedJob, float]] = queue.SimpleQueue()
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

    def _next(self) -> ReservedJob | None:
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

    def _look(self) -> ReservedJob | None:
        if is_suspended(self._connection):
            self._stop.wait(_SUSPENDED_PAUSE)
            return None
        return dequeue(self._connection, self._queues, _WAIT)
