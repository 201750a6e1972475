"""The contract of retention in a store, tested in memory and on a real Supabase."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from qa_queue.models import ArtifactKind, RunStatus
from qa_queue.store.protocol import RunStore
from tests.support.records import NOON, artifact_record, case_record, finished_run, run_record


def test_only_pinning_changes_whether_a_run_is_pinned(store: RunStore) -> None:
    """Not a second upsert of the run, which a worker makes, nor an update; ids that do not exist are ignored."""
    case = store.save_cases([case_record()])[0]
    runs = [run_record(case) for _ in range(103)]
    store.save(runs)
    ids = [run.id for run in runs]
    assert store.retention.pin([*ids, str(uuid4()), "no id"], pinned=True) == len(ids)
    store.save([runs[0]])
    store.update_run(ids[0], status=RunStatus.COMPLETED, finished_at=NOON)
    assert {run.pinned for run in store.retention.runs(ids)} == {True}
    assert store.retention.pin(ids[:1], pinned=False) == 1
    assert [run.id for run in store.retention.runs(ids) if not run.pinned] == ids[:1]


def test_runs_are_read_by_their_ids(store: RunStore) -> None:
    """Those that exist, in order."""
    case = store.save_cases([case_record()])[0]
    runs = [finished_run(case) for _ in range(3)]
    store.save(runs)
    wanted = [runs[2].id, str(uuid4()), "no id", runs[0].id]
    assert [run.id for run in store.retention.runs(wanted)] == sorted([runs[0].id, runs[2].id])
    assert store.retention.runs([]) == []


def test_files_of_a_kind_come_newest_first_and_page_by_page(store: RunStore) -> None:
    """Also those of one moment; other tests' files are older than these."""
    case = store.save_cases([case_record()])[0]
    run = finished_run(case)
    later = NOON + timedelta(days=4000)
    files = [
        artifact_record(run, f"{n}.har", kind=ArtifactKind.HAR, created_at=later + timedelta(hours=n // 2))
        for n in range(6)
    ]
    store.save([run, *files, artifact_record(run, "x.png", created_at=later)])
    ordered = sorted(files, key=lambda file: (file.created_at, file.id), reverse=True)
    first = store.retention.files(ArtifactKind.HAR, limit=4)
    assert first == ordered[:4]
    assert store.retention.files(ArtifactKind.HAR, limit=2, after=first[-1]) == ordered[4:]
    assert store.retention.files(ArtifactKind.HAR, limit=2, before=later + timedelta(hours=1)) == ordered[4:]
    store.retention.delete_files([ordered[0].id, ordered[1].id])
    assert store.retention.files(ArtifactKind.HAR, limit=2) == ordered[2:4]
    store.delete_runs([run.id])
