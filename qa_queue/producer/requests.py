"""What is submitted, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from qa_queue.cases.model import Case
from qa_queue.models import Priority, TestConfig
from qa_queue.models.backoff import EXPONENTIAL, Backoff


class Timed(Protocol):
    """What every request says of when and how often its job is to be done."""

    @property
    def attempts(self) -> int | None:
        """How often at most, when the infrastructure fails."""

    @property
    def delay_ms(self) -> int | None:
        """How long after it was submitted it is to start at the earliest."""

    @property
    def run_at(self) -> datetime | None:
        """When it is to start at the earliest."""

    @property
    def idempotency_key(self) -> str | None:
        """The key that names it once."""


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """A case to be run.

    `source` is the file it came from, for messages and the case's row. `env` wins over the environment for
    `${env.X}`; names that the case does not use are left out of the payload. The `idempotency_key` names, together
    with the case, one run for 24 h. `process_env` is False for requests from elsewhere, which must not read the
    environment of the service: then `env` alone counts.

    `attempts` of the job when the infrastructure fails (None: QUEUE_MAX_ATTEMPTS), with `backoff` between them. It
    starts `delay_ms` after it was submitted, or at `run_at` (with a time zone), at the earliest. Runs with one
    `batch_id` (a UUID) are a batch.

    With `repeat` it is run so many times, `every_ms` apart, counted from the first start; all of them are submitted
    at once, with the case as it is then. For what goes on without end there are schedules.
    """

    case: Case
    source: str | None = None
    base_url: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    process_env: bool = True
    config: TestConfig = field(default_factory=TestConfig)
    priority: Priority = Priority.NORMAL
    user_id: str | None = None
    idempotency_key: str | None = None
    attempts: int | None = None
    backoff: Backoff = EXPONENTIAL
    delay_ms: int | None = None
    run_at: datetime | None = None
    batch_id: str | None = None
    repeat: int = 1
    every_ms: int | None = None


@dataclass(frozen=True, kw_only=True)
class SubmittedRun:
    """A run that is on the queue. `created` is False when the idempotency key had been used: it is that run."""

    run_id: str
    job_id: str
    case_name: str
    created: bool = True


@dataclass(frozen=True, kw_only=True)
class SubmittedBatch:
    """Runs that were submitted together."""

    id: str
    runs: tuple[SubmittedRun, ...]
