"""Values that a run makes from its seed: `${uuid}`, `${now}` and `${random...}`. Pure.

Each value depends on the seed, the number of the try, the place of the step and the place in the step alone, so
that the same seed gives the same values, whatever other branches of the case do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

GENERATED = ("uuid", "now", "random")
RANDOM = ("int", "email", "word")
MAX_INTEGER = 10**18
_OFFSET = re.compile(r"([+-]\d{1,6})(s|m|h|d|w)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_CALENDAR = ("d", "w")
_DIRECTIVES = frozenset("YymdHIMSfpjaAbBzZ%")
_NOW_TEXT = "write ${now}, ${now:+2d} or ${now:-30m:%d.%m.%Y}"
_FORMATS = {"date": "%Y-%m-%d", "time": "%H:%M:%S", "iso": "iso", "unix": "unix"}
_INT = re.compile(r"\s*(-?\d{1,18})\s*:\s*(-?\d{1,18})\s*")
_ONSETS = ["b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z"]
_VOWELS = ["a", "e", "i", "o", "u"]
_CODAS = ("", "", "n", "r", "s", "l")


@dataclass(frozen=True)
class Seed:
    """The seed of a run, and the time that `${now}` stands for. `str` gives the text that is stored and shown."""

    text: str = ""
    now: datetime = datetime(2000, 1, 1, tzinfo=UTC)

    @classmethod
    def of(cls, given: str | None, *, now: datetime, fresh: str) -> Seed:
        """Return the seed that was given, else a fresh one with the time in it.

        A run with the seed of an earlier run, as in `1f0c3a9d@2026-01-30T09:00:00Z`, repeats its times too.
        """
        if given is None:
            return cls(f"{fresh}@{moment(now, '')}", now.replace(microsecond=0))
        try:
            return cls(given, utc(given.rpartition("@")[2]))
        except ValueError:
            return cls(given, now)

    def __str__(self) -> str:
        return self.text

    def generator(self, attempt: int) -> Generator:
        """Return the generator of a try; each try has values of its own."""
        return Generator(f"{self.text}\n{attempt}", self.now)


@dataclass(frozen=True)
class Generator:
    """The source of generated values at one place of a run; `now` is in the time zone of the case, else in UTC."""

    seed: str
    now: datetime
    place: str = ""

    def in_zone(self, name: str) -> Generator:
        """Return the generator whose times are in this time zone."""
        return replace(self, now=self.now.astimezone(ZoneInfo(name)))

    def at(self, place: str) -> Generator:
        """Return the generator of another place."""
        return replace(self, place=place)

    def value(self, kind: str, name: str, arguments: str, index: int) -> str | int:
        """Return the value of a reference, the one of this index at its place."""
        if kind == "now":
            return moment(self.now, arguments)
        chance = Random(f"{self.seed}\n{self.place}\n{index}")  # noqa: S311 - to be repeated, not to be secret
        match kind, name:
            case "uuid", _:
                return str(UUID(int=chance.getrandbits(128), version=4))
            case _, "int":
                low, high = _bounds(arguments)
                return chance.randint(low, high)
            case _, "email":
                return f"{_word(chance)}.{chance.getrandbits(40):010x}@example.com"
        return _word(chance)


def fault_of(kind: str, name: str, arguments: str) -> str | None:
    """Return what is wrong with a reference to a generated value, and what to write; None if nothing is."""
    match kind, name:
        case "uuid", "" if not arguments:
            return None
        case "now", "":
            return _fault_of_now(arguments)
        case "random", "int":
            return _fault_of_bounds(arguments)
        case "random", "email" | "word" if not arguments:
            return None
    return "is not a value: write ${uuid}, ${now}, ${random.int:1:9}, ${random.email} or ${random.word}"


def moment(now: datetime, arguments: str) -> str | int:
    """Return a time as text: `+2d`, `-30m:%H:%M` or `date` are offset and format; ISO 8601 without them.

    Days and weeks are those of the calendar: the hour stays when the clocks change. Shorter offsets are exact.

    Raises:
        OverflowError: the offset leads out of the years 1 to 9999.
    """
    offset, form = _now_arguments(arguments)
    found = _shifted(now, offset)
    match form:
        case "iso":
            return found.isoformat(timespec="seconds").replace("+00:00", "Z")
        case "unix":
            return int(found.timestamp())
    return found.strftime(form)


def _shifted(now: datetime, offset: str) -> datetime:
    found = _OFFSET.fullmatch(offset)
    if found is None:
        return now
    span = timedelta(**{_UNITS[found[2]]: int(found[1])})
    return now + span if found[2] in _CALENDAR else (now.astimezone(UTC) + span).astimezone(now.tzinfo)


def _now_arguments(arguments: str) -> tuple[str, str]:
    """Return offset and format; ISO 8601 is the default. Both follow a colon; the format may contain colons."""
    first, _, rest = arguments.partition(":")
    offset = first.strip() if _OFFSET.fullmatch(first.strip()) else ""
    form = rest if offset else arguments
    return offset, _FORMATS.get(form.strip(), form) or "iso"


def _fault_of_now(arguments: str) -> str | None:
    _, form = _now_arguments(arguments)
    if form in _FORMATS.values():
        return None
    directives = re.findall("%(.?)", form, re.DOTALL)
    if not directives:
        return f"has {form!r}, which is neither an offset nor a format: {_NOW_TEXT}"
    unknown = next((one for one in directives if one not in _DIRECTIVES), None)
    return None if unknown is None else f"has %{unknown} in its format, which is not known: {_NOW_TEXT}"


def _fault_of_bounds(arguments: str) -> str | None:
    if _INT.fullmatch(arguments) is None:
        return "needs the least and the greatest number: write ${random.int:1:9}"
    low, high = _bounds(arguments)
    return None if low <= high else f"goes from {low} to {high}: put the smaller number first"


def _bounds(arguments: str) -> tuple[int, int]:
    low, _, high = arguments.partition(":")
    return int(low), int(high)


def _word(chance: Random) -> str:
    return "".join(
        chance.choice(_ONSETS) + chance.choice(_VOWELS) + (chance.choice(_CODAS) if last else "")
        for last in (False, False, True)
    )


def utc(text: str) -> datetime:
    """Return an ISO 8601 time; without a zone it is UTC."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
