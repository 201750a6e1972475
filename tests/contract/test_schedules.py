"""The contract of schedules in a store, checked in memory and on a real Supabase."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest

from qa_queue.models import RunStatus, TestConfig
from qa_queue.store.protocol import RunStore
from qa_queue.store.schedule_records import ScheduleRecord
from tests.support.records import NOON, case_record, run_record
from tests.support.schedules import schedule_record

UNKNOWN_ID = "5e0a7b1c-3f52-4d0e-9a55-2f4f8a1f7c11"


def saved(store: RunStore, **overrides: object) -> ScheduleRecord:
    schedule = schedule_record(**overrides)
    assert store.schedules.add(schedule)
    return schedule


def test_a_schedule_comes_back_as_it_was_added(store: RunStore) -> None:
    """Every field survives."""
    given = saved(
        store,
        name=f"Ümläut 'quotes' 😀 {uuid4()}",
        tag=None,
        cases=(str(uuid4()), str(uuid4())),
        data={"dry_run": True, "list": [1, 2.5, None]},
        cron="30 2 * * mon-fri",
        time_zone="Europe/Berlin",
        start_at=NOON,
        end_at=NOON + timedelta(days=9, microseconds=7),
        max_runs=7,
        overlap="replace",
        missed="all",
        grace_s=90,
        jitter_s=5,
        priority="urgent",
        attempts=2,
        env={"USER": "ann"},
        base_url="https://shop.example",
        config=TestConfig(timeout=5000),
        paused=True,
        pending=(NOON, NOON + timedelta(minutes=1)),
        fired=3,
        skipped=2,
        missed_runs=1,
        last_fire_at=NOON,
        last_batch_id=str(uuid4()),
        last_run_id="job",
        last_error="its case is gone",
        role="run",
        token_id="0a1b2c3d4e5f",
        created_by="ann",
    )
    assert store.schedules.get(given.id) == given
    assert store.schedules.find(given.name) == given


def test_a_name_is_taken_once(store: RunStore) -> None:
    """By adding, and by renaming; the row stays as it was."""
    first, other = saved(store), saved(store)
    assert not store.schedules.add(schedule_record(name=first.name))
    assert not store.schedules.replace(other.model_copy(update={"name": first.name}))
    assert store.schedules.get(other.id) == other


def test_of_racers_for_a_name_one_wins(store: RunStore) -> None:
    """Eight at once."""
    name = f"raced {uuid4()}"
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda _: store.schedules.add(schedule_record(name=name)), range(8)))
    assert won.count(True) == 1


def test_a_change_counts_the_revision_up(store: RunStore) -> None:
    """And is refused for an old revision."""
    given = saved(store)
    changed = given.model_copy(update={"fired": 5, "pending": (NOON,)})
    assert store.schedules.replace(changed)
    assert store.schedules.get(given.id) == changed.model_copy(update={"revision": 2})
    assert not store.schedules.replace(given)
    assert store.schedules.get(given.id) == changed.model_copy(update={"revision": 2})


def test_of_racers_with_one_revision_one_wins(store: RunStore) -> None:
    """So that a moment is decided once by any number of schedulers."""
    given = saved(store)
    changes = [given.model_copy(update={"fired": number}) for number in range(1, 9)]
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(store.schedules.replace, changes))
    assert won.count(True) == 1
    stored = store.schedules.get(given.id)
    assert stored is not None
    assert stored.fired == won.index(True) + 1


@pytest.mark.parametrize("unknown", [UNKNOWN_ID, "no uuid", ""])
def test_an_unknown_schedule_is_none(store: RunStore, unknown: str) -> None:
    """No row and no error, for any text."""
    assert store.schedules.get(unknown) is None
    assert store.schedules.remove(unknown) is False
    assert store.schedules.find(unknown) is None


def test_a_removed_schedule_is_gone(store: RunStore) -> None:
    """Once; and it is not written again by a process that had read it."""
    given = saved(store)
    assert store.schedules.remove(given.id)
    assert not store.schedules.remove(given.id)
    assert not store.schedules.replace(given)
    assert store.schedules.get(given.id) is None


def test_schedules_are_listed_by_name(store: RunStore) -> None:
    """All of them."""
    mark = str(uuid4())
    for name in ("b", "a", "C"):
        saved(store, name=f"{mark} {name}")
    found = [one.name[-1] for one in store.schedules.list_all() if one.name.startswith(mark)]
    assert found == ["C", "a", "b"]


def test_the_due_ones_come_longest_overdue_first(store: RunStore) -> None:
    """Those whose time has come, to the microsecond; not those without a next time."""
    long_ago = NOON - timedelta(days=400)
    due = [saved(store, created_at=long_ago + timedelta(minutes=one)) for one in (3, 1, 2)]
    saved(store, created_at=long_ago + timedelta(minutes=3, seconds=1))
    saved(store, created_at=long_ago, paused=True)
    found = store.schedules.list_due(long_ago + timedelta(minutes=4))
    assert [one.id for one in found] == [due[1].id, due[2].id, due[0].id]
    assert [one.id for one in store.schedules.list_due(long_ago + timedelta(minutes=4), limit=1)] == [due[1].id]


def test_opening_runs_leaves_those_that_are_there_alone(store: RunStore) -> None:
    """A run that has started is not queued again."""
    case = store.save_cases([case_record()])[0]
    begun, fresh = run_record(case, status=RunStatus.RUNNING), run_record(case)
    store.save([begun])
    store.schedules.open_runs([begun.model_copy(update={"status": RunStatus.QUEUED}), fresh])
    store.schedules.open_runs([])
    assert store.get_run(begun.id) == begun
    assert store.get_run(fresh.id) == fresh


def test_the_runs_of_batches_are_counted_by_status(store: RunStore) -> None:
    """A batch without runs is left out."""
    case = store.save_cases([case_record()])[0]
    one, other = str(uuid4()), str(uuid4())
    store.save([run_record(case, batch_id=one) for _ in range(2)])
    store.save([run_record(case, batch_id=one, status=RunStatus.FAILED), run_record(case, batch_id=other)])
    assert store.schedules.statuses([one, other, UNKNOWN_ID, "no uuid"]) == {
        one: {RunStatus.QUEUED: 2, RunStatus.FAILED: 1},
        other: {RunStatus.QUEUED: 1},
    }
