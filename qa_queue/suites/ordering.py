"""The order of tests and their distribution over machines, by past durations. Pure."""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import TypeVar

from qa_queue.errors import InputError

MOST_DURATIONS = 10  # of one case, the newest
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class CaseHistory:
    """Durations of a case's last runs in ms, newest first, and whether the last run failed."""

    durations_ms: tuple[int, ...] = ()
    failed: bool = False

    @property
    def expected_ms(self) -> float | None:
        """The median of the last ten durations; None if there are none."""
        return median(self.durations_ms[:MOST_DURATIONS]) if self.durations_ms else None


UNKNOWN = CaseHistory()


@dataclass(frozen=True)
class Shard:
    """Part `index` of `total` parts, counted from 1."""

    index: int
    total: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Return the shard of `2/4`.

        Raises:
            InputError: the text is not a shard.
        """
        found = re.fullmatch(r"([1-9]\d{0,3})/([1-9]\d{0,3})", text)
        if not found or int(found[1]) > int(found[2]):
            raise InputError(f"--shard {text!r} is not a part of a whole: write 1/4 for the first of four.")
        return cls(int(found[1]), int(found[2]))


def in_order(items: Sequence[T], key: Callable[[T], str], history: Mapping[str, CaseHistory]) -> list[T]:
    """Return the items in the order to start them.

    Those that failed last come first, then those of unknown duration, then the longest; equal ones keep theirs.
    Longest first keeps the end of the last one early (Graham, 1969: at most 4/3 - 1/(3K) of the best possible).
    """

    def rank(item: T) -> tuple[bool, bool, float]:
        known = history.get(key(item), UNKNOWN)
        return not known.failed, known.expected_ms is not None, -(known.expected_ms or 0)

    return sorted(items, key=rank)


def shards(keys: Iterable[str], history: Mapping[str, CaseHistory], total: int) -> list[list[str]]:
    """Distribute keys over `total` parts of about the same duration; the result depends on nothing else.

    The longest goes first to the part with the least; an unknown duration counts as the mean of the known ones.
    """
    known = {key: one for key in keys if (one := history.get(key, UNKNOWN).expected_ms) is not None}
    mean = fmean(known.values()) if known else 1.0
    parts: list[list[str]] = [[] for _ in range(total)]
    loads = [(0.0, number) for number in range(total)]
    for key in sorted(keys, key=lambda one: (-known.get(one, mean), one)):
        load, number = heapq.heappop(loads)
        parts[number].append(key)
        heapq.heappush(loads, (load + known.get(key, mean), number))
    return parts


def makespan(durations: Iterable[float], workers: int) -> float:
    """Return the time until the last of these is done, when each free worker takes the next one."""
    free = [0.0] * workers
    for duration in durations:
        heapq.heapreplace(free, free[0] + duration)
    return max(free)
