"""Cron expressions: their check and their moments."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_queue.errors import InputError
from qa_queue.schedules.cron import check_cron, cron_moments
from qa_queue.schedules.times import zone_of

BERLIN = zone_of("Europe/Berlin")
LORD_HOWE = zone_of("Australia/Lord_Howe")  # its clocks change by half an hour


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ("30 2 * * mon-fri", "30 2 * * mon-fri"),
        ("  */15  9-17 1,15 JAN-MAR * ", "*/15 9-17 1,15 JAN-MAR *"),
        ("@daily", "0 0 * * *"),
        ("@Hourly", "0 * * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("0 0 L * fri#2", "0 0 L * fri#2"),
    ],
)
def test_an_expression_comes_out_as_five_fields(given: str, fields: str) -> None:
    """Steps, lists, ranges, names and aliases."""
    assert check_cron(given) == fields


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("61 * * * *", "'61' cannot be the minute (field 1). Allowed are 0 to 59,"),
        ("0 24 * * *", "'24' cannot be the hour (field 2). Allowed are 0 to 23,"),
        ("0 0 0 * *", "'0' cannot be the day of the month (field 3). Allowed are 1 to 31,"),
        ("0 0 * foo *", "'foo' cannot be the month (field 4). Allowed are 1 to 12 or jan to dec,"),
        ("0 0 * * monday", "'monday' cannot be the day of the week (field 5). Allowed are 0 to 7"),
        ("*/0 * * * *", "'*/0' cannot be the minute"),
        ("0 9-5 * * *", "'9-5' cannot be the hour"),
        ("* * * *", "has 4 fields: it needs five"),
        ("0 * * * * *", "has 6 fields: it needs five"),
        ("", "has 0 fields"),
        ("@reboot", "there are @hourly, @daily"),
        ("0 0 30 2 *", "never comes"),
    ],
)
def test_a_field_that_cannot_be_used_is_reported_with_the_allowed_values(given: str, said: str) -> None:
    """By its name and number."""
    with pytest.raises(InputError) as refusal:
        check_cron(given)
    assert said in str(refusal.value)
    assert repr(given) in str(refusal.value)


def local(expression: str, after: str, number: int, zone=BERLIN) -> list[str]:
    """The next moments in local time, with their offset from UTC."""
    found = islice(cron_moments(expression, zone, datetime.fromisoformat(after)), number)
    return [moment.astimezone(zone).strftime("%d %H:%M %z") for moment in found]


class TestWhenClocksGoForward:
    """In Berlin on 2026-03-29, 02:00 to 03:00 does not exist."""

    BEFORE = "2026-03-28T12:00+00:00"

    @pytest.mark.parametrize("expression", ["30 2 * * *", "15,45 2 * * *", "0 2 * * *", "0 3 * * *"])
    def test_a_fixed_time_in_the_gap_comes_once_at_its_end(self, expression: str) -> None:
        """Neither lost nor doubled."""
        found = local(expression, self.BEFORE, 2)
        assert found[0] == "29 03:00 +0200"
        assert found[1].startswith("30 ")

    def test_each_hour_is_an_hour_after_the_last(self) -> None:
        """01:00 is followed by 03:00, which is an hour later."""
        assert local("0 * * * *", "2026-03-28T23:30+00:00", 3) == [
            "29 01:00 +0100",
            "29 03:00 +0200",
            "29 04:00 +0200",
        ]

    def test_minutes_of_the_gap_do_not_come(self) -> None:
        """An expression without a fixed minute follows local time."""
        assert local("*/30 2 * * *", self.BEFORE, 1) == ["30 02:00 +0200"]

    def test_a_gap_of_half_an_hour(self) -> None:
        """On Lord Howe, 02:00 to 02:30 did not exist on 2026-10-04."""
        found = local("15 2 * * *", "2026-10-03T12:00+00:00", 2, LORD_HOWE)
        assert found == ["04 02:30 +1100", "05 02:15 +1100"]


class TestWhenClocksGoBack:
    """In Berlin on 2026-10-25, 02:00 to 03:00 comes twice."""

    BEFORE = "2026-10-24T12:00+00:00"

    def test_a_fixed_time_comes_the_first_time_only(self) -> None:
        """In summer time; the next one is a day later."""
        assert local("30 2 * * *", self.BEFORE, 2) == ["25 02:30 +0200", "26 02:30 +0100"]

    @pytest.mark.parametrize("after", ["2026-10-25T00:30+00:00", "2026-10-25T01:10+00:00"])
    def test_it_does_not_come_again_within_the_repeated_hour(self, after: str) -> None:
        """Between the two occurrences, the next one is tomorrow's."""
        assert local("30 2 * * *", after, 1) == ["26 02:30 +0100"]

    def test_each_hour_comes_in_both(self) -> None:
        """An hourly run is an hour after the last."""
        found = local("0 * * * *", "2026-10-24T23:30+00:00", 3)
        assert found == ["25 02:00 +0200", "25 02:00 +0100", "25 03:00 +0100"]


FIELD = st.sampled_from(["*", "*/7", "0", "30", "5,50", "10-20"])
HOUR = st.sampled_from(["*", "*/5", "0", "2", "2,3", "1-4"])
DAY = st.sampled_from(["*", "1", "29", "31", "*/10", "L"])
WEEKDAY = st.sampled_from(["*", "sun", "mon-fri", "1,3", "6#1"])
MOMENT = st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))
ZONE = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Casablanca"]
)


@given(st.tuples(FIELD, HOUR, DAY, st.just("*"), WEEKDAY), ZONE, MOMENT)
def test_each_moment_is_later_than_the_last_and_the_same_from_any_start(fields, zone, after) -> None:
    """A restarted scheduler continues where another one stopped."""
    expression = check_cron(" ".join(fields))
    found = list(islice(cron_moments(expression, zone_of(zone), after), 6))
    assert all(one < other for one, other in pairwise([after, *found]))
    for place, moment in enumerate(found[:-1]):
        assert next(cron_moments(expression, zone_of(zone), moment)) == found[place + 1]


@given(st.tuples(FIELD, HOUR, DAY, st.just("*"), WEEKDAY), MOMENT)
def test_moments_match_the_fields_of_the_expression(fields, after) -> None:
    """In UTC, where no clock changes, checked field by field."""
    minute, hour = fields[0], fields[1]
    for moment in islice(cron_moments(check_cron(" ".join(fields)), zone_of("UTC"), after), 5):
        assert moment.second == 0
        assert moment.minute in {"*": range(60), "*/7": range(0, 60, 7), "10-20": range(10, 21)}.get(
            minute, [int(one) for one in minute.split(",") if one.isdigit()]
        )
        assert moment.hour in {"*": range(24), "*/5": range(0, 24, 5), "1-4": range(1, 5)}.get(
            hour, [int(one) for one in hour.split(",") if one.isdigit()]
        )
