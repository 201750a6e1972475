"""IANA time zones by name."""

from __future__ import annotations

import difflib
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from qa_queue.errors import InputError

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
