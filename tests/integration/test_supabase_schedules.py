"""Rows of schedules that cannot be read, on a real Supabase, as another version or SQL may leave them."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from qa_queue.errors import StoreSchemaError
from qa_queue.local.process import LocalServer
from qa_queue.local.supabase import start_supabase
from qa_queue.models import Role
from qa_queue.schedules import ScheduleRegistry
from qa_queue.store.schedule_records import ScheduleRecord
from qa_queue.store.supabase import SupabaseStore
from tests.conftest import ROOT, TEMPLATES
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
    """Rows that the database accepts and this version cannot read, due before any other."""
    rows = [schedule_record(created_at=LONG_AGO).model_copy(update=values) for values in NOT_FITTING]
    assert all(store.schedules.add(row) for row in rows)
    yield rows
    for row in rows:
        store.schedules.remove(row.id)


@pytest.fixture
def due(store: SupabaseStore, broken: list[ScheduleRecord]) -> Iterator[ScheduleRecord]:
    """One that can be read and is due after those."""
    row = schedule_record(created_at=LONG_AGO + timedelta(minutes=1))
    assert store.schedules.add(row)
    yield row
    store.schedules.remove(row.id)


@pytest.mark.parametrize("limit", [1, 4, 200])
def test_a_row_that_cannot_be_read_delays_no_other_schedule(store, due, limit: int) -> None:
    """With any limit."""
    assert store.schedules.list_due(LONG_AGO + timedelta(minutes=5), limit=limit) == [due]


def test_the_list_leaves_it_out_and_the_log_has_it_once(store, broken, due, caplog) -> None:
    """With the reason and the command that deletes it."""
    with caplog.at_level(logging.ERROR, "qa_queue"):
        for _ in range(3):
            listed = {one.id for one in store.schedules.list_all()}
    assert due.id in listed
    assert listed.isdisjoint(one.id for one in broken)
    for row in broken:
        (said,) = [line for line in caplog.messages if row.id in line]
        assert f"The schedule {row.name} is left out: " in said
        assert f"`qa-queue schedule remove {row.id}`" in said


def test_a_row_that_cannot_be_read_is_reported_and_removed_by_its_id(store, broken) -> None:
    """Not by its name, because the caller could not see what it is."""
    registry, row = ScheduleRegistry(store), broken[1]
    for ref in (row.id, row.name):
        with pytest.raises(StoreSchemaError, match=f"the row {row.id} of schedules cannot be read: jitter_s"):
            registry.get(ref)
    with pytest.raises(StoreSchemaError):
        registry.remove(row.name)
    assert registry.remove(row.id) is None
    assert store.schedules.get(row.id) is None


def test_schedules_made_before_roles_were_stored_count_as_an_administrators(tmp_path: Path) -> None:
    """A row that an older version adds afterwards has the role `run`."""
    migrations, folder = tmp_path / "migrations", tmp_path / "data"
    older, [role_added] = _split(lambda name: name.endswith("_schedule_role.sql"))
    migrations.mkdir()
    for file in older:
        shutil.copy(file, migrations)
    row = {"cron": "@daily", "anchor_at": NOON.isoformat()}
    with start_supabase(folder, cache=TEMPLATES, migrations=migrations) as server:
        _insert(server, row | {"id": str(uuid4()), "name": "before"})
    shutil.copy(role_added, migrations)
    with start_supabase(folder, cache=TEMPLATES, migrations=migrations) as server:
        _insert(server, row | {"id": str(uuid4()), "name": "after"})
        real = SupabaseStore(server.url, server.key or "")
        found = {one.name: one.role for one in real.schedules.list_all()}
        real.close()
    assert found == {"before": Role.ADMIN, "after": Role.RUN}


def _split(chosen: Callable[[str], bool]) -> tuple[list[Path], list[Path]]:
    files = sorted((ROOT / "supabase" / "migrations").glob("*.sql"))
    return [file for file in files if not chosen(file.name)], [file for file in files if chosen(file.name)]


def _insert(server: LocalServer, row: dict[str, str]) -> None:
    answer = httpx.post(
        f"{server.url}/rest/v1/schedules", json=row, headers={"apikey": str(server.key)}, timeout=30
    )
    assert answer.status_code == 201, answer.text
