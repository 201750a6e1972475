"""Schedules as rows."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from qa_queue.models import Frozen, QueueName, Role, TestConfig

MOST_CASES = 500
LONGEST_GRACE_S = 7 * 24 * 3600
LONGEST_JITTER_S = 3600


class Overlap(StrEnum):
    """The policy for a moment while the runs or the job of an earlier one have not ended.

    Kubernetes calls these Forbid, Allow and Replace; Temporal calls them Skip, AllowAll and CancelOther.
    """

    SKIP = "skip"
    ALLOW = "allow"
    REPLACE = "replace"


class Missed(StrEnum):
    """The policy for missed moments: none is made up for, one run is for all if no other is in time, or each is."""

    SKIP = "skip"
    ONCE = "once"
    ALL = "all"


class ScheduleFields(Frozen):
    """The fields that people set of a schedule."""

    name: str = Field(min_length=1, max_length=100, examples=["nightly"])
    queue: str = Field(
        default=QueueName.TEST_EXECUTION.value,
        max_length=100,
        description="test-execution runs cases; another queue gets a job with `data` as its payload.",
        examples=["test-execution"],
    )
    cases: tuple[str, ...] = Field(
        default=(), max_length=MOST_CASES, description="Stored cases by id or name, run as one batch."
    )
    tag: str | None = Field(
        default=None, min_length=1, max_length=100, description="Run all cases that have this tag at that time."
    )
    data: dict[str, Any] = Field(default_factory=dict, description="The payload of a job of another queue.")
    cron: str | None = Field(
        default=None,
        max_length=200,
        description="Five fields, or one of @hourly, @daily, @weekly, @monthly and @yearly.",
        examples=["30 2 * * mon-fri"],
    )
    every: str | None = Field(
        default=None, max_length=30, description="An interval instead of cron, such as 15m or 1h30m."
    )
    time_zone: str = Field(default="UTC", max_length=100, examples=["Europe/Berlin"])
    start_at: datetime | None = Field(default=None, description="Intervals count from it; no moment is before it.")
    end_at: datetime | None = Field(default=None, description="No moment after this one.")
    max_runs: int | None = Field(
        default=None, ge=1, le=1_000_000, description="The schedule ends after this number of moments."
    )
    overlap: Overlap = Overlap.SKIP
    missed: Missed = Missed.SKIP
    grace_s: int = Field(
        default=60, ge=1, le=LONGEST_GRACE_S, description="A moment counts as missed once it is older, in s."
    )
    jitter_s: int = Field(
        default=0, ge=0, le=LONGEST_JITTER_S, description="The most by which each moment is delayed, in s."
    )
    priority: Literal["low", "normal", "high", "urgent"] = "normal"
    attempts: int | None = Field(default=None, ge=1, le=25, description="Attempts, if the infrastructure fails.")
    env: dict[str, str] = Field(default_factory=dict, description="Values of ${env.NAME}; never secrets.")
    base_url: str | None = Field(default=None, pattern=r"^https?://", max_length=2000)
    config: TestConfig = Field(default_factory=TestConfig)
    paused: bool = False


class ScheduleRecord(ScheduleFields):
    """A row of `schedules`: the fields that people set, followed by those of the schedulers.

    `next_fire_at` is the first moment without a decision, `next_run_at` the time to serve the row (with jitter; at
    once while moments are `pending`). `pending` are moments whose start is decided and not confirmed. `last_run_id`
    is the run or job of the last start, `last_batch_id` its batch. `revision` counts changes.
    `role` is that of the caller who last set the schedule: it starts only what this role may start. Once the
    caller's token, `token_id`, is not valid, it starts nothing; None is a caller without one, as at a command line.
    """

    id: str
    revision: int = 1
    anchor_at: datetime
    next_fire_at: datetime | None = None
    next_run_at: datetime | None = None
    pending: tuple[datetime, ...] = ()
    fired: int = 0
    skipped: int = 0
    missed_runs: int = 0
    last_fire_at: datetime | None = None
    last_batch_id: str | None = None
    last_run_id: str | None = None
    last_error: str | None = None
    role: Role
    token_id: str | None = None
    created_by: str | None = None
    created_at: datetime
    updated_at: datetime
