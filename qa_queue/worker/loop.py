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

from qa_queue.queues import QueueManager
from qa_queue.settings import read_every_secret
from qa_queue.worker.bookkeeping import Bookkeeping
from qa_queue.worker.child_supervisor import ChildSupervisor
from qa_queue.worker.dispatcher import Dispatcher
from qa_queue.worker.environment import url_of
from qa_queue.worker.fencing import owned
from qa_queue.worker.fetcher import JobFetcher, JobIntake
from qa_queue.worker.heartbeat import HeartbeatStatistics
from qa_queue.worker.ipc import Hold, Vitals
from qa_queue.worker.periodic import PeriodicThread, enqueue_due
from qa_queue.worker.renewal import MIB, RenewalLimits, reason_to_renew, too_big, tree_memory
from qa_queue.worker.slots import Slots
from qa_queue.worker.stalled_jobs import StalledJobRecovery

if TYPE_CHECKING:
    from qa_queue.worker.worker import QAWorker

log = logging.getLogger(__name__)

_TURN = 0.5  # seconds between two looks at the clock when nothing happens
_BEAT = 4.0
_SCHEDULE = 1.0
_CLEAN = 3.0
_MAINTENANCE = 600.0
_MEASURE = 5.0


class WorkerLoop:
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
        self.vitals = HeartbeatStatistics(settings.qa_home)
        self._worker = worker
        self._woken = woken
        self._burst = burst
        self._max_idle_time = max_idle_time
        self._grace = settings.qa_cancel_grace
        self._shutdown_grace = settings.queue_shutdown_grace
        self._limits = RenewalLimits.of(settings)
        self._keeper = ChildSupervisor(url_of(worker.connection), worker.queue_names(), self._came_up)
        ledger = Bookkeeping(worker, self._grace)
        self._runs = Dispatcher(
            self.slots,
            ledger,
            self._keeper,
            grace=self._grace,
            after_close=self._closed,
            secrets=read_every_secret(),
        )
        self._supply = JobFetcher(
            worker.connection,
            worker.queue_names(),
            slots=self.slots,
            runs=self._runs,
            ledger=ledger,
            intake=(intake := JobIntake(worker.connection, worker.queue_names(), worker.wake)),
            burst=burst,
            max_jobs=max_jobs,
        )
        self._intake = intake
        self._queues = QueueManager(worker.connection, settings)
        self._janitor = StalledJobRecovery(worker.connection, worker.queues, ledger, self._runs.take_over)
        self._periodics = [
            PeriodicThread(_BEAT, worker.beat),
            PeriodicThread(_SCHEDULE, self._enqueue_due),
            PeriodicThread(_CLEAN, self._janitor.look),
            PeriodicThread(_MAINTENANCE, worker.run_maintenance_tasks),
            PeriodicThread(_MEASURE, self._measure),
        ]
        self._memory: int | None = None  # bytes that the child and its browser hold
        self._obstacle: str | None = None  # why no job is taken, as the child says
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
        self._supply.stop()
        if self._worker.stop_now:
            self._keeper.kill()
            self._runs.lose_all("the worker was told twice to stop")
            self._runs.close_books()
        self._keeper.stop(self._grace)

    def check_ownership(self) -> None:
        """End the runs whose executions another worker has taken over, for example while this one was stopped.

        Raises:
            redis.exceptions.RedisError: Redis failed.
        """
        for slot in self.slots.running:
            if slot.told is None and not owned(self._worker.connection, slot):
                log.warning("Job %s was taken over by another worker; its run ends here", slot.job.id)
                self._runs.disown(slot)

    def _turn(self) -> None:
        self._keeper.ensure()
        self._wait()
        self._listen()
        self._obey()
        self._runs.check_deadlines()
        self._runs.close_books()
        if self._worker.stopping:
            self._wind_up()
        else:
            self._take()
        self._recycle()
        self._tick()

    def _listen(self) -> None:
        for child, message in self._keeper.receive():
            if isinstance(message, Hold) and child is self._keeper.child:
                self._hold(message.reason)
            elif isinstance(message, Vitals):
                self.vitals.take(child.pid, message)
            self._runs.handle(message)
        for child, reason in self._keeper.bury():
            self.vitals.ended(child.pid, as_told=child.stopping)
            if child.stopping:
                log.debug("The child process %d, which was renewed, %s", child.pid, reason)
            else:
                log.error("The child process %s", reason)
            self._runs.lose(child, reason)

    def _hold(self, reason: str | None) -> None:
        if reason:
            log.error("No jobs are taken: %s", reason)
        else:
            log.info("Jobs are taken again")
        self._obstacle = reason

    def _wind_up(self) -> None:
        """Let runs end within the grace time, then give their jobs back."""
        self._supply.stop()
        if self._worker.stopping_for >= self._shutdown_grace:
            self._runs.return_all(f"the worker stops, and it had not ended within {self._shutdown_grace:g} s")

    def _recycle(self) -> None:
        child = self._keeper.child
        if child is not None and child.ready and not self._worker.stopping:
            age = time.monotonic() - child.started_at
            if reason := reason_to_renew(self._limits, runs=child.runs, age=age, memory=self._memory):
                self._keeper.renew(reason)
        self._keeper.retire(lambda child: bool(self.slots.running_in(child)))

    def _measure(self) -> None:
        sizes = {child: tree_memory(child.pid) for child in self._keeper.children if self._limits.memory}
        self._memory = sizes.get(self._keeper.child) if self._keeper.child else None
        for child, size in sizes.items():
            if too_big(self._limits, size):
                log.error("The child process %d holds %d MiB; it is ended", child.pid, (size or 0) // MIB)
                child.kill()

    def _wait(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._woken, selectors.EVENT_READ)
            for child in self._keeper.children:
                if not child.channel.closed:
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
    def _may_take(self) -> bool:
        ready = self._keeper.ready and not self._obstacle and not self._worker.stopping
        return ready and self._supply.room > 0 and not self._supply.empty

    def _take(self) -> None:
        try:
            if self._obstacle:
                self._supply.give_back()
            elif self._keeper.ready:
                self._supply.take()
        except RedisError as error:
            log.warning("Redis cannot be reached (%s)", error)

    def _came_up(self) -> None:
        self._memory = self._obstacle = None
        self._runs.send_notes()

    def _closed(self, queue_name: str) -> None:
        self._supply.empty = False
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
        if self._worker.stopping or (self._burst and self._supply.empty) or self._supply.used_up:
            return True
        idle = time.monotonic() - self._busy_until
        return self._max_idle_time is not None and self._keeper.ready and idle >= self._max_idle_time
