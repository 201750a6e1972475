"""Schedules with the outcome of their last start, and the times at which it comes next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, Field

from qa_queue.schedules import last_outcomes, preview_spec
from qa_queue.schedules.times import zone_of
from qa_queue.services.backend import Backend
from qa_queue.store.schedule_records import ScheduleFields, ScheduleRecord


class Schedule(ScheduleRecord):
    """A stored schedule.

    `last_outcome` is that of the last start: running, passed, failed, broken (by the infrastructure), cancelled or
    not started; null before the first one, and once its runs were deleted.
    """

    last_outcome: str | None = None


class Moment(BaseModel):
    """A time of a schedule, in UTC and in its zone."""

    at: datetime
    local: str = Field(examples=["2026-03-29T03:00:00+02:00"])


class Preview(BaseModel):
    """The next times of a schedule; fewer than requested if it ends before."""

    time_zone: str
    times: list[Moment]


def with_outcomes(backend: Backend, rows: Sequence[ScheduleRecord]) -> list[Schedule]:
    """Return these schedules with the outcome of their last start."""
    outcomes = last_outcomes(backend.redis, backend.store, rows)
    return [Schedule(**row.model_dump(), last_outcome=outcomes.get(row.id)) for row in rows]


def preview(backend: Backend, ref: str, count: int) -> Preview:
    """Return the next times of a stored schedule, with its jitter; those of a paused one as if resumed now."""
    row = backend.schedules.get(ref)
    return _preview(row.time_zone, backend.schedules.preview(row.id, count))


def preview_of(spec: ScheduleFields, now: datetime, count: int) -> Preview:
    """Return the times after `now` of a schedule that is not stored, without jitter. Pure.

    Raises:
        InputError: the times cannot be read, or `count` is not 1 to 100.
    """
    return _preview(spec.time_zone, preview_spec(spec, now, count))


def _preview(time_zone: str, moments: Sequence[datetime]) -> Preview:
    zone = zone_of(time_zone)
    times = [Moment(at=moment, local=moment.astimezone(zone).isoformat()) for moment in moments]
    return Preview(time_zone=time_zone, times=times)
