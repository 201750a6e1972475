"""The order of tests, and their distribution over machines."""

from __future__ import annotations

import random

import pytest

from qa_queue.errors import InputError
from qa_queue.suites.ordering import CaseHistory, Shard, in_order, makespan, shards

HOUR_MS = 3_600_000


def known(*durations: int, failed: bool = False) -> CaseHistory:
    return CaseHistory(durations_ms=durations, failed=failed)


def test_failed_ones_come_first_then_unknown_ones_then_the_longest() -> None:
    """Equal ones keep their order."""
    history = {
        "short": known(10),
        "long": known(90),
        "failed": known(1, failed=True),
        "median": known(50, 1_000, 40),
        "same": known(10),
    }
    items = ["short", "same", "median", "new", "long", "failed", "other"]
    assert in_order(items, str, history) == ["failed", "new", "other", "long", "median", "short", "same"]


def test_only_the_last_ten_durations_count() -> None:
    """A test that became faster is a fast one."""
    assert known(*[5] * 10, *[900] * 90).expected_ms == 5
    assert known().expected_ms is None


def skewed(seed: int) -> list[int]:
    """Durations of 94 files as a real suite has them: most take seconds, a few take minutes (ms)."""
    rng = random.Random(seed)
    return [round(min(240_000, 2_000 * rng.paretovariate(1.1))) for _ in range(94)]


@pytest.mark.parametrize("workers", [2, 4, 8, 16])
@pytest.mark.parametrize("seed", range(20))
def test_longest_first_ends_within_5_percent_of_the_best_possible(workers: int, seed: int) -> None:
    """The best possible is the longer of an equal share and the longest file; the order of collection misses it."""
    durations = skewed(seed)
    history = {str(number): known(duration) for number, duration in enumerate(durations)}
    ordered = [durations[int(key)] for key in in_order(list(history), str, history)]
    best = max(sum(durations) / workers, *durations)
    assert makespan(ordered, workers) <= 1.05 * best
    assert makespan(ordered, workers) <= makespan(sorted(durations), workers)


@pytest.mark.parametrize("total", [1, 2, 4, 7])
def test_shards_hold_every_test_once_and_are_balanced(total: int) -> None:
    """Whatever the order in which a machine collected them."""
    history = {str(number): known(duration) for number, duration in enumerate(skewed(1))}
    keys = [*history, *(f"new-{number}" for number in range(20))]
    parts = shards(keys, history, total)
    assert sorted(key for part in parts for key in part) == sorted(keys)
    assert shards(list(reversed(keys)), history, total) == parts
    loads = [sum(history[key].expected_ms or 0 for key in part if key in history) for part in parts]
    assert max(loads) <= max(1.2 * sum(loads) / total, *(one.expected_ms or 0 for one in history.values()))


@pytest.mark.parametrize("text", ["0/4", "5/4", "1", "a/b", "1/0", "", "1/4/2"])
def test_a_shard_that_cannot_be_is_refused(text: str) -> None:
    """With the form to write."""
    with pytest.raises(InputError, match="write 1/4"):
        Shard.parse(text)
    assert Shard.parse("2/4") == Shard(2, 4)
