"""One place that knows which queues there are and how a job gets onto them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from redis import Redis
from rq.job import Job, validate_job_id
from rq.serializers import JSONSerializer
from rq.utils import import_attribute

from qa_queue.cases.model import RUN_TIMEOUT_MS
from qa_queue.errors import IdempotencyBusyError, InputError
from qa_queue.extensions import known_queue, queue_names
from qa_queue.models import CleanupJobData, LearningJobData, Priority, QueueName, TestJobData
from qa_queue.queues.enqueue import EnqueueConflict, enqueue_all
from qa_queue.queues.job_view import server_of_job
from qa_queue.queues.jobs import JobSpec, build_job
from qa_queue.queues.limits import pause, resume
from qa_queue.queues.priority_queue import PriorityQueue
from qa_queue.queues.retention import CleanKind, clean, trim
from qa_queue.queues.stats import QueuePosition, QueueStats, read_position, read_stats
from qa_queue.redis import by_server, connection_of
from qa_queue.settings import Settings

WORKER_CLASS = "qa_queue.worker.QAWorker"  # by name: the worker stands above the queues
MAX_JOBS_AT_ONCE = 10_000  # they enter Redis in one step, which holds up others for some 0.1 ms a job


class QueueManager:
    """The queues of the service, each on its Redis. Every queue is a `PriorityQueue` with JSON payloads."""

    def __init__(self, connection: Redis, settings: Settings) -> None:
        self._connection = connection
        self._settings = settings

    def get_queue(self, name: str) -> PriorityQueue:
        """The queue of this name.

        Raises:
            UnknownQueueError: lists the known queues and the nearest name.
        """
        return PriorityQueue(known_queue(name), connection=self._of(name))

    def add_test_job(
        self,
        data: TestJobData,
        *,
        priority: Priority = Priority.NORMAL,
        name: str = "",
        timeout_ms: int = RUN_TIMEOUT_MS,
        retries: int = 0,
    ) -> Job:
        """Put one run on `test-execution`; the job's id is the run's. `JobSpec.of_run` has the rest.

        Raises:
            InputError: a job with this id exists.
        """
        spec = JobSpec.of_run(data, name=name, priority=priority, timeout_ms=timeout_ms, retries=retries)
        return self.add_jobs(QueueName.TEST_EXECUTION, [spec])[0]

    def add_jobs(self, name: str, specs: Sequence[JobSpec]) -> list[Job]:
        """Put jobs on a queue in one atomic step: all of them, or, where an id exists, none.

        Raises:
            UnknownQueueError: the queue is not known.
            InputError: a job with one of the ids exists, or there are more than 10 000.
            IdempotencyBusyError: another submission holds the claim of one.
        """
        _check_ids([spec.job_id for spec in specs])
        queue, jobs, conflict = self._enqueue(name, specs)
        if conflict.unclaimed:
            raise IdempotencyBusyError(
                f"The idempotency keys of {len(conflict.unclaimed)} jobs were claimed by another submission, "
                "for this one took too long; nothing was enqueued. Submit again."
            )
        if known := conflict.known:
            raise InputError(
                f"{queue} has had a job with the id {known[0]} already"
                f"{f' ({len(known)} such ids)' if len(known) > 1 else ''}; nothing was enqueued. Use a new id."
            )
        return jobs

    def add_once(self, name: str, specs: Sequence[JobSpec]) -> bool:
        """As `add_jobs`, for a caller that may have added them before.

        Return False, and change nothing, where a job has one of the ids, or a claim is another's.

        Raises:
            UnknownQueueError: the queue is not known.
        """
        _, _, conflict = self._enqueue(name, specs)
        return not (conflict.known or conflict.unclaimed)

    def add_cleanup_job(self, data: CleanupJobData) -> Job:
        """Put a clean-up on `cleanup`."""
        name = "Dry run of the clean-up" if data.dry_run else "Clean-up"
        return self.add_jobs(QueueName.CLEANUP, [JobSpec(data=data, job_id=str(uuid4()), name=name)])[0]

    def add_learning_job(self, data: LearningJobData) -> Job:
        """Put a learning job on `adaptation-learning`."""
        cases = "every case" if data.test_case_ids is None else f"{len(data.test_case_ids)} cases"
        spec = JobSpec(data=data, job_id=str(uuid4()), name=f"Learn from the runs of {cases}")
        return self.add_jobs(QueueName.ADAPTATION_LEARNING, [spec])[0]

    def create_worker(self, queue_names: Sequence[str], **options: Any) -> Any:
        """A worker on these queues, in this order; `options` go to its class (`name`, `worker_ttl`, ...).

        Raises:
            UnknownQueueError: a queue is not known.
            InputError: the queues are on different Redis servers.
        """
        queues = [self.get_queue(name) for name in queue_names]
        if len(groups := by_server(self._connection, queue_names)) > 1:
            raise InputError(
                f"One worker serves one Redis, and these queues are on {len(groups)}: make a worker each for "
                f"{' and '.join(', '.join(names) for _, names in groups)}."
            )
        worker_class = import_attribute(WORKER_CLASS)
        return worker_class(queues, connection=groups[0][0], serializer=JSONSerializer, **options)

    def get_queue_stats(self, name: str | None = None) -> dict[str, QueueStats]:
        """What is on this queue, or on each, by name; one round trip to each Redis, which changes nothing.

        Raises:
            UnknownQueueError: the queue is not known.
        """
        names = queue_names() if name is None else [known_queue(name)]
        found: dict[str, QueueStats] = {}
        for server, its in by_server(self._connection, names):
            found |= read_stats(server, its)
        return {name: found[name] for name in names}

    def pause(self, name: str) -> bool:
        """Take nothing more from this queue; its workers stay up, what runs goes on. False: it was paused already.

        Raises:
            UnknownQueueError: the queue is not known.
        """
        return pause(self._of(name), known_queue(name))

    def resume(self, name: str) -> bool:
        """Take from this queue again, at once. False: it was not paused.

        Raises:
            UnknownQueueError: the queue is not known.
        """
        return resume(self._of(name), known_queue(name))

    def get_position(self, job_id: str) -> QueuePosition:
        """Return the position of a job that has not started, and an estimate of its start.

        Raises:
            NotFoundError: no job has this id, or it does not wait.
        """
        return read_position(server_of_job(self._connection, job_id), job_id)

    def clean(self, name: str, grace_ms: int, limit: int = 1000, kind: CleanKind = "completed") -> list[str]:
        """Delete at most `limit` jobs of a kind that ended `grace_ms` ago or longer; returns their ids.

        Raises:
            UnknownQueueError: the queue is not known.
            InputError: grace or limit is below 0.
        """
        return clean(self._of(name), known_queue(name), grace_ms=grace_ms, limit=limit, kind=kind)

    def trim(self, name: str) -> int:
        """Keep the newest jobs that QUEUE_REMOVE_ON_COMPLETE and QUEUE_REMOVE_ON_FAIL allow; see `trim`."""
        return trim(
            self._of(name),
            known_queue(name),
            keep_finished=self._settings.queue_remove_on_complete,
            keep_failed=self._settings.queue_remove_on_fail,
        )

    def _of(self, name: str) -> Redis:
        return connection_of(self._connection, name)

    def _enqueue(self, name: str, specs: Sequence[JobSpec]) -> tuple[str, list[Job], EnqueueConflict]:
        queue = self.get_queue(name)
        attempts = self._settings.queue_max_attempts
        jobs = [(build_job(queue, spec, max_attempts=attempts), spec) for spec in specs]
        return queue.name, [job for job, _ in jobs], enqueue_all(queue.connection, queue.name, jobs)


def _check_ids(ids: Sequence[str]) -> None:
    if len(ids) > MAX_JOBS_AT_ONCE:
        raise InputError(f"{len(ids)} runs at once are too many: submit at most {MAX_JOBS_AT_ONCE} at a time.")
    repeated = [job_id for job_id, count in Counter(ids).items() if count > 1]
    if repeated:
        raise InputError(f"The run id {repeated[0]} is given twice; nothing was enqueued. Use an id for each run.")
    for job_id in ids:
        try:
            validate_job_id(job_id)
        except ValueError as error:
            raise InputError(f"{job_id!r} cannot be a run's id: {error}. Use a UUID.") from None
