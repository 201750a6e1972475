"""Decisions about a schedule that is due, and its moments."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from itertools import accumulate, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_queue.errors import InputError
from qa_queue.schedules.display import local_time, timing_text
from qa_queue.schedules.policy import ScheduleDecision, decide, with_decision, with_start
from qa_queue.schedules.times import MOST_DUE, comes_at, coming_moments, due_moments, moments
from qa_queue.store.schedule_records import Missed, Overlap, ScheduleRecord
from tests.support.records import NOON
from tests.support.schedules import schedule_record

MINUTE = timedelta(minutes=1)


def minutes(*numbers: float) -> tuple[datetime, ...]:
    """Moments of these minutes after noon."""
    return tuple(NOON + number * MINUTE for number in numbers)


def decision_at(schedule: ScheduleRecord, after: float, *, busy: bool = False) -> ScheduleDecision | None:
    """The decision at a time after noon, in minutes."""
    return decide(schedule, NOON + after * MINUTE, busy=busy)


def test_nothing_is_done_before_the_first_moment() -> None:
    """One interval after its creation."""
    assert decision_at(schedule_record(), 0.99) is None


def test_a_moment_is_started_and_the_next_one_follows() -> None:
    """On time."""
    found = decision_at(schedule_record(), 1)
    assert found == ScheduleDecision(fires=minutes(1), skipped=0, missed=0, next_fire_at=minutes(2)[0])


def test_a_paused_schedule_does_nothing() -> None:
    """However late it is."""
    assert decision_at(schedule_record(paused=True), 10) is None


@pytest.mark.parametrize(
    ("missed", "fires", "given_up"),
    [
        (Missed.SKIP, minutes(5), 4),
        (Missed.ONCE, minutes(5), 4),
        (Missed.ALL, minutes(1, 2, 3, 4, 5), 0),
    ],
)
def test_missed_moments_follow_the_policy(missed: Missed, fires: tuple, given_up: int) -> None:
    """After an absence of five minutes, with a grace of thirty seconds; the last moment is in time."""
    found = decision_at(schedule_record(missed=missed, overlap="allow", grace_s=30), 5.4)
    assert found is not None
    assert (found.fires, found.missed, found.next_fire_at) == (fires, given_up, minutes(6)[0])


@pytest.mark.parametrize(("missed", "fires"), [(Missed.SKIP, ()), (Missed.ONCE, minutes(5))])
def test_once_makes_up_for_the_last_moment_if_none_is_in_time(missed: Missed, fires: tuple) -> None:
    """And `skip` waits for the next moment."""
    found = decision_at(schedule_record(missed=missed, grace_s=10), 5.5)
    assert found is not None
    assert found.fires == fires


def test_at_most_the_newest_moments_are_made_up_for() -> None:
    """A year of minutes is not started at once, nor counted one by one."""
    away = 366 * 24 * 60
    found = decision_at(schedule_record(missed="all", overlap="allow"), away)
    assert found is not None
    assert found.fires == minutes(*range(away - MOST_DUE + 1, away + 1))


@pytest.mark.parametrize(
    ("overlap", "busy", "fires"),
    [
        (Overlap.SKIP, False, minutes(1)),
        (Overlap.SKIP, True, ()),
        (Overlap.ALLOW, True, minutes(1)),
        (Overlap.REPLACE, True, minutes(1)),
    ],
)
def test_an_overlap_follows_the_policy(overlap: Overlap, busy: bool, fires: tuple) -> None:
    """Skipped moments are counted and not made up for."""
    found = decision_at(schedule_record(overlap=overlap), 1, busy=busy)
    assert found is not None
    assert (found.fires, found.skipped, found.next_fire_at) == (fires, 1 - len(fires), minutes(2)[0])


@pytest.mark.parametrize("overlap", [Overlap.SKIP, Overlap.REPLACE])
def test_moments_that_come_together_overlap_too(overlap: Overlap) -> None:
    """The newest is started."""
    found = decision_at(schedule_record(overlap=overlap, grace_s=600), 3)
    assert found is not None
    assert (found.fires, found.skipped) == (minutes(3), 2)


def test_it_ends_after_max_runs() -> None:
    """Of three, two were started before."""
    found = decision_at(schedule_record(max_runs=3, fired=2, overlap="allow", grace_s=600), 4)
    assert found is not None
    assert (found.fires, found.next_fire_at) == (minutes(1), None)


def test_it_ends_at_its_end() -> None:
    """The end itself is a moment of it."""
    found = decision_at(schedule_record(end_at=minutes(2)[0], overlap="allow", grace_s=600), 4)
    assert found is not None
    assert (found.fires, found.next_fire_at) == (minutes(1, 2), None)


def test_the_start_is_its_first_moment() -> None:
    """Intervals count from there."""
    schedule = schedule_record(start_at=minutes(10.5)[0])
    assert schedule.next_run_at == minutes(10.5)[0]
    found = decision_at(schedule, 10.5)
    assert found is not None
    assert found.next_fire_at == minutes(11.5)[0]


def test_a_decision_is_pending_in_the_row_until_its_start_is_confirmed() -> None:
    """A scheduler that dies in between leaves it to another one."""
    schedule, now = schedule_record(), minutes(1)[0]
    decision = decide(schedule, now, busy=False)
    assert decision is not None
    row = with_decision(schedule, decision, now)
    assert (row.pending, row.next_run_at, row.next_fire_at, row.fired) == (minutes(1), now, minutes(2)[0], 1)
    after = with_start(row, minutes(1)[0], now, last_run_id="x")
    assert (after.pending, after.next_run_at, after.last_run_id) == ((), minutes(2)[0], "x")


def test_a_paused_row_still_confirms_its_decision_and_then_sleeps() -> None:
    """Pausing does not lose a start."""
    row = schedule_record(pending=minutes(1), paused=True)
    assert row.next_run_at is not None
    assert with_start(row, minutes(1)[0], NOON).next_run_at is None


@given(st.integers(1, 3600), st.integers(1, 500))
def test_jitter_is_the_same_in_every_process_and_within_its_bound(jitter: int, number: int) -> None:
    """Two schedulers must agree."""
    schedule, moment = schedule_record(jitter_s=jitter), NOON + number * MINUTE
    assert comes_at(schedule, moment) == comes_at(schedule, moment)
    assert moment <= comes_at(schedule, moment) <= moment + timedelta(seconds=jitter)


def coming(schedule: ScheduleRecord, count: int) -> list[datetime]:
    """The times of its first moments: each waits for the one before it."""
    found = islice(moments(schedule, anchor=NOON, after=NOON), count)
    return list(accumulate((comes_at(schedule, moment) for moment in found), max))


@pytest.mark.parametrize("jitter", [0, 200, 600])
@pytest.mark.parametrize("missed", Missed)
def test_nothing_is_missed_while_a_scheduler_runs(jitter: int, missed: Missed) -> None:
    """Also with a jitter longer than the interval, when a moment waits for the one before it."""
    schedule = schedule_record(jitter_s=jitter, overlap=Overlap.ALLOW, missed=missed, grace_s=10)
    for second in range(0, 2 * 3600, 5):
        now = NOON + timedelta(seconds=second)
        decision = decide(schedule, now, busy=False)
        schedule = with_decision(schedule, decision, now) if decision else schedule
    assert (schedule.fired, schedule.missed_runs) == (bisect_right(coming(schedule, 120), now), 0)


@given(every=st.integers(1, 300), away=st.integers(1, 3600), grace=st.integers(1, 600))
def test_once_starts_what_skip_starts_and_at_least_the_last(every: int, away: int, grace: int) -> None:
    """Whatever else was missed."""
    schedule = schedule_record(every=f"{every}s", overlap=Overlap.ALLOW, grace_s=grace)
    skip, once = (
        decision_at(schedule.model_copy(update={"missed": one}), away / 60) for one in (Missed.SKIP, Missed.ONCE)
    )
    assert (skip is None) == (once is None)
    if skip and once:
        assert once.fires == (skip.fires or tuple(due_moments(schedule, NOON + timedelta(seconds=away))[-1:]))


def test_moments_that_their_jitter_delays_displace_no_others() -> None:
    """More of them are delayed than are counted."""
    schedule = schedule_record(every="1s", jitter_s=3600)
    now = NOON + timedelta(hours=5)
    came = bisect_right(coming(schedule, 5 * 3600), now)
    assert due_moments(schedule, now) == [NOON + timedelta(seconds=one) for one in range(came - 99, came + 1)]


@given(
    gaps=st.lists(st.floats(0.01, 12), min_size=1, max_size=25),
    jitter=st.sampled_from([0, 30, 200]),
    overlap=st.sampled_from(Overlap),
    missed=st.sampled_from(Missed),
    busy=st.lists(st.booleans(), min_size=25, max_size=25),
)
def test_no_moment_is_started_twice_at_any_times_of_serving(gaps, jitter, overlap, missed, busy) -> None:
    """And each one that came is started, skipped or missed: none is forgotten."""
    schedule = schedule_record(jitter_s=jitter, overlap=overlap, missed=missed, grace_s=45)
    now, fired, counted, comes = NOON, [], 0, coming(schedule, 400)
    for gap, taken in zip(gaps, busy, strict=False):
        now += gap * MINUTE
        before, counted = counted, bisect_right(comes, now)
        decision = decide(schedule, now, busy=taken)
        assert (decision is None) == (counted == before)
        if decision is None:
            continue
        fired += decision.fires
        schedule = with_decision(schedule, decision, now)
        assert schedule.fired + schedule.skipped + schedule.missed_runs == counted
    assert len(set(fired)) == len(fired)
    assert fired == sorted(fired)
    assert all(comes_at(schedule, moment) <= now for moment in fired)
    if overlap is Overlap.ALLOW and missed is Missed.ALL:
        assert len(fired) == counted


@given(st.integers(1, 5000), st.integers(0, 200_000))
def test_the_newest_due_moments_are_those_of_counting_one_by_one(every: int, away: int) -> None:
    """Looking back in steps finds the same."""
    schedule = schedule_record(every=f"{every}s")
    now = NOON + timedelta(seconds=away)
    one_by_one = [NOON + timedelta(seconds=number * every) for number in range(1, away // every + 1)]
    assert due_moments(schedule, now) == one_by_one[-MOST_DUE:]


def test_moments_that_are_years_apart_are_found() -> None:
    """Each of three, for a schedule that comes once a year, after a long absence."""
    schedule = schedule_record(cron="@yearly")
    assert schedule.next_fire_at is not None
    found = due_moments(schedule, NOON.replace(year=NOON.year + 3))
    assert [moment.year for moment in found] == [NOON.year + 1, NOON.year + 2, NOON.year + 3]
    assert found[0] == schedule.next_fire_at


def end_of_calendar(year: int, **overrides: object) -> ScheduleRecord:
    """A row of an older version, whose next moment is on the first or the last day of the calendar."""
    moment = (datetime.min if year == 1 else datetime.max).replace(tzinfo=UTC)
    return schedule_record(**{"next_fire_at": moment, "next_run_at": moment, "start_at": moment, **overrides})


@pytest.mark.parametrize(
    "schedule",
    [
        end_of_calendar(1),
        end_of_calendar(1, start_at=None),
        end_of_calendar(1, cron="@daily", time_zone="US/Hawaii"),
        end_of_calendar(9999),
        end_of_calendar(9999, start_at=None, jitter_s=60),
        end_of_calendar(9999, cron="@daily", time_zone="Asia/Tokyo"),
    ],
    ids=lambda row: f"{row.next_fire_at.year} {timing_text(row)} {'' if row.start_at else 'without start_at'}",
)
def test_times_at_the_end_of_the_calendar_are_refused(schedule: ScheduleRecord) -> None:
    """For a preview as for a start."""
    with pytest.raises(InputError, match="at the end of the calendar"):
        coming_moments(schedule, NOON, 5)
    if schedule.next_fire_at < NOON:
        with pytest.raises(InputError, match="at the end of the calendar"):
            decide(schedule, NOON, busy=False)
    assert local_time(schedule, schedule.next_fire_at).year == schedule.next_fire_at.year
