"""Changing a schedule's row that others change too."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from qa_queue.errors import ConflictError, NotFoundError
from qa_queue.schedules.decide import awake
from qa_queue.schedules.spec import ScheduleSpec
from qa_queue.schedules.times import next_moment
from qa_queue.store.schedules import ScheduleFields, ScheduleRecord, ScheduleStore

TRIES = 20
_TIMING = ("cron", "every", "time_zone", "start_at", "end_at")


def changed(
    store: ScheduleStore,
    schedule_id: str,
    change: Callable[[ScheduleRecord], ScheduleRecord],
    known: ScheduleRecord | None = None,
) -> ScheduleRecord:
    """Make a change to the row as it stands, however often others change it in between; returns the row then.

    `known` is the row as the caller has read it, which spares reading it first. A change that gives back what it
    was given is none, and nothing is written.

    Raises:
        NotFoundError: the schedule is gone.
        ConflictError: the change gives it the name of another one, or others never left off.
        StoreError: the store failed.
    """
    for _ in range(TRIES):
        row = known or store.get(schedule_id)
        known = None
        if row is None:
            raise NotFoundError(f"there is no schedule {schedule_id!r}.")
        new = change(row)
        if new == row:
            return row
        if store.replace(new):
            return new.model_copy(update={"revision": row.revision + 1})
        refuse_taken(store, new)
    raise ConflictError(f"the schedule {schedule_id!r} is being changed by others all the time: try again.")


def refuse_taken(store: ScheduleStore, schedule: ScheduleRecord) -> None:
    """Return if the name of this schedule is no other's.

    Raises:
        ConflictError: it is.
    """
    other = store.find(schedule.name)
    if other is not None and other.id != schedule.id:
        raise ConflictError(f"there is a schedule {schedule.name!r} already, {other.id}: choose another name.")


def edited(row: ScheduleRecord, spec: ScheduleFields, now: datetime) -> ScheduleRecord:
    """The row with what people set of it put anew. Pure.

    Other times count from now on: what they had been before is neither missed nor made up for. The same holds for a
    schedule that goes on after a pause, or after its end.

    Raises:
        InputError: the times cannot be read.
    """
    given = {name: getattr(spec, name) for name in ScheduleFields.model_fields}
    new = row.model_copy(update=given)
    if any(getattr(new, name) != getattr(row, name) for name in _TIMING):
        new = new.model_copy(update={"anchor_at": now})
        return awake(new, now, next_fire_at=next_moment(new, now))
    if row.paused or row.next_fire_at is None or next_moment(new, now) is None:
        return awake(new, now, next_fire_at=next_moment(new, now))
    return awake(new, now)


def fresh(spec: ScheduleSpec, *, schedule_id: str, by: str | None, now: datetime) -> ScheduleRecord:
    """The row of a new schedule. Pure."""
    given = {name: getattr(spec, name) for name in ScheduleFields.model_fields}
    row = ScheduleRecord(**given, id=schedule_id, anchor_at=now, created_by=by, created_at=now, updated_at=now)
    return awake(row, now, next_fire_at=next_moment(row, now))
