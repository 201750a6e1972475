"""Cron expressions: their check, and the moments that they stand for. Pure.

The engine is cronsim, which follows Debian's cron, also where clocks change:

- An expression with a fixed hour and minute (neither begins with `*`) comes once on each day that it names: a time
  that the clocks skip comes at the end of the gap, and one that occurs twice comes the first time.
- Any other expression follows local time: a skipped time does not come, and one that occurs twice comes twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from qa_queue.errors import InputError

ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_FIELDS = (
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of the month", "1 to 31, L for the last one or LW for the last weekday"),
    ("month", "1 to 12 or jan to dec"),
    ("day of the week", "0 to 7 (0 and 7 are Sunday), sun to sat, fri#2 for the second Friday or 5L for the last"),
)
_ANY_DAY = datetime(2000, 1, 1)  # local time


def check_cron(expression: str) -> str:
    """Return the five fields of an expression, also of an alias such as @daily.

    Raises:
        InputError: names the field that cannot be used and the allowed values.
    """
    text = expression.strip()
    fields = ALIASES.get(text.lower(), text).split()
    if text.startswith("@") and text.lower() not in ALIASES:
        raise InputError(f"cron {expression!r} is not known: there are {', '.join(ALIASES)}, or write five fields.")
    if len(fields) != len(_FIELDS):
        raise InputError(
            f"cron {expression!r} has {len(fields)} fields: it needs five, for minute, hour, day of the month, "
            "month and day of the week, such as '30 2 * * mon-fri'."
        )
    for position, field in enumerate(fields):
        if not _valid(field, position):
            raise InputError(_explain(expression, field, position))
    if not _ever(fields):
        raise InputError(f"cron {expression!r} never comes: no month that it names has such a day.")
    return " ".join(fields)


def cron_moments(expression: str, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """Yield the moments of a checked expression that are later than `after`, in UTC and in order; they may end."""
    last = after.astimezone(UTC)
    # Within an hour that occurs twice, local time goes back behind `after`: such moments are skipped.
    for moment in CronSim(expression, after.astimezone(zone)):
        if (found := moment.astimezone(UTC)) > last:
            last = found
            yield found


def _valid(field: str, position: int) -> bool:
    fields = ["*"] * len(_FIELDS)
    fields[position] = field
    try:
        CronSim(" ".join(fields), _ANY_DAY)
    except CronSimError:
        return False
    return True


def _ever(fields: list[str]) -> bool:
    try:
        return next(CronSim(" ".join(fields), _ANY_DAY), None) is not None
    except CronSimError:
        return False


def _explain(expression: str, field: str, position: int) -> str:
    name, allowed = _FIELDS[position]
    return (
        f"cron {expression!r}: {field!r} cannot be the {name} (field {position + 1}). Allowed are {allowed}, * for "
        "each, lists (1,15), ranges (1-5) and steps (*/10)."
    )
