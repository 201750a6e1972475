"""Batches as both stores list them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from qa_queue.models import RunStatus
from qa_queue.store.protocol import RunStore
from qa_queue.store.records import RunPlace
from tests.support.records import case_record, run_record

START = datetime(2031, 5, 1, tzinfo=UTC)  # later than any other test's runs, so these are the newest


@pytest.fixture(scope="module")
def batches(store: RunStore) -> list[str]:
    """Three batches, a minute apart, of two runs each; the last two were submitted in one moment."""
    case = case_record()
    ids = sorted(str(uuid4()) for _ in range(3))
    rows: list[Any] = [case]
    for batch_id, minute in zip(ids, (0, 1, 1), strict=True):
        moment = START + timedelta(minutes=minute)
        rows += [run_record(case, batch_id=batch_id, queued_at=moment + timedelta(seconds=n)) for n in range(2)]
    store.save(rows)
    return ids


def test_the_newest_batch_comes_first_and_pages_go_on_behind_the_last(store: RunStore, batches: list[str]) -> None:
    """Also between two of one moment."""
    met: list[str] = []
    after = None
    for _ in batches:
        (one,) = store.batches.newest(limit=1, after=after)
        after = RunPlace(queued_at=one.queued_at, id=one.id)
        met.append(one.id)
    assert met == batches[::-1]


def test_a_batch_counts_its_runs_and_ends_with_the_last(store: RunStore, batches: list[str]) -> None:
    """Of each status, and the flaky ones."""
    first, second = (run.id for run in store.list_runs(batch_id=batches[0], oldest_first=True))
    ends = [START + timedelta(minutes=5), START + timedelta(minutes=3)]
    store.update_run(first, status=RunStatus.COMPLETED, flaky=True, finished_at=ends[0])

    def seen() -> Any:
        return next(one for one in store.batches.newest(limit=3) if one.id == batches[0])

    assert (seen().total, seen().flaky, seen().finished_at, seen().queued_at) == (2, 1, None, START)
    assert seen().counts == dict.fromkeys(RunStatus, 0) | {RunStatus.COMPLETED: 1, RunStatus.QUEUED: 1}
    store.update_run(second, status=RunStatus.FAILED, finished_at=ends[1])
    assert seen().finished_at == ends[0]
    assert (seen().counts[RunStatus.FAILED], seen().counts[RunStatus.QUEUED]) == (1, 0)


def test_batches_are_found_by_the_beginning_of_their_id(store: RunStore) -> None:
    """At most two of them, in any case of the letters; another text finds none."""
    case = case_record()
    ids = sorted(f"abce{number}234-0000-4000-8000-{uuid4().hex[:12]}" for number in range(3))
    store.save([case, *(run_record(case, batch_id=batch_id) for batch_id in (*ids, ids[1]))])
    assert store.batches.find_ids("abce") == ids[:2]
    assert store.batches.find_ids("ABCE1") == store.batches.find_ids(ids[1]) == [ids[1]]
    assert [store.batches.find_ids(text) for text in ("abce9", "no id", "abce%")] == [[], [], []]


def test_runs_without_a_batch_are_in_none(store: RunStore, batches: list[str]) -> None:
    """The list has batches alone."""
    case = case_record()
    store.save([case, run_record(case, queued_at=START + timedelta(days=1))])
    assert [one.id for one in store.batches.newest(limit=3)] == batches[::-1]
