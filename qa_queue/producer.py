"""Submitting runs: everything is checked first, then recorded, then enqueued; all of it or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from redis import Redis

from qa_queue.cases.model import Case
from qa_queue.models import CleanupJobData, LearningJobData, Priority, TestConfig
from qa_queue.settings import Settings
from qa_queue.store.base import RunStore


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """A case to be run. `source` is the file it came from; `env` wins over the environment for `${env.X}`."""

    case: Case
    source: str | None = None
    base_url: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    config: TestConfig = TestConfig()
    priority: Priority = Priority.NORMAL
    user_id: str | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, kw_only=True)
class SubmittedRun:
    """A run that is on the queue. `created` is False when the idempotency key had been used: it is that run."""

    run_id: str
    job_id: str
    case_name: str
    created: bool = True


class JobProducer:
    """Puts work on the queues and its rows in the store."""

    def __init__(self, connection: Redis, store: RunStore, settings: Settings) -> None:
        self._connection = connection
        self._store = store
        self._settings = settings

    def submit(self, requests: RunRequest | Sequence[RunRequest]) -> tuple[SubmittedRun, ...]:
        """Submit runs, in the order given.

        Raises:
            InputError: a request cannot be used; nothing was written.
            RedisUnavailableError, StoreError: nothing was enqueued, and no row of a run is left.
        """
        raise NotImplementedError

    def submit_cleanup(self, data: CleanupJobData) -> str:
        """Put a clean-up on its queue; returns the job's id."""
        raise NotImplementedError

    def submit_learning(self, data: LearningJobData) -> str:
        """Put a learning job on its queue; returns the job's id."""
        raise NotImplementedError
