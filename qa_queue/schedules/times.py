"""The moments of a schedule. Pure: the present is an argument."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count, takewhile

from qa_queue.schedules.cron import check_cron, cron_moments
from qa_queue.schedules.durations import seconds_of
from qa_queue.schedules.zones import zone_of
from qa_queue.store.schedules import ScheduleFields, ScheduleRecord

MOST_DUE = 100  # of the newest moments that are looked at when many have gone by
_TICK = timedelta(microseconds=1)
_LOOK_BACK = tuple(timedelta(minutes=minutes) for minutes in (2, 100, 24 * 60, 31 * 24 * 60, 366 * 24 * 60))


def moments(schedule: ScheduleFields, *, anchor: datetime, after: datetime) -> Iterator[datetime]:
    """The moments later than `after`, in UTC and in order, without jitter; they may be none, some, or endless.

    An interval counts from `start_at`, which is its first moment, else from `anchor`, which is none.

    Raises:
        InputError: the expression, the interval or the zone cannot be read.
    """
    start, end = schedule.start_at, schedule.end_at
    after = max(after, start - _TICK) if start else after
    if schedule.every is not None:
        found = _every(seconds_of(schedule.every), start or anchor, after)
    else:
        found = cron_moments(check_cron(schedule.cron or ""), zone_of(schedule.time_zone), after)
    return takewhile(lambda moment: end is None or moment <= end, found)


def next_moment(schedule: ScheduleRecord, after: datetime) -> datetime | None:
    """The first moment later than `after`; None when there is none, or as many as wanted have been.

    Raises:
        InputError: as `moments`.
    """
    if schedule.max_runs is not None and schedule.fired >= schedule.max_runs:
        return None
    return next(moments(schedule, anchor=schedule.anchor_at, after=after), None)


def comes_at(schedule: ScheduleRecord, moment: datetime) -> datetime:
    """When a moment comes: at once, or later by its jitter, which is the same for whoever asks."""
    if not schedule.jitter_s:
        return moment
    drawn = hashlib.sha256(f"{schedule.id}|{moment.astimezone(UTC).isoformat()}".encode()).digest()
    share = int.from_bytes(drawn[:6], "big") / 2**48
    return moment + timedelta(milliseconds=int(share * schedule.jitter_s * 1000))


def due_moments(schedule: ScheduleRecord, now: datetime) -> list[datetime]:
    """The moments from `next_fire_at` on that have come, in order: at most the newest `MOST_DUE`.

    They come in the order of the clock: one whose jitter is short waits for the one before it.

    Raises:
        InputError: as `moments`.
    """
    first = schedule.next_fire_at
    if first is None:
        return []
    return list(_newest(schedule, first, now))


def _newest(schedule: ScheduleRecord, first: datetime, now: datetime) -> deque[datetime]:
    """The newest moments from `first` on that have come by `now`.

    Looking back further and further spares counting years of minutes. Each look begins where all have come for
    sure, so that none is passed by of which an earlier one is still to come.
    """
    newest: deque[datetime] = deque(maxlen=MOST_DUE)
    latest = now - timedelta(seconds=schedule.jitter_s)
    for span in (*_LOOK_BACK, now - first + _TICK):
        after = max(first - _TICK, latest - span)
        every = moments(schedule, anchor=schedule.anchor_at, after=after)
        newest = deque(takewhile(lambda moment: comes_at(schedule, moment) <= now, every), maxlen=MOST_DUE)
        if len(newest) == MOST_DUE or after < first:
            break
    return newest


def _every(seconds: int, anchor: datetime, after: datetime) -> Iterator[datetime]:
    step = timedelta(seconds=seconds)
    start = anchor.astimezone(UTC)
    first = max(0, (after - start) // step + 1)
    return (start + number * step for number in count(first))
