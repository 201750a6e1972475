"""The registry of schedules: add, get, change, pause, resume, preview and remove them.

Schedulers and people change the same rows. A change is written only if the row still has the revision that was
read; otherwise it is made again on the row as it is then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import uuid4

from qa_queue.auth.tokens import Identity
from qa_queue.errors import ConflictError, InputError, NotFoundError, StoreSchemaError
from qa_queue.errors.validation import nearest
from qa_queue.models import utc_now
from qa_queue.schedules.jobs import check_work
from qa_queue.schedules.policy import with_next_run
from qa_queue.schedules.spec import ScheduleSpec, authorize, read_spec, spec_of
from qa_queue.schedules.times import coming_moments, moments, next_moment
from qa_queue.store.protocol import RunStore, ScheduleStore
from qa_queue.store.schedule_records import ScheduleFields, ScheduleRecord

ATTEMPTS = 20
MOST_PREVIEWED = 100
_TIMING = ("cron", "every", "time_zone", "start_at", "end_at")


def update(
    store: ScheduleStore,
    schedule_id: str,
    change: Callable[[ScheduleRecord], ScheduleRecord],
    known: ScheduleRecord | None = None,
) -> ScheduleRecord:
    """Make a change to the row as it is, however often others change it meanwhile, and return the new row.

    `known` is the row if the caller has read it already. Nothing is written if `change` returns its argument.

    Raises:
        NotFoundError: the schedule does not exist.
        ConflictError: the change gives it the name of another one, or others keep changing it.
        StoreError: the store failed.
    """
    for _ in range(ATTEMPTS):
        row = known or store.get(schedule_id)
        known = None
        if row is None:
            raise NotFoundError(f"there is no schedule {schedule_id!r}.")
        new = change(row)
        if new == row:
            return row
        if store.replace(new):
            return new.model_copy(update={"revision": row.revision + 1})
        check_name(store, new)
    raise ConflictError(f"the schedule {schedule_id!r} is changed by others again and again: try later.")


def check_name(store: ScheduleStore, schedule: ScheduleRecord) -> None:
    """Return if no other schedule has the name of this one.

    Raises:
        ConflictError: another one has it.
    """
    other = store.find(schedule.name)
    if other is not None and other.id != schedule.id:
        raise ConflictError(f"there is a schedule {schedule.name!r} already, {other.id}: choose another name.")


def with_spec(row: ScheduleRecord, spec: ScheduleFields, now: datetime, *, by: Identity | None) -> ScheduleRecord:
    """Return the row with the fields of a spec, and the role and token of the caller who set them, if any. Pure.

    Other times apply from now on: earlier moments are neither missed nor made up for. The same holds for a schedule
    that is resumed, or that continues after its end.

    Raises:
        InputError: the times cannot be read.
    """
    fields = {name: getattr(spec, name) for name in ScheduleFields.model_fields}
    setter = {} if by is None else {"role": by.role, "token_id": by.token_id}
    new = row.model_copy(update={**fields, **setter})
    if any(getattr(new, name) != getattr(row, name) for name in _TIMING):
        new = new.model_copy(update={"anchor_at": now})
        return with_next_run(new, now, next_fire_at=next_moment(new, now))
    if row.paused or row.next_fire_at is None or next_moment(new, now) is None:
        return with_next_run(new, now, next_fire_at=next_moment(new, now))
    return with_next_run(new, now)


def new_schedule(spec: ScheduleSpec, *, schedule_id: str, by: Identity, now: datetime) -> ScheduleRecord:
    """Return the row of a new schedule. Pure."""
    fields = {name: getattr(spec, name) for name in ScheduleFields.model_fields}
    row = ScheduleRecord(
        **fields,
        id=schedule_id,
        anchor_at=now,
        role=by.role,
        token_id=by.token_id,
        created_by=by.name,
        created_at=now,
        updated_at=now,
    )
    return with_next_run(row, now, next_fire_at=next_moment(row, now))


def merge_patch(row: ScheduleRecord, changes: Mapping[str, Any]) -> ScheduleSpec:
    """Return the spec of a row with these fields changed; None resets a field to its default (RFC 7396). Pure.

    Raises:
        InputError: names every field that cannot be used.
    """
    merged = {**spec_of(row), **changes}
    return read_spec({name: value for name, value in merged.items() if value is not None})


def preview_spec(spec: ScheduleFields, now: datetime, number: int = 5) -> list[datetime]:
    """Return the next moments of a schedule that is not stored, without jitter. Pure.

    Raises:
        InputError: the times cannot be read, or `number` is not from 1 to 100.
    """
    _check_previewed(number)
    left = number if spec.max_runs is None else min(number, spec.max_runs)
    return list(islice(moments(spec, anchor=now, after=now), left))


class ScheduleRegistry:
    """The schedules of one store. A `ref` is a schedule's id or its name, `by` is the caller.

    A schedule starts jobs with the role of the caller who last set it, while the caller's token is valid. To add or
    change one, to pause or resume it, the caller needs the role that may start its jobs: both those of the schedule
    as it is and as it becomes.

    Every method raises `StoreError` when the store fails, those with a `ref` `NotFoundError` for an unknown one,
    and those with `by` `ForbiddenError`.
    """

    def __init__(self, store: RunStore, now: Callable[[], datetime] = utc_now) -> None:
        self._store = store
        self._now = now

    def add(self, spec: ScheduleSpec, *, by: Identity) -> ScheduleRecord:
        """Store a new schedule.

        Raises:
            InputError: it could not be started as it is.
            ConflictError: another schedule has its name.
        """
        authorize(spec.queue, by.role)
        row = new_schedule(check_work(self._store, spec), schedule_id=str(uuid4()), by=by, now=self._now())
        while not self._store.schedules.add(row):
            check_name(self._store.schedules, row)
        return row

    def get(self, ref: str) -> ScheduleRecord:
        """Return the schedule of this id or name."""
        found = self._store.schedules.get(ref) or self._store.schedules.find(ref)
        if found is None:
            near = nearest(ref, [one.name for one in self.list_all()])
            hint = f" Did you mean {near!r}?" if near else ""
            raise NotFoundError(f"there is no schedule {ref!r}.{hint}")
        return found

    def list_all(self) -> list[ScheduleRecord]:
        """Return every schedule, by name."""
        return self._store.schedules.list_all()

    def replace(self, ref: str, spec: ScheduleSpec, *, by: Identity) -> ScheduleRecord:
        """Set every field of a schedule; its history stays. Takes effect at once.

        Raises:
            InputError: it could not be started as it is.
            ConflictError: another schedule has its name.
        """
        authorize(spec.queue, by.role)
        row, checked = self.get(ref), check_work(self._store, spec)
        return self._change(row, by, lambda row: with_spec(row, checked, self._now(), by=by))

    def patch(self, ref: str, changes: Mapping[str, Any], *, by: Identity) -> ScheduleRecord:
        """Set these fields only; None resets one to its default.

        Raises:
            InputError, ConflictError: as `replace`.
        """
        row = self.get(ref)
        spec = merge_patch(row, changes)
        authorize(spec.queue, by.role)
        checked = check_work(self._store, spec)
        if "cases" in changes:
            changes = {**changes, "cases": checked.cases}
        return self._change(row, by, lambda row: with_spec(row, merge_patch(row, changes), self._now(), by=by))

    def pause(self, ref: str, *, by: Identity) -> ScheduleRecord:
        """Start nothing until it is resumed; running jobs continue. Does nothing to a paused one."""

        def paused(row: ScheduleRecord) -> ScheduleRecord:
            return row if row.paused else with_next_run(row, self._now(), paused=True)

        return self._change(self.get(ref), by, paused)

    def resume(self, ref: str, *, by: Identity) -> ScheduleRecord:
        """Continue with the next moment from now; those of the pause are not made up for."""

        def resumed(row: ScheduleRecord) -> ScheduleRecord:
            new = row.model_copy(update={"paused": False})
            return with_spec(row, new, self._now(), by=None) if row.paused else row

        return self._change(self.get(ref), by, resumed)

    def remove(self, ref: str) -> ScheduleRecord | None:
        """Delete a schedule; the runs that it started stay, and continue.

        Returns the row; None for one that cannot be read, which can only be removed by its id.
        """
        try:
            row = self.get(ref)
        except StoreSchemaError:
            if not self._store.schedules.remove(ref):
                raise
            return None
        self._store.schedules.remove(row.id)
        return row

    def preview(self, ref: str, number: int = 5) -> list[datetime]:
        """Return its next moments with their jitter; those of a paused schedule as if it resumed now.

        Raises:
            InputError: the times cannot be read, or `number` is not from 1 to 100.
        """
        _check_previewed(number)
        return coming_moments(self.get(ref), self._now(), number)

    def _change(
        self, row: ScheduleRecord, by: Identity, change: Callable[[ScheduleRecord], ScheduleRecord]
    ) -> ScheduleRecord:
        def authorized(row: ScheduleRecord) -> ScheduleRecord:
            authorize(row.queue, by.role)
            new = change(row)
            authorize(new.queue, by.role)
            return new

        return update(self._store.schedules, row.id, authorized, known=row)


def _check_previewed(number: int) -> None:
    if not 1 <= number <= MOST_PREVIEWED:
        raise InputError(f"{number} times cannot be previewed: ask for 1 to {MOST_PREVIEWED}.")
