"""`QAWorker`: an `rq.Worker` that hands its jobs to one warm child process, several at once."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from types import FrameType
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, Worker, worker_registration
from rq.command import parse_payload
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.utils import now as utc_now
from rq.worker import DequeueStrategy, WorkerStatus

from qa_queue.errors import InputError, QAError
from qa_queue.queues.position import SLOTS_FIELD
from qa_queue.queues.priority_queue import PriorityQueue
from qa_queue.redis.connections import steady
from qa_queue.settings import LogLevel, Settings, load_settings
from qa_queue.settings.logs import configure_logging
from qa_queue.worker.environment import connection_for, is_rq_command
from qa_queue.worker.loop import WorkerLoop

log = logging.getLogger(__name__)

HEARTBEAT_TTL = 15  # seconds after which the jobs of a silent worker are taken over
WORKER_TTL = 30  # seconds after which a silent worker is no longer listed
_DUPLICATE = 1.0  # seconds: a pool and a terminal may both send the same signal
_LEVELS: dict[str, LogLevel] = {
    "DEBUG": "DEBUG",
    "INFO": "INFO",
    "WARNING": "WARN",
    "WARN": "WARN",
    "ERROR": "ERROR",
}
_RQ_LOGGERS = ("rq.worker", "rq.job", "rq.scheduler", "rq.registry")


class QAWorker(Worker):
    """Serves queues with JSON jobs by priority. Start it with RQ's own command:

        rq worker -w qa_queue.worker.QAWorker test-execution

    The parent process registers, beats, takes jobs and keeps RQ's books; the child (`qa_queue.worker.child`) runs
    up to QUEUE_CONCURRENCY jobs on one event loop and one browser.
    """

    queue_class: type[Queue] = PriorityQueue

    def __init__(self, queues: Any, *args: Any, settings: Settings | None = None, **options: Any) -> None:
        given = queues if isinstance(queues, list | tuple) else [queues]
        names = [queue.name if isinstance(queue, Queue) else queue for queue in given]
        if options.get("connection") is None and given and isinstance(given[0], Queue):
            options["connection"] = given[0].connection
        self.settings = settings or load_settings()
        if is_rq_command(sys.argv):
            options["connection"] = _ours(names, options["connection"], self.settings)
        options |= {
            "queue_class": PriorityQueue,
            "serializer": JSONSerializer,
            "worker_ttl": WORKER_TTL,
            "default_worker_ttl": None,
        }
        super().__init__(names, *args, **options)
        self._signals = 0
        self._last_signal = 0.0
        self._stop_asked = 0.0
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self._engine: WorkerLoop | None = None

    def work(
        self,
        burst: bool = False,
        logging_level: str | None = None,
        date_format: str = "",
        log_format: str = "",
        max_jobs: int | None = None,
        max_idle_time: int | None = None,
        with_scheduler: bool = True,
        dequeue_strategy: DequeueStrategy = DequeueStrategy.DEFAULT,
    ) -> bool:
        """Serve until told to stop, or in burst mode until nothing is left; True when any job was done.

        Logs as LOG_LEVEL and LOG_FORMAT say, in place of `date_format` and `log_format`; `logging_level` (of
        `--verbose` and `--quiet`) wins. Jobs that are due are put on their queues by every worker, so
        `with_scheduler` changes nothing; queues are served in the order given, so there is no other strategy.
        """
        del date_format, log_format, with_scheduler, dequeue_strategy
        self._configure_logs(logging_level)
        self.bootstrap(None)
        self._install_signal_handlers()  # type: ignore[no-untyped-call] # RQ
        self._engine = WorkerLoop(self, self._woken, burst=burst, max_jobs=max_jobs, max_idle_time=max_idle_time)
        try:
            return self._engine.run() > 0
        except InputError as error:
            log.error("Worker %s cannot work: %s", self.name, error)  # noqa: TRY400 - the message says it all
            raise SystemExit(1) from None
        finally:
            self._engine.close()
            self._leave()

    @property
    def stopping(self) -> bool:
        """Whether no more jobs are to be taken."""
        return self._signals > 0

    @property
    def stopping_for(self) -> float:
        """Seconds since this worker was told to stop."""
        return time.monotonic() - self._stop_asked

    @property
    def stop_now(self) -> bool:
        """Whether the jobs in flight are not waited for either."""
        return self._signals > 1

    def wake(self) -> None:
        """Have the loop look around at once; from any thread or signal handler."""
        with contextlib.suppress(BlockingIOError):
            self._waker.send(b".")

    def beat(self) -> None:
        """Say that this worker and its executions live; register again if Redis has forgotten the worker."""
        if not self.connection.exists(self.key):
            self.connection.hset(self.key, mapping=self.serialize())
            worker_registration.register(self)
        self.heartbeat()
        for slot in self._engine.slots if self._engine else ():
            self.maintain_heartbeats(slot.job, slot.execution)
        if self._engine is not None:
            self._engine.check_ownership()
            self._engine.vitals.write(self.connection, self.key)

    def bootstrap(self, logging_level: str | None = None, *_formats: str, **_more: str) -> None:
        """Register and listen for commands."""
        super().bootstrap(logging_level)
        self.heartbeat()  # RQ lists a new worker for 90 s; one that is killed at once is to be missed sooner
        self.set_state(WorkerStatus.IDLE)
        jobs = self.settings.queue_concurrency
        log.info("Worker %s serves %s, %d at once", self.name, ", ".join(self.queue_names()), jobs)

    def clean_registries(self) -> None:
        """Forget jobs past their time, as RQ does; what dead workers left is found by the janitor."""
        for queue in self.queues:
            if queue.acquire_maintenance_lock():
                for registry in (queue.finished_job_registry, queue.failed_job_registry):
                    registry.cleanup()
                worker_registration.clean_worker_registry(queue)
                queue.release_maintenance_lock()  # type: ignore[no-untyped-call] # RQ
        self.last_cleaned_at = utc_now()  # type: ignore[assignment] # RQ

    def serialize(self) -> dict[Any, Any]:
        """What stands in Redis of this worker; how many jobs it runs at once is for estimates."""
        return super().serialize() | {SLOTS_FIELD: self.settings.queue_concurrency}

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Stay listed for a while; beats come every few seconds, whatever runs."""
        del timeout
        super().heartbeat(WORKER_TTL, pipeline)

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:
        """Seconds after which an execution without a heartbeat is taken over."""
        del job, working_time
        return HEARTBEAT_TTL

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """Finish what runs, then end; a second signal ends now. A duplicate within a second counts once."""
        del frame
        moment = time.monotonic()
        if self._signals and moment - self._last_signal < _DUPLICATE:
            return
        self._last_signal = moment
        self._stop_asked = self._stop_asked if self._signals else moment
        self._signals += 1
        self._shutdown_requested_date = utc_now()
        what = (
            "stops now"
            if self.stop_now
            else f"finishes what runs within {self.settings.queue_shutdown_grace:g} s, then stops; "
            "a second signal stops it now"
        )
        log.info("Worker %s got %s: it %s", self.name, signal.Signals(signum).name, what)
        self.wake()

    def handle_payload(self, message: Any) -> None:
        """Take a command of RQ's (`rq.command`); called from the thread that listens."""
        payload = parse_payload(message)
        match payload.get("command"):
            case "shutdown":
                os.kill(os.getpid(), signal.SIGTERM)
            case "stop-job" | "stop-execution":
                self._command(str(payload.get("job_id", "")))
            case "kill-horse":
                self._command("")
            case other:
                log.warning("Worker %s does not know the command %r", self.name, other)

    def _command(self, job_id: str) -> None:
        if self._engine is not None:
            self._engine.commands.put(job_id)
            self.wake()

    def _pubsub_exception_handler(self, exc: Exception, pubsub: Any, pubsub_thread: Any) -> None:
        """Keep listening through an outage; redis-py subscribes again when it is over."""
        del pubsub, pubsub_thread
        if not isinstance(exc, RedisError):
            raise exc
        log.debug("Commands cannot be received (%s)", exc)
        time.sleep(1)  # in the listening thread, which has nothing else to do

    def _set_connection(self, connection: Redis) -> Redis:
        """As a worker of ours needs it: RQ would wait for an answer for longer than a failover takes."""
        return steady(connection)

    def _configure_logs(self, level: str | None) -> None:
        level = _LEVELS.get(level or "", self.settings.log_level)
        configure_logging(level, self.settings.log_format)
        for name in _RQ_LOGGERS:
            logger = logging.getLogger(name)
            logger.handlers.clear()
            logger.propagate = True
            # RQ tells each job in several lines; this worker tells it in its own
            logger.setLevel(logging.DEBUG if level == "DEBUG" else logging.WARNING)

    def _leave(self) -> None:
        try:
            self.teardown()  # type: ignore[no-untyped-call] # RQ
        except RedisError as error:
            log.warning("Worker %s could not sign off: Redis cannot be reached (%s)", self.name, error)
        log.info("Worker %s has stopped", self.name)


def _ours(names: Sequence[str], given: Redis, settings: Settings) -> Redis:
    try:
        return connection_for(names, given, settings)
    except QAError as error:  # RQ's command would show a traceback
        raise SystemExit(str(error)) from None
