"""What may be asked of a schedule."""

from __future__ import annotations

import pytest

from qa_queue.errors import InputError
from qa_queue.schedules import ScheduleSpec, read_spec


def spec(**values: object) -> ScheduleSpec:
    return read_spec({"name": "nightly", "tag": "smoke", **values})


def test_a_jitter_is_refused_that_is_much_longer_than_the_interval() -> None:
    """Ten times as long is the most; what is wrong is said with the numbers."""
    assert spec(every="30s", jitter_s=300).jitter_s == 300
    assert spec(cron="* * * * *", jitter_s=3600).jitter_s == 3600
    with pytest.raises(InputError, match=r"jitter_s 301 is too long for every 30s: it may be 300 at most"):
        spec(every="30s", jitter_s=301)
