"""Intervals, time zones, and the moments of a schedule. Pure: the current time is an argument."""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import count, islice, takewhile
from zoneinfo import ZoneInfo, available_timezones

from qa_queue.errors import InputError
from qa_queue.errors.validation import nearest
from qa_queue.schedules.cron import check_cron, cron_moments
from qa_queue.store.schedule_records import ScheduleFields, ScheduleRecord

LONGEST_S = 366 * 24 * 3600
MOST_DUE = 100  # of the newest moments that are served after an absence
FIRST_YEAR, LAST_YEAR = 1970, 9000  # of a date that a schedule may be given
_COUNTED_YEARS = range(2, 9999)  # every zone can represent every moment of these
_TICK = timedelta(microseconds=1)
_LOOK_BACK = tuple(timedelta(minutes=minutes) for minutes in (2, 100, 24 * 60, 31 * 24 * 60, 366 * 24 * 60))
_PARTS = re.compile(r"(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?", re.ASCII)
_SECONDS = (24 * 3600, 3600, 60, 1)
_NOT_PLACES = {"localtime", "Factory"}  # the first differs by machine, the second is a placeholder


def seconds_of(text: str) -> int:
    """Return an interval such as 15m, 1h30m or 2d in whole s, from 1 s to 366 d.

    Raises:
        InputError: it is not an interval, or too short or too long.
    """
    found = _PARTS.fullmatch(text.strip().lower())
    counts = [int(part or 0) for part in found.groups()] if found else []
    seconds = sum(count * unit for count, unit in zip(counts, _SECONDS, strict=False))
    if not text.strip() or found is None:
        raise InputError(
            f"{text!r} is not an interval: write days, hours, minutes and seconds, as 15m, 1h30m or 2d."
        )
    if not 1 <= seconds <= LONGEST_S:
        raise InputError(f"the interval {text!r} is too {'long' if seconds else 'short'}: it may be 1s to 366d.")
    return seconds


def interval_text(seconds: int) -> str:
    """Return an interval as `seconds_of` reads it, in the largest units."""
    parts = []
    for unit, name in zip(_SECONDS, "dhms", strict=True):
        count, seconds = divmod(seconds, unit)
        parts.append(f"{count}{name}" if count else "")
    return "".join(parts) or "0s"


def zone_of(name: str) -> ZoneInfo:
    """Return the IANA time zone of this name, which must match in case.

    Raises:
        InputError: there is no such zone; the message has the nearest name.
    """
    if name not in _zone_names():
        near = _nearest_zone(name)
        hint = f" Did you mean {near}?" if near else ""
        raise InputError(f"there is no time zone {name!r}.{hint} Use a name such as Europe/Berlin or UTC.")
    return ZoneInfo(name)


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones()) - _NOT_PLACES


def _nearest_zone(name: str) -> str | None:
    """Return the zone with the nearest name, else the one with the nearest city, such as for `berlin`."""
    wanted = name.strip().replace(" ", "_")
    if whole := nearest(wanted, sorted(_zone_names()), cutoff=0.8):
        return whole
    cities = {known.rsplit("/", 1)[-1]: known for known in sorted(_zone_names(), reverse=True)}
    city = nearest(wanted, cities, cutoff=0.8)
    return cities[city] if city else None


@contextmanager
def _within_calendar() -> Iterator[None]:
    """Turn the overflow of a date, as only rows of older versions can have, into an `InputError`."""
    try:
        yield
    except OverflowError:
        raise InputError(
            "a date of the schedule is at the end of the calendar, so its times cannot be computed: set start_at "
            f"and end_at to years from {FIRST_YEAR} to {LAST_YEAR}."
        ) from None


def moments(schedule: ScheduleFields, *, anchor: datetime, after: datetime) -> Iterator[datetime]:
    """Yield the moments later than `after`, in UTC, in order and without jitter; there may be no end of them.

    An interval counts from `start_at`, which is then its first moment, else from `anchor`, which is not one.

    Raises:
        InputError: the expression, the interval or the zone cannot be read, or the dates leave the calendar.
    """
    with _within_calendar():
        for moment in _moments(schedule, anchor, after):
            if moment.year not in _COUNTED_YEARS:
                raise OverflowError
            yield moment


def _moments(schedule: ScheduleFields, anchor: datetime, after: datetime) -> Iterator[datetime]:
    start, end = schedule.start_at, schedule.end_at
    after = max(after, start - _TICK) if start else after
    if schedule.every is not None:
        found = _every(seconds_of(schedule.every), start or anchor, after)
    else:
        found = cron_moments(check_cron(schedule.cron or ""), zone_of(schedule.time_zone), after)
    return takewhile(lambda moment: end is None or moment <= end, found)


def _every(seconds: int, anchor: datetime, after: datetime) -> Iterator[datetime]:
    step = timedelta(seconds=seconds)
    start = anchor.astimezone(UTC)
    first = max(0, (after - start) // step + 1)
    return (start + number * step for number in count(first))


def next_moment(schedule: ScheduleRecord, after: datetime) -> datetime | None:
    """Return the first moment later than `after`; None after the last one, or once `max_runs` were started.

    Raises:
        InputError: as `moments`.
    """
    if schedule.max_runs is not None and schedule.fired >= schedule.max_runs:
        return None
    return next(moments(schedule, anchor=schedule.anchor_at, after=after), None)


@_within_calendar()
def coming_moments(schedule: ScheduleRecord, now: datetime, number: int) -> list[datetime]:
    """Return the next moments with their jitter, at most `number`; those of a paused schedule as if it resumed now.

    Raises:
        InputError: as `moments`.
    """
    if schedule.next_fire_at is None and not schedule.paused:
        return []
    left = number if schedule.max_runs is None else min(number, max(0, schedule.max_runs - schedule.fired))
    after = now if schedule.paused or schedule.next_fire_at is None else schedule.next_fire_at - _TICK
    found = islice(moments(schedule, anchor=schedule.anchor_at, after=after), left)
    return [comes_at(schedule, moment) for moment in found]


@_within_calendar()
def comes_at(schedule: ScheduleRecord, moment: datetime) -> datetime:
    """Return the moment plus its jitter, which every process computes alike.

    Raises:
        InputError: it leaves the calendar.
    """
    if not schedule.jitter_s:
        return moment
    drawn = hashlib.sha256(f"{schedule.id}|{moment.astimezone(UTC).isoformat()}".encode()).digest()
    share = int.from_bytes(drawn[:6], "big") / 2**48
    return moment + timedelta(milliseconds=int(share * schedule.jitter_s * 1000))


@_within_calendar()
def due_moments(schedule: ScheduleRecord, now: datetime) -> list[datetime]:
    """Return the moments from `next_fire_at` on that have come, in order: at most the newest `MOST_DUE`.

    They come in their own order: one with a short jitter waits for the one before it.

    Raises:
        InputError: as `moments`.
    """
    first = schedule.next_fire_at
    return [] if first is None else list(_newest(schedule, first, now))


def _newest(schedule: ScheduleRecord, first: datetime, now: datetime) -> deque[datetime]:
    """Return the newest moments from `first` on that have come by `now`.

    Looking back in growing steps avoids counting years of minutes. Each step begins at a moment that has certainly
    come, so none is included while an earlier one is still to come.
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
