"""The worker's loop: wait for the child, for a job or for time to pass, and act on it. One thread does it all."""

from __future__ import annotations

import contextlib
import logging
import selectors
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from redis.exceptions import RedisError
from rq.worker import WorkerStatus

from qa_queue.worker.bookkeeping import Bookkeeping
from qa_queue.worker.child_health import HeartbeatStatistics
from qa_queue.worker.child_supervisor import ChildSupervisor
from qa_queue.worker.control import KillChildCommand, StopJobCommand, WorkerControl
from qa_queue.worker.dispatcher import Dispatcher
from qa_queue.worker.executions import ActiveJob, EndedJob
from qa_queue.worker.fetcher import FetchedJob, JobFetcher
from qa_queue.worker.ipc import Abandon
from qa_queue.worker.periodic import PeriodicTask, PeriodicTasks
from qa_queue.worker.stalled_jobs import StalledJobRecovery, UnstoredOutcomes

log = logging.getLogger(__name__)

_TURN_S = 0.5  # the longest turn when nothing happens


class RegisteredWorker(Protocol):
    """The part of a worker that its loop calls."""

    def send_heartbeats(self, jobs: Iterable[ActiveJob], statistics: HeartbeatStatistics) -> None:
        """Send heartbeats of the worker and its executions, with the statistics."""

    def set_state(self, state: str) -> None:
        """Publish the worker's state."""

    def run_maintenance_tasks(self) -> None:
        """Clean RQ's registries."""


@dataclass(frozen=True, kw_only=True)
class LoopOptions:
    """End of a loop: in a `burst` when no job is left, after `max_jobs`, or after `max_idle_time` s without one.

    `shutdown_grace` is the time in s that running jobs have to end after a request to stop.
    """

    burst: bool
    max_jobs: int | None
    max_idle_time: int | None
    shutdown_grace: float


class WorkerLoop:
    """Runs jobs until the worker is to stop."""

    def __init__(
        self,
        worker: RegisteredWorker,
        control: WorkerControl,
        options: LoopOptions,
        *,
        fetcher: JobFetcher,
        children: ChildSupervisor,
        dispatcher: Dispatcher,
        bookkeeping: Bookkeeping,
        recovery: StalledJobRecovery,
        unstored: UnstoredOutcomes,
    ) -> None:
        self._worker = worker
        self._control = control
        self._options = options
        self._fetcher = fetcher
        self._children = children
        self._dispatcher = dispatcher
        self._bookkeeping = bookkeeping
        self._recovery = recovery
        self._unstored = unstored
        self._tasks = PeriodicTasks(self._periodic_tasks())
        self._drained = False  # in a burst: the last look found every queue empty
        self._busy_until = time.monotonic()

    def run(self) -> int:
        """Run until stopped or done; return the number of jobs that ended.

        Raises:
            InputError: the runtime can never start with these settings.
        """
        self._fetcher.start()
        while not self._finished():
            self._turn()
        return self._bookkeeping.closed

    def close(self, grace: float) -> None:
        """Release what was not started, and let the child exit within `grace` seconds."""
        self._fetcher.stop()
        if self._control.stop_now:
            self._close_ended(self._dispatcher.kill_all("a second signal stopped the worker"))
        self._children.stop(grace)

    def _turn(self) -> None:
        self._children.ensure_child(time.monotonic())
        self._run_periodic_tasks()
        self._wait()
        ended = self._dispatcher.collect()
        self._unstored.forget(self._dispatcher.take_recorded())
        self._obey_commands()
        self._dispatcher.enforce_deadlines(time.monotonic())
        self._close_ended(ended)
        if self._control.stopping:
            self._wind_up()
        else:
            self._start_jobs()
            self._children.renew_if_due(time.monotonic())
        self._dispatcher.retire_idle_children()

    def _wait(self) -> None:
        with selectors.PollSelector() as selector:  # which needs no file descriptor of its own
            selector.register(self._control.waker, selectors.EVENT_READ)
            for channel in self._children.channels:
                write = selectors.EVENT_WRITE if channel.pending else 0
                selector.register(channel, selectors.EVENT_READ | write)
            selector.select(0 if self._options.burst and self._may_start and not self._drained else _TURN_S)
        self._control.waker.clear()

    def _obey_commands(self) -> None:
        for command in self._control.commands():
            match command:
                case StopJobCommand(job_id=job_id):
                    self._dispatcher.stop_job(job_id, time.monotonic())
                case KillChildCommand():
                    self._children.kill()

    def _close_ended(self, ended: Iterable[EndedJob]) -> None:
        for closed in self._bookkeeping.close(ended):
            self._dispatcher.release(closed.execution_id, closed.request)
            self._busy_until = time.monotonic()
            if self._dispatcher.empty:
                with contextlib.suppress(RedisError):
                    self._worker.set_state(WorkerStatus.IDLE)

    def _wind_up(self) -> None:
        """Let running jobs end within the grace time, then requeue them."""
        self._fetcher.stop()
        grace = self._options.shutdown_grace
        if self._control.stopping_for >= grace:
            reason = f"the worker stops, and it had not ended within {grace:g} s"
            self._dispatcher.requeue_all(reason, time.monotonic())

    def _start_jobs(self) -> None:
        self._drained = False
        if self._children.obstacle:
            self._fetcher.release_all()
        if not self._may_start:
            return
        try:
            while fetched := self._fetcher.next(self._capacity, alone=self._dispatcher.empty):
                self._start(fetched)
        except RedisError as error:
            log.warning("Redis cannot be reached (%s)", error)
        else:
            self._drained = self._capacity > 0 and self._fetcher.empty

    def _start(self, fetched: FetchedJob) -> None:
        try:
            opened = self._bookkeeping.open(fetched.reserved, suspect=fetched.suspect)
        except RedisError:
            self._fetcher.keep(fetched)  # it is in the intermediate list, from which recovery takes 5 s
            raise
        match opened:
            case ActiveJob():
                self._dispatcher.start(opened, time.monotonic())
            case Abandon():
                self._dispatcher.record(opened)

    @property
    def _may_start(self) -> bool:
        return self._children.ready and not self._children.obstacle and self._capacity > 0

    @property
    def _capacity(self) -> int:
        """Number of jobs that may start now."""
        free, most = self._dispatcher.free, self._options.max_jobs
        return free if most is None else min(free, most - self._dispatcher.started)

    def _finished(self) -> bool:
        if self._control.stop_now:
            return True
        if self._bookkeeping.pending or not self._dispatcher.idle:
            return False
        options = self._options
        used_up = options.max_jobs is not None and self._dispatcher.started >= options.max_jobs
        if self._control.stopping or used_up or (options.burst and self._drained):
            return True
        idle = time.monotonic() - self._busy_until
        return options.max_idle_time is not None and self._children.ready and idle >= options.max_idle_time

    def _periodic_tasks(self) -> Sequence[PeriodicTask]:
        return (
            PeriodicTask(name="send heartbeats", every_s=1, do=self._send_heartbeats),
            PeriodicTask(name="enqueue due jobs", every_s=1, do=self._fetcher.enqueue_due),
            PeriodicTask(name="recover stalled jobs", every_s=1, do=self._recover_stalled),
            PeriodicTask(name="store the outcomes of other workers' jobs", every_s=2, do=self._store_outcomes),
            PeriodicTask(name="clean registries", every_s=600, do=self._worker.run_maintenance_tasks),
            PeriodicTask(name="measure memory", every_s=5, do=self._children.measure_memory),
        )

    def _run_periodic_tasks(self) -> None:
        now = time.monotonic()
        if not self._tasks.run_due(now):
            self._recovery.pause(now)

    def _send_heartbeats(self) -> None:
        self._worker.send_heartbeats(self._dispatcher.jobs, self._children.statistics)
        for active in self._bookkeeping.lost(self._dispatcher.running):
            log.warning("Job %s was taken over by another worker; its run ends here", active.job.id)
            self._dispatcher.disown(active, time.monotonic())

    def _recover_stalled(self) -> None:
        own = {active.execution.composite_key for active in self._dispatcher.jobs}
        if lost := self._recovery.recover(time.monotonic(), own):
            self._dispatcher.conclude(lost)
            self._control.waker.wake()  # the turn that closes them does not wait

    def _store_outcomes(self) -> None:
        for request in self._unstored.due(time.monotonic(), self._dispatcher.recording):
            self._dispatcher.record(request)
