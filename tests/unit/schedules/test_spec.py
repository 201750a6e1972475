"""What may be asked of a schedule."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from qa_queue.errors import InputError
from qa_queue.schedules import ScheduleSpec, previewed, read_spec


def spec(**values: object) -> ScheduleSpec:
    return read_spec({"name": "nightly", "tag": "smoke", **values})


def test_a_jitter_is_refused_that_is_much_longer_than_the_interval() -> None:
    """Ten times as long is the most; what is wrong is said with the numbers."""
    assert spec(every="30s", jitter_s=300).jitter_s == 300
    assert spec(cron="* * * * *", jitter_s=3600).jitter_s == 3600
    with pytest.raises(InputError, match=r"jitter_s 301 is too long for every 30s: it may be 300 at most"):
        spec(every="30s", jitter_s=301)


@pytest.mark.parametrize("field", ["start_at", "end_at"])
@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z"])
def test_a_date_is_refused_with_which_no_times_can_be_reckoned(field: str, moment: str) -> None:
    """Rather than failing later."""
    with pytest.raises(InputError, match=f"{field}: a date has a year from 1970 to 9000"):
        spec(every="1m", **{field: moment})


@pytest.mark.parametrize("timing", [{"every": "366d"}, {"cron": "@yearly", "time_zone": "Pacific/Kiritimati"}])
@pytest.mark.parametrize("start", ["1970-01-01T00:00:00+14:00", "9000-12-31T23:59:59-12:00"])
def test_times_can_be_reckoned_from_the_first_and_the_last_date(timing: dict[str, str], start: str) -> None:
    """In any zone."""
    asked = spec(**timing, start_at=start)
    assert len(previewed(asked, datetime(2026, 1, 1, tzinfo=UTC), 3)) == 3
