"""Requests to submit runs and jobs, and what was submitted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from pydantic import BaseModel

from qa_queue.cases.model import Case
from qa_queue.models import Backoff, Priority, TestConfig
from qa_queue.models.results import run_title
from qa_queue.models.values import EXPONENTIAL


class Timed(Protocol):
    """The fields of every request on when its job runs, and how often."""

    @property
    def attempts(self) -> int | None:
        """The number of attempts when the infrastructure fails."""

    @property
    def delay_ms(self) -> int | None:
        """The time from the submission to the earliest start."""

    @property
    def run_at(self) -> datetime | None:
        """The earliest start."""

    @property
    def idempotency_key(self) -> str | None:
        """The key under which one job is submitted, however often it is requested."""


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """A case to run.

    `source` is the file it came from, for messages and the case's row. `env` overrides the environment for
    `${env.X}`; names that the case does not use are left out of the payload. The `idempotency_key` identifies,
    together with the case, one run until 24 h after its end. `process_env` is False for requests from other
    machines, which must not read the environment of the service: then only `env` counts.

    `attempts` of the job when the infrastructure fails (None: QUEUE_MAX_ATTEMPTS), with `backoff` between them. It
    starts `delay_ms` after the submission, or at `run_at` (with a time zone), at the earliest. Runs with one
    `batch_id` (a UUID) are a batch; none of them begins once `max_failures` of them have failed.

    A case with rows of data runs once for each of them, or with `data_row`, `{"name": ..., "values": {...}}`, for
    that one. `seed` is that of generated values. With `allowed_hosts` the run reaches those hosts only.

    With `repeat` the case runs this number of times, `every_ms` apart, counted from the first start; all runs are
    submitted at once, with the case as it is then. For an unlimited number there are schedules.
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
    max_failures: int | None = None
    data_row: dict[str, Any] | None = None
    seed: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    repeat: int = 1
    every_ms: int | None = None

    @property
    def title(self) -> str:
        """The name of the case, with that of its row."""
        return run_title(self.case.name, self.data_row)

    @property
    def label(self) -> str:
        """The name of the request in messages: its file, else its case."""
        return self.source or self.case.name


@dataclass(frozen=True, kw_only=True)
class JobRequest:
    """A job of any other queue; `data` is a value of the queue's payload model, or what the model can read.

    `name` is shown to people. The `idempotency_key` identifies, together with the queue, one job until 24 h after
    its end. For `attempts`, `backoff` and `timeout_s` None takes the queue's. `metadata` is stored beside the
    payload. The other fields are as in `RunRequest`.
    """

    data: BaseModel | Mapping[str, Any]
    name: str = ""
    idempotency_key: str | None = None
    priority: Priority = Priority.NORMAL
    attempts: int | None = None
    backoff: Backoff | None = None
    timeout_s: int | None = None
    delay_ms: int | None = None
    run_at: datetime | None = None
    limit_keys: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SubmittedRun:
    """A run on its queue. `created` is False when an earlier submission with the idempotency key had created it."""

    run_id: str
    job_id: str
    case_name: str
    created: bool = True


@dataclass(frozen=True, kw_only=True)
class SubmittedJob:
    """A job on its queue. `created` is False when an earlier submission with the idempotency key had created it."""

    job_id: str
    queue: str
    created: bool = True


@dataclass(frozen=True, kw_only=True)
class SubmittedBatch:
    """Runs that were submitted together."""

    id: str
    runs: tuple[SubmittedRun, ...]
