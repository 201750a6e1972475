"""The queues: getting them, putting jobs on them, reading what is on them, keeping them small."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis
from rq.job import Job

from qa_queue.models import CleanupJobData, LearningJobData, Priority, TestJobData
from qa_queue.priorities import PriorityQueue
from qa_queue.settings import Settings

WORKER_CLASS = "qa_queue.worker.QAWorker"


@dataclass(frozen=True, kw_only=True)
class QueueStats:
    """What is on a queue at one moment. `failed` are dead letters: jobs that used up their attempts."""

    name: str
    waiting: int
    processing: int
    delayed: int
    completed: int
    failed: int
    cancelled: int
    workers: int


@dataclass(frozen=True, kw_only=True)
class TestJobRequest:
    """A run to be enqueued. `timeout_ms` of one try of the case, `retries` of the case."""

    __test__ = False

    data: TestJobData
    name: str = ""
    priority: Priority = Priority.NORMAL
    timeout_ms: int = 60_000
    retries: int = 0


class QueueManager:
    """The queues of the service on one Redis. Every queue is a `PriorityQueue` with JSON payloads."""

    def __init__(self, connection: Redis, settings: Settings) -> None:
        self._connection = connection
        self._settings = settings

    def get_queue(self, name: str) -> PriorityQueue:
        """The queue of this name.

        Raises:
            UnknownQueueError: lists the known queues and the nearest name.
        """
        raise NotImplementedError

    def add_test_job(
        self,
        data: TestJobData,
        *,
        priority: Priority = Priority.NORMAL,
        name: str = "",
        timeout_ms: int = 60_000,
        retries: int = 0,
    ) -> Job:
        """Put one run on `test-execution`; the job's id is the run's.

        Raises:
            InputError: a job with this id exists.
        """
        raise NotImplementedError

    def add_test_jobs(self, requests: Iterable[TestJobRequest]) -> list[Job]:
        """Put many runs on the queue in one round trip; all or, where an id exists, none."""
        raise NotImplementedError

    def add_cleanup_job(self, data: CleanupJobData) -> Job:
        """Put a clean-up on `cleanup`."""
        raise NotImplementedError

    def add_learning_job(self, data: LearningJobData) -> Job:
        """Put a learning job on `adaptation-learning`."""
        raise NotImplementedError

    def create_worker(self, queue_names: Sequence[str], **options: Any) -> Any:
        """A worker on these queues, in this order; `options` go to its class (`name`, `worker_ttl`, ...)."""
        raise NotImplementedError

    def get_queue_stats(self, name: str | None = None) -> dict[str, QueueStats]:
        """What is on this queue, or on each; one round trip that changes nothing."""
        raise NotImplementedError

    def trim(self, name: str) -> int:
        """Delete the oldest finished and failed jobs over QUEUE_REMOVE_ON_COMPLETE and QUEUE_REMOVE_ON_FAIL.

        A worker calls it after each job; the cost is that of the jobs removed, at most 100 a call. Returns how
        many were removed.
        """
        raise NotImplementedError
