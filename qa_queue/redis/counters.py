"""Counters of workers: durations in buckets, outcomes, retries and restarts, kept in Redis.

So the figures outlive every process. They are counted within steps that are sent to Redis anyway. Durations are ms.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

COUNTS_KEY = "qa:counts"  # hash; its fields are made below
OUTCOMES_KEY = "qa:outcomes:"  # and the minute since 1970: a hash of how jobs ended in it, by `<queue>|<outcome>`
OUTCOMES_KEEP_S = 2 * 3600
BROWSER_RESTARTS = "restarts|browser"  # browsers that died and were replaced
_REFUSED = "egress|"
PROCESS_DEATHS = "deaths|process"  # workers' child processes that died

# Upper bounds in ms. A step takes 20 ms where a page answers at once and up to its time-out where it does not; a
# job from a fraction of a second to its own time-out, 10 minutes by default.
STEP_BOUNDS_MS = (10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000)
JOB_BOUNDS_MS = (100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000)
_BOUNDS = {"job": JOB_BOUNDS_MS, "step": STEP_BOUNDS_MS}

FAILED = frozenset({"failed", "timed_out", "dead"})  # outcomes that count as failures


@dataclass(frozen=True, kw_only=True)
class EndedRun:
    """The outcome of a job, and the duration of its last attempt in ms."""

    outcome: str
    ran_ms: int


@dataclass(frozen=True)
class Histogram:
    """Durations of one kind: how many fell into each bucket, the last without a bound, and their sum in ms."""

    labels: tuple[str, str]
    buckets: tuple[int, ...]
    sum_ms: int


def bucket_field(what: str, first: str, second: str, duration_ms: float) -> str:
    """The field that counts a duration; `what` is job (by queue and outcome) or step (by action and status)."""
    return f"{what}|{first}|{second}|{bisect_left(_BOUNDS[what], duration_ms)}"


def sum_field(what: str, first: str, second: str) -> str:
    """The field that adds durations up."""
    return f"{what}|{first}|{second}|ms"


def retries_field(queue: str) -> str:
    """The field that counts the attempts of a queue that were followed by another."""
    return f"retries|{queue}"


def refused_field(rule: str) -> str:
    """The field that counts the connections of runs that a rule refused, such as `own` or `operator`."""
    return f"{_REFUSED}{rule}"


def refused_rules(counts: Iterable[tuple[str, int]]) -> dict[str, int]:
    """The refused connections among the fields of `COUNTS_KEY`, by rule."""
    return {name.removeprefix(_REFUSED): count for name, count in counts if name.startswith(_REFUSED)}


def histograms(what: str, counts: Iterable[tuple[str, int]]) -> list[Histogram]:
    """The histograms of a kind among the fields of `COUNTS_KEY`, by label."""
    size = len(_BOUNDS[what]) + 1
    found: dict[tuple[str, str], tuple[list[int], int]] = {}
    for name, count in counts:
        parts = name.split("|")
        if parts[0] != what or len(parts) != 4:
            continue
        buckets, total = found.get((parts[1], parts[2]), ([0] * size, 0))
        if parts[3] == "ms":
            total += count
        elif parts[3].isdigit() and int(parts[3]) < size:
            buckets[int(parts[3])] += count
        found[parts[1], parts[2]] = (buckets, total)
    return [Histogram(labels, tuple(buckets), total) for labels, (buckets, total) in sorted(found.items())]
