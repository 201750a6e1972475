"""Intervals as people write them: 15m, 1h30m, 2d. Pure.

IANA time zones by name.

The moments of a schedule. Pure: the present is an argument.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import count, takewhile
from zoneinfo import ZoneInfo, available_timezones

from qa_queue.errors import InputError
from qa_queue.schedules.cron import check_cron, cron_moments
from qa_queue.store.schedule_records import ScheduleFields, ScheduleRecord

LONGEST_S = 366 * 24 * 3600
_PARTS = re.compile(r"(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?", re.ASCII)
_SECONDS = (24 * 3600, 3600, 60, 1)


def seconds_of(text: str) -> int:
    """The whole seconds of an interval, 1 s to 366 d.

    Raises:
        InputError: it is none, or too short or too long.
    """
    found = _PARTS.fullmatch(text.strip().lower())
    counts = [int(part or 0) for part in found.groups()] if found else []
    seconds = sum(count * unit for count, unit in zip(counts, _SECONDS, strict=False))
    if not text.strip() or found is None:
        raise InputError(f"{text!r} is no interval: write days, hours, minutes and seconds, as 15m, 1h30m or 2d.")
    if not 1 <= seconds <= LONGEST_S:
        raise InputError(f"the interval {text!r} is too {'long' if seconds else 'short'}: it may be 1s to 366d.")
    return seconds


def duration(seconds: int) -> str:
    """An interval as `seconds_of` reads it, in the largest units."""
    parts = []
    for unit, name in zip(_SECONDS, "dhms", strict=True):
        count, seconds = divmod(seconds, unit)
        parts.append(f"{count}{name}" if count else "")
    return "".join(parts) or "0s"


_NO_PLACES = {"localtime", "Factory"}  # what the first means is another on each machine, and the second nothing


def zone_of(name: str) -> ZoneInfo:
    """The zone of this name; names are matched as they are written.

    Raises:
        InputError: there is none; it says the nearest name.
    """
    if name not in _names():
        nearest = _nearest(name)
        hint = f" Did you mean {nearest}?" if nearest else ""
        raise InputError(f"there is no time zone {name!r}.{hint} Use a name such as Europe/Berlin or UTC.")
    return ZoneInfo(name)


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    return frozenset(available_timezones()) - _NO_PLACES


def _nearest(name: str) -> str | None:
    """By the whole name, else by the city alone: people write `berlin`."""
    whole = {known.lower(): known for known in sorted(_names())}
    cities = {known.rsplit("/", 1)[-1].lower(): known for known in sorted(_names(), reverse=True)}
    wanted = name.strip().lower().replace(" ", "_")
    for names in (whole, cities):
        if found := difflib.get_close_matches(wanted, names, n=1, cutoff=0.8):
            return names[found[0]]
    return None


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
