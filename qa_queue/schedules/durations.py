"""Intervals as people write them: 15m, 1h30m, 2d. Pure."""

from __future__ import annotations

import re

from qa_queue.errors import InputError

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
