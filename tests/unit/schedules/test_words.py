"""Zones, intervals and what a schedule may say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_queue.errors import InputError
from qa_queue.schedules.spec import read_spec, spec_of
from qa_queue.schedules.times import LONGEST_S, duration, seconds_of, zone_of
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
def test_an_unknown_zone_says_the_nearest(given: str, nearest: str) -> None:
    """Mistyped, or the city alone."""
    with pytest.raises(InputError, match=f"Did you mean {nearest}\\?"):
        zone_of(given)


@pytest.mark.parametrize(
    "given", ["", "Mars/Olympus_Mons", "localtime", "../../etc/passwd", "/etc/localtime", "a\0b"]
)
def test_what_is_no_zone_is_refused(given: str) -> None:
    """Also what would be a path."""
    with pytest.raises(InputError, match="there is no time zone"):
        zone_of(given)


@pytest.mark.parametrize(
    ("text", "seconds"), [("15m", 900), ("1h30m", 5400), ("90s", 90), ("2D", 172_800), ("1s", 1)]
)
def test_an_interval_is_read(text: str, seconds: int) -> None:
    """In seconds."""
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "15", "m", "15 min", "1m1h", "-5m", "0s", "367d", "1.5h", "٣m"])
def test_what_is_no_interval_is_refused(text: str) -> None:
    """With how to write one, or how long it may be."""
    with pytest.raises(InputError, match=r"write days|may be 1s to 366d"):
        seconds_of(text)


@given(st.integers(1, LONGEST_S))
def test_an_interval_is_written_as_it_is_read(seconds: int) -> None:
    """There and back."""
    assert seconds_of(duration(seconds)) == seconds


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
        ({"overlap": "never"}, "overlap: Input should be 'skip', 'allow' or 'replace'"),
        ({"max_runs": 0}, "max_runs: Input should be greater than or equal to 1"),
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
    ],
)
def test_what_cannot_be_used_is_named(changes: dict[str, Any], said: str) -> None:
    """Field by field."""
    with pytest.raises(InputError) as refusal:
        read_spec(spec(**changes))
    assert said in str(refusal.value)


def test_every_bad_field_is_named_at_once() -> None:
    """Not one a try."""
    with pytest.raises(InputError) as refusal:
        read_spec(spec(cron="* * *", time_zone="x", grace_s=0))
    assert all(field in str(refusal.value) for field in ("cron:", "time_zone:", "grace_s:"))


def test_what_people_set_goes_through_a_row_unchanged() -> None:
    """What a stored schedule says of itself is a spec again."""
    given = read_spec(spec(cron=None, every="90m", env={"USER": "ann"}, config={"timeout": 5000}, max_runs=3))
    row = schedule_record(**given.model_dump())
    assert read_spec(spec_of(row)) == given
    assert given.every == "1h30m"
