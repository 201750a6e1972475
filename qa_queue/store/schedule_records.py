"""Schedules as rows, and what a store does with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, Protocol

from pydantic import Field

from qa_queue.models import Frozen, QueueName, Role, RunStatus, TestConfig
from qa_queue.store.records import RunRecord

MOST_CASES = 500
LONGEST_GRACE_S = 7 * 24 * 3600
LONGEST_JITTER_S = 3600


class Overlap(StrEnum):
    """What happens at a moment while what an earlier one started has not ended.

    Kubernetes says Forbid, Allow and Replace; Temporal says Skip, AllowAll and CancelOther.
    """

    SKIP = "skip"
    ALLOW = "allow"
    REPLACE = "replace"


class Missed(StrEnum):
    """What becomes of moments that nobody served in time.

    Nothing, one run for all of them where no other is in time, or one for each.
    """

    SKIP = "skip"
    ONCE = "once"
    ALL = "all"


class ScheduleFields(Frozen):
    """What people set of a schedule."""

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
        default=None, min_length=1, max_length=100, description="Run all cases that bear this tag by then."
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
    max_runs: int | None = Field(default=None, ge=1, le=1_000_000, description="Ends after so many moments.")
    overlap: Overlap = Overlap.SKIP
    missed: Missed = Missed.SKIP
    grace_s: int = Field(
        default=60, ge=1, le=LONGEST_GRACE_S, description="A moment is missed once it is older than so many s."
    )
    jitter_s: int = Field(
        default=0, ge=0, le=LONGEST_JITTER_S, description="Each moment comes up to so many s later."
    )
    priority: Literal["low", "normal", "high", "urgent"] = "normal"
    attempts: int | None = Field(default=None, ge=1, le=25, description="When the infrastructure fails.")
    env: dict[str, str] = Field(default_factory=dict, description="Values of ${env.NAME}; never secrets.")
    base_url: str | None = Field(default=None, pattern=r"^https?://", max_length=2000)
    config: TestConfig = Field(default_factory=TestConfig)
    paused: bool = False


class ScheduleRecord(ScheduleFields):
    """A row of `schedules`: what people set, and behind it what schedulers keep.

    `next_fire_at` is the first moment of which nothing was decided, `next_run_at` when to look at the row (with
    jitter; at once while something is `pending`). `pending` are moments whose start was decided and not confirmed.
    The last start's run (or job) is `last_run_id`, and its batch `last_batch_id`. `revision` counts changes.
    `role` is that of the caller who last set the schedule: it starts only what this role may start.
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
    created_by: str | None = None
    created_at: datetime
    updated_at: datetime


class ScheduleStore(Protocol):
    """Schedules in a store; every method raises what those of `RunStore` raise.

    A row that cannot be read is left out of the lists, and removed by its id like any other.
    """

    def add(self, schedule: ScheduleRecord) -> bool:
        """Insert a schedule; False: its name is taken, and nothing was written."""

    def replace(self, schedule: ScheduleRecord) -> bool:
        """Write a schedule over the row of its id and revision, which counts one up.

        False: the row has changed since, or is gone, or the name is another's; nothing was written.
        """

    def get(self, schedule_id: str) -> ScheduleRecord | None:
        """The schedule, or None."""

    def find(self, name: str) -> ScheduleRecord | None:
        """The schedule of this name, or None."""

    def list_all(self) -> list[ScheduleRecord]:
        """Every schedule, by name."""

    def list_due(self, now: datetime, limit: int = 200) -> list[ScheduleRecord]:
        """Those whose `next_run_at` has come, the longest overdue first."""

    def remove(self, schedule_id: str) -> bool:
        """Delete a schedule; its runs stay. False: there was none."""

    def open_runs(self, runs: Sequence[RunRecord]) -> None:
        """Insert these runs; one that is there stays as it is."""

    def statuses(self, batch_ids: Sequence[str]) -> Mapping[str, Mapping[RunStatus, int]]:
        """How many runs of each status these batches have; a batch without any is left out."""
