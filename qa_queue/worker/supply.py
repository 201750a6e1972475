"""Which job starts next: what the intake has brought, as far as there is room, and a suspect only alone."""

from __future__ import annotations

import contextlib
import logging
import queue
import time
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from qa_queue.priorities import Taken, dequeue, put_back
from qa_queue.worker.intake import Intake
from qa_queue.worker.ledger import Ledger, Look
from qa_queue.worker.runs import Runs
from qa_queue.worker.slots import Slots

if TYPE_CHECKING:
    from redis import Redis

log = logging.getLogger(__name__)

_STALE_S = 5.0  # a taken job that lay so long goes back; janitors return it after 10 s


class Supply:
    """Takes jobs and starts them. `burst` looks once and does not wait; `empty` is what it found then."""

    def __init__(
        self,
        connection: Redis,
        queues: Sequence[str],
        *,
        slots: Slots,
        runs: Runs,
        ledger: Ledger,
        intake: Intake,
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
        self._alone: tuple[Taken, float] | None = None  # a suspect that waits until nothing else runs
        self._again: deque[tuple[Taken, float]] = deque()  # taken, and Redis failed before they had started

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
                put_back(self._connection, self._again[0][0])
                self._again.popleft()
            if self._alone is not None:
                put_back(self._connection, self._alone[0])
                self._alone = None
            while True:
                taken, _ = self._intake.taken.get_nowait()
                self._asked -= 1
                put_back(self._connection, taken)

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

    def _start(self, taken: Taken, at: float) -> None:
        try:
            self._open(taken, at)
        except RedisError:
            self._again.append((taken, at))  # it stands in the intermediate list, where a janitor is slow to look
            raise

    def _open(self, taken: Taken, at: float) -> None:
        look = self._ledger.look(taken)
        if look is Look.GONE:
            return
        if look is Look.SUSPECT and len(self._slots):
            self._alone = taken, at
            return
        if time.monotonic() - at > _STALE_S:
            put_back(self._connection, taken)
            return
        before = len(self._slots)
        self._runs.start(taken, suspect=look is Look.SUSPECT)
        self.started += len(self._slots) - before
