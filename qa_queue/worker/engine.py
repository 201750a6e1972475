"""The worker's loop: wait for the child, for a job or for time to pass, and act on it. One thread does it all."""

from __future__ import annotations

import contextlib
import logging
import queue
import selectors
import socket
import time
from typing import TYPE_CHECKING

from redis.exceptions import RedisError
from rq.worker import WorkerStatus

from qa_queue.priorities import Taken, dequeue, put_back
from qa_queue.queues import QueueManager
from qa_queue.settings import read_every_secret
from qa_queue.worker.due import enqueue_due
from qa_queue.worker.environment import url_of
from qa_queue.worker.intake import Intake
from qa_queue.worker.janitor import Janitor
from qa_queue.worker.keeper import Keeper
from qa_queue.worker.ledger import Ledger
from qa_queue.worker.pulse import Periodic
from qa_queue.worker.runs import Runs
from qa_queue.worker.slots import Slots

if TYPE_CHECKING:
    from qa_queue.worker.parent import QAWorker

log = logging.getLogger(__name__)

_TURN = 0.5  # seconds between two looks at the clock when nothing happens
_BEAT = 4.0
_SCHEDULE = 1.0
_CLEAN = 5.0
_MAINTENANCE = 600.0


class Engine:
    """Runs jobs until the worker is to stop. `commands` holds the ids of jobs to be stopped, "" for all."""

    def __init__(
        self,
        worker: QAWorker,
        woken: socket.socket,
        *,
        burst: bool,
        max_jobs: int | None,
        max_idle_time: int | None,
    ) -> None:
        settings = worker.settings
        self.commands: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.slots = Slots(settings.queue_concurrency)
        self._worker = worker
        self._woken = woken
        self._burst = burst
        self._max_jobs = max_jobs
        self._max_idle_time = max_idle_time
        self._grace = settings.qa_cancel_grace
        self._keeper = Keeper(url_of(worker.connection), worker.queue_names(), self._came_up)
        ledger = Ledger(worker, self._grace)
        self._runs = Runs(
            self.slots,
            ledger,
            self._keeper,
            grace=self._grace,
            after_close=self._closed,
            secrets=read_every_secret(),
        )
        self._intake = Intake(worker.connection, worker.queue_names(), worker.wake)
        self._queues = QueueManager(worker.connection, settings)
        self._janitor = Janitor(worker.connection, worker.queues, ledger, self._runs.take_over)
        self._periodics = [
            Periodic(_BEAT, worker.beat),
            Periodic(_SCHEDULE, self._enqueue_due),
            Periodic(_CLEAN, self._janitor.look),
            Periodic(_MAINTENANCE, worker.run_maintenance_tasks),
        ]
        self._asked = 0  # jobs that the intake may still bring
        self._started = 0
        self._empty = False
        self._busy_until = time.monotonic()

    def run(self) -> int:
        """Serve until stopped or done; returns how many jobs ended.

        Raises:
            InputError: the runtime can never start as things are set.
        """
        if not self._burst:
            self._intake.start()
        while not self._finished():
            self._turn()
        return self._runs.closed

    def close(self) -> None:
        """Take nothing more, give back what was taken and not started, and end the child."""
        self._stop_intake()
        if self._worker.stop_now:
            self._keeper.kill()
            self._runs.lose("was ended when the worker was told twice to stop")
            self._runs.close_books()
        self._keeper.stop(self._grace)

    def _turn(self) -> None:
        self._keeper.ensure()
        self._wait()
        for message in self._keeper.receive():
            self._runs.handle(message)
        if reason := self._keeper.bury():
            log.error("The child process %s", reason)
            self._runs.lose(reason)
        self._obey()
        self._runs.check_deadlines()
        self._runs.close_books()
        if self._worker.stopping:
            self._stop_intake()
        else:
            self._take()
        self._tick()

    def _wait(self) -> None:
        child = self._keeper.child
        with selectors.DefaultSelector() as selector:
            selector.register(self._woken, selectors.EVENT_READ)
            if child is not None and not child.channel.closed:
                write = selectors.EVENT_WRITE if child.channel.pending else 0
                selector.register(child.channel, selectors.EVENT_READ | write)
            selector.select(0 if self._burst and self._may_take else _TURN)
        with contextlib.suppress(BlockingIOError):
            while self._woken.recv(1024):
                pass

    def _tick(self) -> None:
        now = time.monotonic()
        for periodic in self._periodics:
            if not periodic.run(now):
                self._janitor.redis_failed(now)

    def _obey(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                if job_id := self.commands.get_nowait():
                    self._runs.stop_job(job_id)
                else:
                    self._keeper.kill()

    @property
    def _left(self) -> int:
        """How many more jobs this worker may start and has room for."""
        wanted = self.slots.free
        return wanted if self._max_jobs is None else min(wanted, self._max_jobs - self._started)

    @property
    def _may_take(self) -> bool:
        return self._keeper.ready and self._left > 0 and not self._empty and not self._worker.stopping

    def _take(self) -> None:
        if not self._keeper.ready:
            return
        try:
            self._look() if self._burst else self._ask()
        except RedisError as error:
            log.warning("Redis cannot be reached (%s)", error)

    def _look(self) -> None:
        """In burst mode: start what waits; what a run leaves behind is looked for again after it."""
        while self._left > 0:
            taken = dequeue(self._worker.connection, self._worker.queue_names(), None)
            self._empty = taken is None
            if taken is None:
                return
            self._start(taken)

    def _ask(self) -> None:
        """Start what the intake has brought, and let it bring as much as there is room for."""
        with contextlib.suppress(queue.Empty):
            while self._left > 0:
                taken = self._intake.taken.get_nowait()
                self._asked -= 1
                self._start(taken)
        if (more := self._left - self._asked) > 0:
            self._asked += more
            self._intake.permit(more)

    def _start(self, taken: Taken) -> None:
        before = len(self.slots)
        self._runs.start(taken)
        self._started += len(self.slots) - before

    def _stop_intake(self) -> None:
        self._intake.stop()
        with contextlib.suppress(queue.Empty, RedisError):
            while True:
                put_back(self._worker.connection, self._intake.taken.get_nowait())

    def _came_up(self) -> None:
        self._runs.send_abandons()

    def _closed(self, queue_name: str) -> None:
        self._empty = False
        self._busy_until = time.monotonic()
        with contextlib.suppress(RedisError):
            self._queues.trim(queue_name)
            if not len(self.slots):
                self._worker.set_state(WorkerStatus.IDLE)

    def _enqueue_due(self) -> None:
        for name in self._worker.queue_names():
            enqueue_due(self._worker.connection, name)

    def _finished(self) -> bool:
        if self._worker.stop_now:
            return True
        if not self._runs.idle:
            return False
        if self._worker.stopping or (self._burst and self._empty):
            return True
        if self._max_jobs is not None and self._started >= self._max_jobs:
            return True
        idle = time.monotonic() - self._busy_until
        return self._max_idle_time is not None and self._keeper.ready and idle >= self._max_idle_time
