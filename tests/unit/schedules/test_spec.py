"""Zones, intervals, and the fields of a schedule."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_queue.errors import InputError
from qa_queue.schedules import ScheduleSpec, preview_spec, read_spec
from qa_queue.schedules.spec import spec_of
from qa_queue.schedules.times import LONGEST_S, interval_text, seconds_of, zone_of
from tests.support.schedules import schedule_record


@pytest.mark.parametrize(
    ("given", "nearest"),
    [
        ("Europe/Berln", "Europe/Berlin"),
        ("berlin", "Europe/Berlin"),
        ("new york", "America/New_York"),
        ("utc", "UTC"),
    ],
)
def test_an_unknown_zone_is_reported_with_the_nearest(given: str, nearest: str) -> None:
    """Mistyped, or the city alone."""
    with pytest.raises(InputError, match=f"Did you mean {nearest}\\?"):
        zone_of(given)


@pytest.mark.parametrize(
    "given", ["", "Mars/Olympus_Mons", "localtime", "../../etc/passwd", "/etc/localtime", "a\0b"]
)
def test_a_name_that_is_not_a_zone_is_refused(given: str) -> None:
    """Also one that would be a path."""
    with pytest.raises(InputError, match="there is no time zone"):
        zone_of(given)


@pytest.mark.parametrize(
    ("text", "seconds"), [("15m", 900), ("1h30m", 5400), ("90s", 90), ("2D", 172_800), ("1s", 1)]
)
def test_an_interval_is_read(text: str, seconds: int) -> None:
    """In seconds."""
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "15", "m", "15 min", "1m1h", "-5m", "0s", "367d", "1.5h", "٣m"])
def test_a_text_that_is_not_an_interval_is_refused(text: str) -> None:
    """With how to write one, or how long it may be."""
    with pytest.raises(InputError, match=r"write days|may be 1s to 366d"):
        seconds_of(text)


@given(st.integers(1, LONGEST_S))
def test_an_interval_is_written_as_it_is_read(seconds: int) -> None:
    """There and back."""
    assert seconds_of(interval_text(seconds)) == seconds


def spec(**changes: Any) -> dict[str, Any]:
    return {"name": "nightly", "tag": "smoke", "cron": "@daily"} | changes


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"every": "15m"}, "give either cron or every"),
        ({"cron": None}, "give either cron or every"),
        ({"cron": "61 * * * *"}, "cron: cron '61 * * * *': '61' cannot be the minute"),
        ({"time_zone": "Berlin"}, "time_zone: there is no time zone 'Berlin'. Did you mean Europe/Berlin?"),
        ({"tag": None}, "give either cases or tag"),
        ({"cases": ["x"]}, "give either cases or tag"),
        ({"queue": "cleanup"}, "cases and tag are for test-execution; cleanup takes data"),
        ({"start_at": "2026-01-08T12:00:00"}, "start_at: a date needs a time zone"),
        ({"start_at": "2026-01-08T12:00Z", "end_at": "2026-01-08T12:00Z"}, "end_at must be later than start_at"),
        ({"env": {"QA_SECRET_PASSWORD": "x"}}, "QA_SECRET_PASSWORD is a secret"),
        ({"name": " nightly"}, "one line of text without blanks"),
        ({"name": "a\nb"}, "one line of text"),
        ({"overlap": "never"}, "overlap: 'never' is not one of skip, allow, replace"),
        ({"max_runs": 0}, "max_runs: 0 is out of range: 1 to 1000000"),
        ({"colour": "red"}, "unknown key 'colour'"),
        ({"time_zon": "UTC"}, "did you mean 'time_zone'?"),
    ],
)
def test_a_field_that_cannot_be_used_is_reported(changes: dict[str, Any], said: str) -> None:
    """With its path and the reason."""
    with pytest.raises(InputError) as refusal:
        read_spec(spec(**changes))
    assert said in str(refusal.value)


def test_every_bad_field_is_reported_at_once() -> None:
    """Not one at a time."""
    with pytest.raises(InputError) as refusal:
        read_spec(spec(cron="* * *", time_zone="x", grace_s=0))
    assert all(field in str(refusal.value) for field in ("cron:", "time_zone:", "grace_s:"))


def test_a_spec_goes_through_a_row_unchanged() -> None:
    """The fields of a stored schedule are a spec again."""
    given = read_spec(spec(cron=None, every="90m", env={"USER": "ann"}, config={"timeout": 5000}, max_runs=3))
    row = schedule_record(**given.model_dump())
    assert read_spec(spec_of(row)) == given
    assert given.every == "1h30m"


def timed(**values: Any) -> ScheduleSpec:
    return read_spec({"name": "nightly", "tag": "smoke", **values})


def test_a_jitter_that_is_much_longer_than_the_interval_is_refused() -> None:
    """It may be ten times as long; the message has the numbers."""
    assert timed(every="30s", jitter_s=300).jitter_s == 300
    assert timed(cron="* * * * *", jitter_s=3600).jitter_s == 3600
    with pytest.raises(InputError, match=r"jitter_s 301 is too long for every 30s: it may be 300 at most"):
        timed(every="30s", jitter_s=301)


@pytest.mark.parametrize("field", ["start_at", "end_at"])
@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z"])
def test_a_date_for_which_no_times_can_be_computed_is_refused(field: str, moment: str) -> None:
    """Rather than failing later."""
    with pytest.raises(InputError, match=f"{field}: a date has a year from 1970 to 9000"):
        timed(every="1m", **{field: moment})


@pytest.mark.parametrize("timing", [{"every": "366d"}, {"cron": "@yearly", "time_zone": "Pacific/Kiritimati"}])
@pytest.mark.parametrize("start", ["1970-01-01T00:00:00+14:00", "9000-12-31T23:59:59-12:00"])
def test_times_can_be_computed_from_the_first_and_the_last_date(timing: dict[str, str], start: str) -> None:
    """In any zone."""
    asked = timed(**timing, start_at=start)
    assert len(preview_spec(asked, datetime(2026, 1, 1, tzinfo=UTC), 3)) == 3
