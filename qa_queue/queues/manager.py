"""The access point to the queues: which there are, adding jobs, statistics, pausing, cleaning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from redis import Redis
from rq.job import Job, validate_job_id
from rq.serializers import JSONSerializer
from rq.utils import import_attribute

from qa_queue.errors import IdempotencyBusyError, InputError
from qa_queue.errors.validation import count_of
from qa_queue.extensions import known_queue, queue_names
from qa_queue.models import CleanupJobData, LearningJobData, Priority, QueueName, TestJobData, utc_now
from qa_queue.models.payloads import RUN_TIMEOUT_MS
from qa_queue.queues.enqueue import EnqueueConflict, enqueue_all
from qa_queue.queues.job_view import server_of_job
from qa_queue.queues.jobs import JobSpec, build_job, run_timeout_s
from qa_queue.queues.limits import pause, resume
from qa_queue.queues.priority_queue import PriorityQueue
from qa_queue.queues.retention import CleanKind, clean, trim
from qa_queue.queues.stats import QueuePosition, QueueStats, read_position, read_stats
from qa_queue.redis import by_server, connection_of, server_time
from qa_queue.settings import Settings

WORKER_CLASS = "qa_queue.worker.QAWorker"  # by name: the worker is a layer above the queues
MAX_JOBS_AT_ONCE = 10_000  # they are enqueued in one step, which blocks Redis for some 0.1 ms a job


class QueueManager:
    """The queues of the service, each on its Redis. Every queue is a `PriorityQueue` with JSON payloads."""

    def __init__(self, connection: Redis, settings: Settings) -> None:
        self._connection = connection
        self._settings = settings

    def get_queue(self, name: str) -> PriorityQueue:
        """Return the queue of this name.

        Raises:
            UnknownQueueError: lists the known queues and the nearest name.
        """
        return PriorityQueue(known_queue(name), connection=self._server_of(name))

    def add(self, name: str, specs: Sequence[JobSpec]) -> list[Job]:
        """Enqueue jobs in one atomic step: all of them, or, where an id or a claim is taken, none.

        Raises:
            UnknownQueueError: the queue is not known.
            InputError: a job with one of the ids exists, or there are more than 10 000.
            IdempotencyBusyError: another submission holds the claim of one of them.
        """
        _check_ids([spec.job_id for spec in specs])
        queue = self.get_queue(name)
        jobs, conflict = self._enqueue(queue, specs)
        if conflict.unclaimed:
            raise IdempotencyBusyError(
                f"The idempotency keys of {len(conflict.unclaimed)} jobs were claimed by another submission, "
                "because this one took too long; nothing was enqueued. Submit again."
            )
        if known := conflict.known:
            raise InputError(
                f"{queue.name} has a job with the id {known[0]} already"
                f"{f' ({len(known)} such ids)' if len(known) > 1 else ''}; nothing was enqueued. Use a new id."
            )
        return jobs

    def add_once(self, name: str, specs: Sequence[JobSpec]) -> bool:
        """As `add`, for a caller that may have added the jobs before: False where an id or a claim is taken.

        Raises:
            UnknownQueueError: the queue is not known.
        """
        _, conflict = self._enqueue(self.get_queue(name), specs)
        return conflict == EnqueueConflict()

    def add_test_job(
        self,
        data: TestJobData,
        *,
        priority: Priority = Priority.NORMAL,
        name: str = "",
        timeout_ms: int = RUN_TIMEOUT_MS,
        retries: int = 0,
    ) -> Job:
        """Enqueue one run on `test-execution`, without a row in the database; the job's id is the run's.

        `timeout_ms` limits one try of the case, `retries` is the number of further tries.

        Raises:
            InputError: a job with this id exists.
        """
        spec = JobSpec(
            job_id=data.test_run_id,
            data=data,
            name=name or data.test_case_id,
            priority=priority,
            timeout_s=run_timeout_s(data.config.timeout or timeout_ms, retries),
        )
        return self.add(QueueName.TEST_EXECUTION, [spec])[0]

    def add_cleanup_job(self, data: CleanupJobData) -> Job:
        """Enqueue a cleanup on `cleanup`."""
        name = "Dry run of the cleanup" if data.dry_run else "Cleanup"
        return self.add(QueueName.CLEANUP, [JobSpec(data=data, job_id=str(uuid4()), name=name)])[0]

    def add_learning_job(self, data: LearningJobData) -> Job:
        """Enqueue a learning job on `adaptation-learning`."""
        cases = "every case" if data.test_case_ids is None else count_of(len(data.test_case_ids), "case")
        spec = JobSpec(data=data, job_id=str(uuid4()), name=f"Learn from the runs of {cases}")
        return self.add(QueueName.ADAPTATION_LEARNING, [spec])[0]

    def create_worker(self, queue_names: Sequence[str], **options: Any) -> Any:
        """Return a worker of these queues, in this order; `options` go to its class (`name`, `worker_ttl`, ...).

        Raises:
            UnknownQueueError: a queue is not known.
            InputError: the queues are on different Redis servers.
        """
        queues = [self.get_queue(name) for name in queue_names]
        if len(groups := by_server(self._connection, queue_names)) > 1:
            raise InputError(
                f"One worker serves one Redis, and these queues are on {len(groups)}: create one worker each for "
                f"{' and '.join(', '.join(names) for _, names in groups)}."
            )
        worker_class = import_attribute(WORKER_CLASS)
        return worker_class(queues, connection=groups[0][0], serializer=JSONSerializer, **options)

    def get_queue_stats(self, name: str | None = None) -> dict[str, QueueStats]:
        """Return the statistics of this queue, or of each, by name; one round trip to each Redis, without a change.

        Raises:
            UnknownQueueError: the queue is not known.
        """
        names = queue_names() if name is None else [known_queue(name)]
        found: dict[str, QueueStats] = {}
        for server, own in by_server(self._connection, names):
            found |= read_stats(server, own)
        return {name: found[name] for name in names}

    def get_position(self, job_id: str) -> QueuePosition:
        """Return the position of a job that has not started, and an estimate of its start.

        Raises:
            NotFoundError: no job has this id, or it is not waiting.
        """
        return read_position(server_of_job(self._connection, job_id), job_id)

    def pause(self, name: str) -> bool:
        """Pause a queue: no job of it starts; its workers keep running. False when it was paused already.

        Raises:
            UnknownQueueError: the queue is not known.
        """
        return pause(self._server_of(name), known_queue(name))

    def resume(self, name: str) -> bool:
        """Resume a queue at once. False when it was not paused.

        Raises:
            UnknownQueueError: the queue is not known.
        """
        return resume(self._server_of(name), known_queue(name))

    def clean(self, name: str, grace_ms: int, limit: int = 1000, kind: CleanKind = "completed") -> list[str]:
        """Delete at most `limit` jobs of a kind that ended at least `grace_ms` ago; return their ids.

        Raises:
            UnknownQueueError: the queue is not known.
            InputError: grace or limit is below 0.
        """
        return clean(self._server_of(name), known_queue(name), grace_ms=grace_ms, limit=limit, kind=kind)

    def trim(self, name: str) -> int:
        """Keep the newest completed and cancelled jobs that the settings QUEUE_REMOVE_ON_* allow."""
        return trim(
            self._server_of(name),
            known_queue(name),
            keep_finished=self._settings.queue_remove_on_complete,
            keep_cancelled=self._settings.queue_remove_on_fail,
        )

    def _server_of(self, name: str) -> Redis:
        return connection_of(self._connection, name)

    def _enqueue(self, queue: PriorityQueue, specs: Sequence[JobSpec]) -> tuple[list[Job], EnqueueConflict]:
        attempts, delayed = self._settings.queue_max_attempts, any(spec.due for spec in specs)
        now = server_time(queue.connection) if delayed else utc_now()  # this machine's clock may be wrong
        ready = [replace(spec, due=None) if spec.due is not None and spec.due <= now else spec for spec in specs]
        jobs = [build_job(queue, spec, default_attempts=attempts) for spec in ready]
        return jobs, enqueue_all(queue.connection, queue.name, list(zip(ready, jobs, strict=True)))


def _check_ids(ids: Sequence[str]) -> None:
    if len(ids) > MAX_JOBS_AT_ONCE:
        raise InputError(f"{len(ids)} jobs at once are too many: submit at most {MAX_JOBS_AT_ONCE} at a time.")
    repeated = [job_id for job_id, count in Counter(ids).items() if count > 1]
    if repeated:
        raise InputError(f"The job id {repeated[0]} is given twice; nothing was enqueued. Use an id for each job.")
    for job_id in ids:
        try:
            validate_job_id(job_id)
        except ValueError as error:
            raise InputError(f"{job_id!r} cannot be a job's id: {error}. Use a UUID.") from None
