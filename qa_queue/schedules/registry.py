"""Changing a schedule's row that others change too.

The schedules there are: adding, looking, changing, pausing, removing.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import uuid4

from qa_queue.auth.tokens import Identity
from qa_queue.errors import ConflictError, InputError, NotFoundError, StoreSchemaError
from qa_queue.models import Role, utc_now
from qa_queue.schedules.jobs import check_work
from qa_queue.schedules.policy import awake
from qa_queue.schedules.spec import ScheduleSpec, authorize, read_spec, spec_of
from qa_queue.schedules.times import comes_at, moments, next_moment
from qa_queue.store.protocol import RunStore
from qa_queue.store.schedule_records import ScheduleFields, ScheduleRecord, ScheduleStore

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


def edited(row: ScheduleRecord, spec: ScheduleFields, now: datetime, *, role: Role) -> ScheduleRecord:
    """Return the row with new values of the fields that people set, and the role of who set them. Pure.

    Other times count from now on: what they had been before is neither missed nor made up for. The same holds for a
    schedule that goes on after a pause, or after its end.

    Raises:
        InputError: the times cannot be read.
    """
    given = {name: getattr(spec, name) for name in ScheduleFields.model_fields}
    new = row.model_copy(update={**given, "role": role})
    if any(getattr(new, name) != getattr(row, name) for name in _TIMING):
        new = new.model_copy(update={"anchor_at": now})
        return awake(new, now, next_fire_at=next_moment(new, now))
    if row.paused or row.next_fire_at is None or next_moment(new, now) is None:
        return awake(new, now, next_fire_at=next_moment(new, now))
    return awake(new, now)


def fresh(spec: ScheduleSpec, *, schedule_id: str, by: Identity, now: datetime) -> ScheduleRecord:
    """The row of a new schedule. Pure."""
    given = {name: getattr(spec, name) for name in ScheduleFields.model_fields}
    row = ScheduleRecord(
        **given,
        id=schedule_id,
        anchor_at=now,
        role=by.role,
        created_by=by.name,
        created_at=now,
        updated_at=now,
    )
    return awake(row, now, next_fire_at=next_moment(row, now))


MOST_PREVIEWED = 100
_TICK = timedelta(microseconds=1)


class ScheduleRegistry:
    """The schedules of one store. A `ref` is a schedule's id or its name, `by` is the caller.

    A schedule starts jobs with the role of the caller who last set it. To add or change one, to pause or resume it,
    the caller needs the role that may start its jobs: both those of the schedule as it is and as it becomes.

    Every method raises `StoreError` when the store fails, those with a `ref` `NotFoundError` for an unknown one,
    and those with `by` `ForbiddenError`.
    """

    def __init__(self, store: RunStore, now: Callable[[], datetime] = utc_now) -> None:
        self._store = store
        self._now = now

    def add(self, spec: ScheduleSpec, *, by: Identity) -> ScheduleRecord:
        """Store a new schedule.

        Raises:
            InputError: it could not be started as it stands: it says why.
            ConflictError: its name is taken.
        """
        authorize(spec.queue, by.role)
        row = fresh(check_work(self._store, spec), schedule_id=str(uuid4()), by=by, now=self._now())
        while not self._store.schedules.add(row):
            refuse_taken(self._store.schedules, row)
        return row

    def get(self, ref: str) -> ScheduleRecord:
        """The schedule of this id or name."""
        found = self._store.schedules.get(ref) or self._store.schedules.find(ref)
        if found is None:
            names = [one.name for one in self.list_all()]
            nearest = difflib.get_close_matches(ref, names, n=1)
            hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
            raise NotFoundError(f"there is no schedule {ref!r}.{hint}")
        return found

    def list_all(self) -> list[ScheduleRecord]:
        """Every schedule, by name."""
        return self._store.schedules.list_all()

    def replace(self, ref: str, spec: ScheduleSpec, *, by: Identity) -> ScheduleRecord:
        """Put a schedule anew; what has been of it stays. It holds at once.

        Raises:
            InputError: it could not be started as it stands: it says why.
            ConflictError: its name is another's.
        """
        authorize(spec.queue, by.role)
        row, checked = self.get(ref), check_work(self._store, spec)
        return self._changed(row, by, lambda row: edited(row, checked, self._now(), role=by.role))

    def patch(self, ref: str, changes: Mapping[str, Any], *, by: Identity) -> ScheduleRecord:
        """Change these fields alone; None puts one back to what it is when nobody sets it (RFC 7396).

        Raises:
            InputError, ConflictError: as `replace`.
        """
        row = self.get(ref)
        spec = patched(row, changes)
        authorize(spec.queue, by.role)
        checked = check_work(self._store, spec)
        if "cases" in changes:
            changes = {**changes, "cases": checked.cases}
        return self._changed(row, by, lambda row: edited(row, patched(row, changes), self._now(), role=by.role))

    def pause(self, ref: str, *, by: Identity) -> ScheduleRecord:
        """Start nothing any more; what runs goes on. Harmless when asked again."""

        def paused(row: ScheduleRecord) -> ScheduleRecord:
            return row if row.paused else awake(row, self._now(), paused=True)

        return self._changed(self.get(ref), by, paused)

    def resume(self, ref: str, *, by: Identity) -> ScheduleRecord:
        """Go on with the next moment from now; those of the pause are not made up for."""

        def resumed(row: ScheduleRecord) -> ScheduleRecord:
            again = row.model_copy(update={"paused": False})
            return edited(row, again, self._now(), role=row.role) if row.paused else row

        return self._changed(self.get(ref), by, resumed)

    def remove(self, ref: str) -> ScheduleRecord | None:
        """Delete a schedule; runs that it started stay, and go on.

        Returns what it was; None for a row that cannot be read, which only its id removes.
        """
        try:
            row = self.get(ref)
        except StoreSchemaError:
            if not self._store.schedules.remove(ref):
                raise
            return None
        self._store.schedules.remove(row.id)
        return row

    def preview(self, ref: str, count: int = 5) -> list[datetime]:
        """When it comes next, with its jitter; the times of a paused one as if it went on now."""
        row = self.get(ref)
        if row.next_fire_at is None and not row.paused:
            return []
        left = count if row.max_runs is None else min(count, max(0, row.max_runs - row.fired))
        after = self._now() if row.paused or row.next_fire_at is None else row.next_fire_at - _TICK
        found = moments(row, anchor=row.anchor_at, after=after)
        return [comes_at(row, moment) for moment in islice(found, _checked(left, count))]

    def _changed(
        self, row: ScheduleRecord, by: Identity, change: Callable[[ScheduleRecord], ScheduleRecord]
    ) -> ScheduleRecord:
        def authorized(row: ScheduleRecord) -> ScheduleRecord:
            authorize(row.queue, by.role)
            new = change(row)
            authorize(new.queue, by.role)
            return new

        return changed(self._store.schedules, row.id, authorized, known=row)


def previewed(spec: ScheduleFields, now: datetime, count: int = 5) -> list[datetime]:
    """When a schedule that is not stored would come after `now`, without jitter. Pure.

    Raises:
        InputError: the times cannot be read, or `count` is not 1 to 100.
    """
    left = count if spec.max_runs is None else min(count, spec.max_runs)
    return list(islice(moments(spec, anchor=now, after=now), _checked(left, count)))


def patched(row: ScheduleRecord, changes: Mapping[str, Any]) -> ScheduleSpec:
    """What people set of a schedule, with these fields changed. Pure.

    Raises:
        InputError: names every field that cannot be used.
    """
    merged = {**spec_of(row), **changes}
    return read_spec({name: value for name, value in merged.items() if value is not None})


def _checked(left: int, count: int) -> int:
    if not 1 <= count <= MOST_PREVIEWED:
        raise InputError(f"{count} times cannot be previewed: ask for 1 to {MOST_PREVIEWED}.")
    return left
