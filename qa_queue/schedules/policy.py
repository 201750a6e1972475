"""What is to be done about a schedule now. Pure: values in, a decision and the row's next values out."""

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
    """`fires` are the moments to start; `skipped` went by for an overlap, `missed` for their age."""

    fires: tuple[datetime, ...]
    skipped: int
    missed: int
    next_fire_at: datetime | None


def due(schedule: ScheduleRecord, now: datetime, *, busy: bool) -> ScheduleDecision | None:
    """What to do about the moments that have come; None when none has.

    `busy`: what an earlier moment started has not ended.

    Raises:
        InputError: the row's expression, interval or zone cannot be read.
    """
    if schedule.paused:
        return None
    found = due_moments(schedule, now)
    if not found:
        return None
    wanted = _in_time(schedule, found, now)
    fires = _side_by_side(schedule, wanted, busy=busy)[: _left(schedule)]
    fired = schedule.model_copy(update={"fired": schedule.fired + len(fires)})
    return ScheduleDecision(
        fires=tuple(fires),
        skipped=len(wanted) - len(fires),
        missed=len(found) - len(wanted),
        next_fire_at=next_moment(fired, found[-1]),
    )


def needs_busy(schedule: ScheduleRecord) -> bool:
    """Whether a decision depends on what an earlier moment started."""
    return schedule.overlap is Overlap.SKIP and schedule.last_run_id is not None


def claimed(schedule: ScheduleRecord, decision: ScheduleDecision, now: datetime) -> ScheduleRecord:
    """The row once the decision is taken: what is to be started stands in `pending` until it has been."""
    fired = len(decision.fires)
    return awake(
        schedule,
        now,
        pending=schedule.pending + decision.fires,
        fired=schedule.fired + fired,
        skipped=schedule.skipped + decision.skipped,
        missed_runs=schedule.missed_runs + decision.missed,
        next_fire_at=decision.next_fire_at,
    )


def settled(schedule: ScheduleRecord, moment: datetime, now: datetime, **last: Any) -> ScheduleRecord:
    """The row once this moment has been started, or could not be; `last` are the `last_...` columns."""
    left = tuple(one for one in schedule.pending if one != moment)
    return awake(schedule, now, pending=left, last_fire_at=moment, **last)


def awake(schedule: ScheduleRecord, now: datetime, **changes: Any) -> ScheduleRecord:
    """The row with these changes and the `next_run_at` that follows from them."""
    row = schedule.model_copy(update={**changes, "updated_at": now})
    return row.model_copy(update={"next_run_at": _wakes_at(row, now)})


def _wakes_at(row: ScheduleRecord, now: datetime) -> datetime | None:
    if row.pending:
        return now
    if row.paused or row.next_fire_at is None:
        return None
    return comes_at(row, row.next_fire_at)


def _in_time(schedule: ScheduleRecord, found: Sequence[datetime], now: datetime) -> Sequence[datetime]:
    grace = timedelta(seconds=schedule.grace_s)
    came = accumulate((comes_at(schedule, moment) for moment in found), max)  # each waits for the one before it
    fresh = [moment for moment, at in zip(found, came, strict=True) if now - at <= grace]
    if schedule.missed is Missed.ALL or len(fresh) == len(found):
        return found
    return (fresh or found[-1:]) if schedule.missed is Missed.ONCE else fresh


def _side_by_side(schedule: ScheduleRecord, wanted: Sequence[datetime], *, busy: bool) -> Sequence[datetime]:
    if schedule.overlap is Overlap.ALLOW:
        return wanted
    if schedule.overlap is Overlap.SKIP and busy:
        return ()
    return wanted[-1:]


def _left(schedule: ScheduleRecord) -> int | None:
    return None if schedule.max_runs is None else max(0, schedule.max_runs - schedule.fired)
