"""Rows of schedules that do not fit, on a real Supabase, as another version or somebody's SQL may leave them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest

from qa_queue.errors import StoreSchemaError
from qa_queue.local.server import LocalServer
from qa_queue.schedules import ScheduleRegistry
from qa_queue.store.schedule_records import ScheduleRecord
from qa_queue.store.supabase import SupabaseStore
from tests.support.records import NOON
from tests.support.schedules import schedule_record

LONG_AGO = NOON - timedelta(days=4000)  # before the schedules of other tests
NOT_FITTING = (
    {"grace_s": 10_000_000},
    {"jitter_s": 7200},
    {"attempts": 50},
    {"base_url": "shop.example"},
)


@pytest.fixture
def store(supabase: LocalServer) -> Iterator[SupabaseStore]:
    real = SupabaseStore(supabase.url, supabase.key)
    yield real
    real.close()


@pytest.fixture
def broken(store: SupabaseStore) -> Iterator[list[ScheduleRecord]]:
    """Rows that the database takes and this version does not, due before any other."""
    rows = [schedule_record(created_at=LONG_AGO).model_copy(update=values) for values in NOT_FITTING]
    assert all(store.schedules.add(row) for row in rows)
    yield rows
    for row in rows:
        store.schedules.remove(row.id)


@pytest.fixture
def due(store: SupabaseStore, broken: list[ScheduleRecord]) -> Iterator[ScheduleRecord]:
    """One that fits and comes after those."""
    row = schedule_record(created_at=LONG_AGO + timedelta(minutes=1))
    assert store.schedules.add(row)
    yield row
    store.schedules.remove(row.id)


@pytest.mark.parametrize("limit", [1, 4, 200])
def test_what_cannot_be_read_holds_up_no_other_schedule(store, due, limit: int) -> None:
    """However few are asked for."""
    assert store.schedules.list_due(LONG_AGO + timedelta(minutes=5), limit=limit) == [due]


def test_the_list_leaves_it_out_and_the_log_names_it_once(store, broken, due, caplog) -> None:
    """With what is wrong and how to be rid of it."""
    with caplog.at_level(logging.ERROR, "qa_queue"):
        for _ in range(3):
            listed = {one.id for one in store.schedules.list_all()}
    assert due.id in listed
    assert listed.isdisjoint(one.id for one in broken)
    for row in broken:
        (said,) = [line for line in caplog.messages if row.id in line]
        assert f"The schedule {row.name} is left out: " in said
        assert f"`qa-queue schedule remove {row.id}`" in said


def test_it_says_what_is_wrong_and_is_removed_by_its_id(store, broken) -> None:
    """Not by its name alone, for whoever does so could not see what it is."""
    book, row = ScheduleRegistry(store), broken[1]
    for ref in (row.id, row.name):
        with pytest.raises(StoreSchemaError, match=f"the row {row.id} of schedules cannot be read: jitter_s"):
            book.get(ref)
    with pytest.raises(StoreSchemaError):
        book.remove(row.name)
    assert book.remove(row.id) is None
    assert store.schedules.get(row.id) is None
