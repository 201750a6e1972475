"""What workers count: into which bucket a duration falls, and histograms out of the counts again."""

from __future__ import annotations

import pytest

from qa_queue.redis.counters import JOB_BOUNDS_MS, Histogram, bucket_field, histograms, sum_field


@pytest.mark.parametrize(("ms", "bucket"), [(0, 0), (100, 0), (101, 1), (600_000, 11), (600_001, 12)])
def test_a_bound_belongs_to_the_bucket_below_it(ms: int, bucket: int) -> None:
    """As `le` says in Prometheus; what is beyond the last has a bucket of its own."""
    assert bucket_field("job", "q", "failed", ms) == f"job|q|failed|{bucket}"


def test_histograms_come_out_of_the_counts() -> None:
    """Each label on its own; other kinds, and buckets of another version, are passed over."""
    counts = {
        bucket_field("job", "q", "completed", 50): 2,
        bucket_field("job", "q", "completed", 10**9): 1,
        sum_field("job", "q", "completed"): 1100,
        "job|q|completed|99": 5,
        bucket_field("step", "click", "passed", 5): 7,
        "retries|q": 3,
    }
    size = len(JOB_BOUNDS_MS) + 1
    buckets = (2, *(0,) * (size - 2), 1)
    assert histograms("job", counts.items()) == [Histogram(("q", "completed"), buckets, 1100)]
