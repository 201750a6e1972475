"""Decisions about a schedule that is due. Pure: values in, a decision and the row's next values out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any

from qa_queue.schedules.times import comes_at, due_moments, next_moment
from qa_queue.store.schedule_records import Missed, Overlap, ScheduleRecord


@dataclass(frozen=True, kw_only=True)
class ScheduleDecision:
    """The moments to start; `skipped` counts those omitted for an overlap, `missed` those that are too old."""

    fires: tuple[datetime, ...]
    skipped: int
    missed: int
    next_fire_at: datetime | None


def decide(schedule: ScheduleRecord, now: datetime, *, busy: bool) -> ScheduleDecision | None:
    """Return the decision about the moments that have come; None if none has.

    Set `busy` if the runs or the job of an earlier moment have not ended.

    Raises:
        InputError: the row's expression, interval, zone or dates cannot be used.
    """
    if schedule.paused:
        return None
    found = due_moments(schedule, now)
    if not found:
        return None
    wanted = _in_time(schedule, found, now)
    fires = _without_overlap(schedule, wanted, busy=busy)[: _left(schedule)]
    fired = schedule.model_copy(update={"fired": schedule.fired + len(fires)})
    return ScheduleDecision(
        fires=tuple(fires),
        skipped=len(wanted) - len(fires),
        missed=len(found) - len(wanted),
        next_fire_at=next_moment(fired, found[-1]),
    )


def depends_on_last(schedule: ScheduleRecord) -> bool:
    """Return whether a decision depends on the end of what an earlier moment started."""
    return schedule.overlap is Overlap.SKIP and schedule.last_run_id is not None


def with_decision(schedule: ScheduleRecord, decision: ScheduleDecision, now: datetime) -> ScheduleRecord:
    """Return the row after a decision: its moments are `pending` until their start is confirmed."""
    return with_next_run(
        schedule,
        now,
        pending=schedule.pending + decision.fires,
        fired=schedule.fired + len(decision.fires),
        skipped=schedule.skipped + decision.skipped,
        missed_runs=schedule.missed_runs + decision.missed,
        next_fire_at=decision.next_fire_at,
    )


def with_start(schedule: ScheduleRecord, moment: datetime, now: datetime, **last: Any) -> ScheduleRecord:
    """Return the row after the start of a pending moment, or the failure to; `last` are the `last_...` columns."""
    left = tuple(one for one in schedule.pending if one != moment)
    return with_next_run(schedule, now, pending=left, last_fire_at=moment, **last)


def with_next_run(schedule: ScheduleRecord, now: datetime, **changes: Any) -> ScheduleRecord:
    """Return the row with these changes, and the `next_run_at` that follows from them."""
    row = schedule.model_copy(update={**changes, "updated_at": now})
    return row.model_copy(update={"next_run_at": _next_run_at(row, now)})


def _next_run_at(row: ScheduleRecord, now: datetime) -> datetime | None:
    if row.pending:
        return now
    if row.paused or row.next_fire_at is None:
        return None
    return comes_at(row, row.next_fire_at)


def _in_time(schedule: ScheduleRecord, found: Sequence[datetime], now: datetime) -> Sequence[datetime]:
    """Return the moments that are not missed, or that are made up for."""
    grace = timedelta(seconds=schedule.grace_s)
    came = accumulate((comes_at(schedule, moment) for moment in found), max)  # each waits for the one before it
    fresh = [moment for moment, at in zip(found, came, strict=True) if now - at <= grace]
    if schedule.missed is Missed.ALL or len(fresh) == len(found):
        return found
    return (fresh or found[-1:]) if schedule.missed is Missed.ONCE else fresh


def _without_overlap(schedule: ScheduleRecord, wanted: Sequence[datetime], *, busy: bool) -> Sequence[datetime]:
    if schedule.overlap is Overlap.ALLOW:
        return wanted
    if schedule.overlap is Overlap.SKIP and busy:
        return ()
    return wanted[-1:]


def _left(schedule: ScheduleRecord) -> int | None:
    return None if schedule.max_runs is None else max(0, schedule.max_runs - schedule.fired)
