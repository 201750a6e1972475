"""`QAWorker`, an `rq.Worker` that runs several jobs at once in one warm child process, and its start from code."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from types import FrameType
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, Worker, worker_registration
from rq.command import parse_payload
from rq.executions import Execution, ExecutionRegistry
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.utils import now as utc_now
from rq.worker import DequeueStrategy, WorkerStatus

from qa_queue.errors import InputError, QAError
from qa_queue.extensions import catalogue, known_queue, queue_names
from qa_queue.queues import QueueManager
from qa_queue.queues.keys import PROCESS_FIELD, SLOTS_FIELD
from qa_queue.queues.priority_queue import PriorityQueue
from qa_queue.queues.reconciliation import drop_remnant
from qa_queue.redis import server_time
from qa_queue.redis.client import check
from qa_queue.redis.connections import steady, worker_connection
from qa_queue.redis.servers import server_for_all
from qa_queue.settings import LogLevel, Settings, load_settings, read_every_secret
from qa_queue.settings.logs import configure_logging
from qa_queue.worker.bookkeeping import Bookkeeping
from qa_queue.worker.child_health import HeartbeatStatistics, RenewalLimits
from qa_queue.worker.child_supervisor import ChildSupervisor
from qa_queue.worker.control import CommandListener, KillChildCommand, StopJobCommand, WorkerControl
from qa_queue.worker.dispatcher import Dispatcher
from qa_queue.worker.environment import connection_for, is_rq_command, url_of
from qa_queue.worker.executions import ActiveJob, registry_score
from qa_queue.worker.fetcher import JobFetcher
from qa_queue.worker.loop import LoopOptions, WorkerLoop
from qa_queue.worker.stalled_jobs import HEARTBEAT_TTL, StalledJobRecovery, UnstoredOutcomes, process_token

log = logging.getLogger(__name__)

WORKER_TTL = 30  # seconds after which a silent worker is no longer listed
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

    This process registers the worker, sends heartbeats, takes jobs and updates RQ's registries; the child process
    (`qa_queue.worker.child`) runs up to QUEUE_CONCURRENCY jobs on one event loop and one browser.
    """

    queue_class: type[Queue] = PriorityQueue

    def __init__(self, queues: Any, *args: Any, settings: Settings | None = None, **options: Any) -> None:
        given = queues if isinstance(queues, list | tuple) else [queues]
        names = [queue.name if isinstance(queue, Queue) else queue for queue in given]
        if options.get("connection") is None and given and isinstance(given[0], Queue):
            options["connection"] = given[0].connection
        self.settings = settings or load_settings()
        if is_rq_command(sys.argv):
            options["connection"] = _own_connection(names, options["connection"], self.settings)
        options |= {
            "queue_class": PriorityQueue,
            "serializer": JSONSerializer,
            "worker_ttl": WORKER_TTL,
            "default_worker_ttl": None,
        }
        super().__init__(names, *args, **options)
        self._control = WorkerControl()
        self._listener: CommandListener | None = None

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
        """Serve until a signal comes, or with `burst` until no job is left; return whether any job ended.

        LOG_LEVEL and LOG_FORMAT replace `date_format` and `log_format`; `logging_level` (of `--verbose` and
        `--quiet`) takes precedence. Every worker enqueues due jobs, so `with_scheduler` has no effect; queues are
        served in the order given, so there is no other strategy.
        """
        del date_format, log_format, with_scheduler, dequeue_strategy
        self._configure_logs(logging_level)
        catalogue()  # read now: once the worker has jobs, a lack of file descriptors must not end it
        self.bootstrap(None)
        self._install_signal_handlers()  # type: ignore[no-untyped-call] # RQ
        options = LoopOptions(
            burst=burst,
            max_jobs=max_jobs,
            max_idle_time=max_idle_time,
            shutdown_grace=self.settings.queue_shutdown_grace,
        )
        loop = self._build_loop(options)
        try:
            return loop.run() > 0
        except InputError as error:
            log.error("Worker %s cannot work: %s", self.name, error)  # noqa: TRY400 - the message is complete
            raise SystemExit(1) from None
        finally:
            loop.close(self.settings.qa_cancel_grace)
            self._sign_off()
            self.close()

    def close(self) -> None:
        """Close what the worker holds open on this machine; it can work no more."""
        self._control.waker.close()

    def send_heartbeats(self, jobs: Iterable[ActiveJob], statistics: HeartbeatStatistics) -> None:
        """Send heartbeats of this worker and of executions; register again if Redis has lost the worker.

        Raises:
            redis.exceptions.RedisError: Redis failed.
        """
        if self._is_registered():
            self.heartbeat()
        else:
            self._register()
        for active in jobs:
            self.maintain_heartbeats(active.job, active.execution)
        statistics.write(self.connection, self.key)

    def _is_registered(self) -> bool:
        """Return whether Redis has the worker: what runs may have written a part of its hash after a loss."""
        with self.connection.pipeline(transaction=False) as pipe:
            pipe.hexists(self.key, "birth")
            pipe.sismember(worker_registration.REDIS_WORKER_KEYS, self.key)
            return all(pipe.execute())

    def register_birth(self) -> None:
        """Register as a new worker. RQ would list it for 90 s; one that is killed at once must be missed sooner.

        Raises:
            SystemExit: a worker of this name is running.
        """
        if self.connection.exists(self.key) and not self.connection.hexists(self.key, "death"):
            log.error(
                "Worker %s cannot work: a worker of its name runs, or was killed within %d s. Choose another name",
                self.name,
                WORKER_TTL,
            )
            raise SystemExit(1)
        self.connection.delete(self.key)
        self.birth_date = self.last_heartbeat = utc_now()
        self._register()

    def _register(self) -> None:
        """List the worker for WORKER_TTL, in one step: whenever it is killed, its entry expires."""
        with self.connection.pipeline() as pipe:
            pipe.hset(self.key, mapping=self.serialize())
            worker_registration.register(self, pipe)
            self.heartbeat(pipeline=pipe)
            pipe.execute()

    def bootstrap(self, logging_level: str | None = None, *_formats: str, **_more: str) -> None:
        """Register and listen for commands."""
        super().bootstrap(logging_level)
        self.set_state(WorkerStatus.IDLE)
        jobs = self.settings.queue_concurrency
        log.info("Worker %s serves %s, %d at once", self.name, ", ".join(self.queue_names()), jobs)

    def clean_registries(self) -> None:
        """Remove expired jobs, as RQ does; jobs of dead workers are left to the recovery of stalled jobs."""
        for queue in self.queues:
            if queue.acquire_maintenance_lock():
                now = server_time(self.connection).timestamp()  # the clock of this machine may be days off
                for registry in (queue.finished_job_registry, queue.failed_job_registry):
                    registry.cleanup(now)
                worker_registration.clean_worker_registry(queue)
                queue.release_maintenance_lock()  # type: ignore[no-untyped-call] # RQ
        self.last_cleaned_at = utc_now()  # type: ignore[assignment] # RQ

    def maintain_heartbeats(self, job: Job, execution: Execution) -> None:
        """Send the heartbeat of an execution, out of the reach of RQ's clean-up."""
        with self.connection.pipeline() as pipe:
            pipe.hset(execution.key, "last_heartbeat", utc_now().timestamp())
            pipe.expire(execution.key, HEARTBEAT_TTL)
            pipe.zadd(job.started_job_registry.key, {execution.composite_key: registry_score()}, xx=True)
            ExecutionRegistry(job.id, self.connection).add(execution, HEARTBEAT_TTL, pipe, xx=True)
            job.heartbeat(utc_now(), HEARTBEAT_TTL, pipeline=pipe, xx=True)
            drop_remnant(pipe, job.key)
            pipe.execute()

    def serialize(self) -> dict[Any, Any]:
        """Return the worker's hash in Redis, with the number of jobs that it runs at once and its process."""
        fields = {SLOTS_FIELD: self.settings.queue_concurrency, PROCESS_FIELD: process_token(os.getpid())}
        return super().serialize() | fields

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Keep the worker listed for WORKER_TTL; heartbeats follow every few seconds, whatever runs."""
        del timeout
        super().heartbeat(WORKER_TTL, pipeline)

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:
        """Return the seconds for which the key of an execution outlives its last heartbeat."""
        del job, working_time
        return HEARTBEAT_TTL

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """Handle a signal: the first lets running jobs finish, a second one stops now."""
        del frame
        if not self._control.request_stop():
            return
        action = (
            "stops now"
            if self._control.stop_now
            else f"finishes what runs within {self.settings.queue_shutdown_grace:g} s, then stops; "
            "a second signal stops it now"
        )
        log.info("Worker %s got %s: it %s", self.name, signal.Signals(signum).name, action)

    def subscribe(self) -> None:
        """Listen for commands."""
        self._listener = CommandListener(self.connection, self.pubsub_channel_name, self.handle_payload)
        self._listener.start()

    def unsubscribe(self) -> None:
        """Stop listening for commands."""
        if self._listener is not None:
            self._listener.stop()

    def handle_payload(self, message: Any) -> None:
        """Handle a command of RQ (`rq.command`); called from the thread that listens."""
        payload = parse_payload(message)
        match payload.get("command"):
            case "shutdown":
                os.kill(os.getpid(), signal.SIGTERM)
            case "stop-job" | "stop-execution":
                self._control.send(StopJobCommand(job_id=str(payload.get("job_id", ""))))
            case "kill-horse":
                self._control.send(KillChildCommand())
            case other:
                log.warning("Worker %s does not know the command %r", self.name, other)

    def _build_loop(self, options: LoopOptions) -> WorkerLoop:
        settings, connection, names = self.settings, self.connection, self.queue_names()
        secrets = read_every_secret()
        children = ChildSupervisor(
            url_of(connection),
            names,
            limits=RenewalLimits.of(settings),
            statistics=HeartbeatStatistics(settings.qa_home),
        )
        return WorkerLoop(
            self,
            self._control,
            options,
            fetcher=JobFetcher(connection, names, self._control.waker, burst=options.burst),
            children=children,
            dispatcher=Dispatcher(
                children, size=settings.queue_concurrency, grace=settings.qa_cancel_grace, secrets=secrets
            ),
            bookkeeping=Bookkeeping(self, QueueManager(connection, settings), secrets),
            recovery=StalledJobRecovery(connection, self.queues, self.name),
            unstored=UnstoredOutcomes(connection, names),
        )

    def _set_connection(self, connection: Redis) -> Redis:
        """Limit how long an answer is waited for: RQ would wait for longer than a failover takes."""
        return steady(connection)

    def _configure_logs(self, level: str | None) -> None:
        level = _LEVELS.get(level or "", self.settings.log_level)
        configure_logging(level, self.settings.log_format)
        for name in _RQ_LOGGERS:
            logger = logging.getLogger(name)
            logger.handlers.clear()
            logger.propagate = True
            # RQ logs several lines for each job; this worker logs its own
            logger.setLevel(logging.DEBUG if level == "DEBUG" else logging.WARNING)

    def _sign_off(self) -> None:
        try:
            self.teardown()  # type: ignore[no-untyped-call] # RQ
        except RedisError as error:
            log.warning("Worker %s could not sign off: Redis cannot be reached (%s)", self.name, error)
        log.info("Worker %s has stopped", self.name)


def serve(queues: Sequence[str], settings: Settings, *, burst: bool = False) -> None:
    """Run a worker until a signal comes, or with `burst` until no job is left.

    Raises:
        RedisUnavailableError: Redis cannot be used at the start.
        UnknownQueueError: a queue is not known.
        InputError: the queues are on different Redis servers.
    """
    names = known_queues(queues)
    server = server_for_all(settings, names)
    check(server)
    QAWorker(names, connection=worker_connection(server), settings=settings).work(burst=burst)


def known_queues(names: Sequence[str]) -> list[str]:
    """Return these queues, or every queue if none is named.

    Raises:
        UnknownQueueError: a queue is not known.
    """
    return [known_queue(name) for name in names or queue_names()]


def _own_connection(names: Sequence[str], given: Redis, settings: Settings) -> Redis:
    try:
        return connection_for(names, given, settings)
    except QAError as error:  # RQ's command would show a traceback
        raise SystemExit(str(error)) from None
