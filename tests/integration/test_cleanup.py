"""Cleanup of real rows and real files."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from processors.cleanup import CleanupProcessor
from processors.cleanup.retention import run_folder
from qa_queue.errors import StoreUnavailableError
from qa_queue.local.process import LocalServer
from qa_queue.models import ArtifactKind, CleanupJobResult, RunStatus
from qa_queue.store.artifacts import ArtifactStoreError, FolderStore
from qa_queue.store.memory import MemoryStore
from qa_queue.store.protocol import RunStore
from qa_queue.store.records import CaseRecord, RunRecord
from qa_queue.store.supabase import SupabaseStore
from tests.support.records import (
    NOON,
    adaptation_row,
    artifact_record,
    case_record,
    finished_run,
    run_record,
    step_record,
)
from tests.support.services import ProgressList, job_context, services


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"


@pytest.fixture(params=["memory", "supabase"])
def store(request: pytest.FixtureRequest) -> Iterator[RunStore]:
    """Each store, empty of runs."""
    if request.param == "memory":
        yield MemoryStore()
        return
    server: LocalServer = request.getfixturevalue("supabase")
    real = SupabaseStore(server.url, server.key)
    while runs := real.list_runs(limit=1000):
        real.delete_runs([run.id for run in runs])
    yield real
    real.close()


@pytest.fixture
def case(store: RunStore) -> CaseRecord:
    return store.save_cases([case_record()])[0]


def days(age: float) -> datetime:
    return NOON - timedelta(days=age)


def touch(path: Path, text: str = "123", age: float = 0) -> Path:
    """Create a file of this age in days."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    then = days(age).timestamp()
    for changed in (path, path.parent, path.parent.parent):
        os.utime(changed, (then, then))
    return path


def saved(store: RunStore, root: Path, run: RunRecord) -> RunRecord:
    """Store the run with a step, an adaptation and a screenshot of three bytes."""
    store.save([run, step_record(run), artifact_record(run), adaptation_row(run)])
    touch(root / run.id / "1" / "failure.png")
    return run


def clean(
    store: RunStore, root: Path, *, now: datetime = NOON, kinds: str = "", sizes: str = "", **data: object
) -> CleanupJobResult:
    limits = {"qa_keep_evidence_days": kinds, "qa_keep_evidence_mb": sizes}
    given = services(store, root, qa_keep_days=30, qa_keep_failed_days=90, **limits)
    processor = CleanupProcessor(given, job_context("cleanup"), now=lambda: now)
    return CleanupJobResult.model_validate(asyncio.run(processor.run(data)))


def test_expired_runs_are_deleted_whole(store: RunStore, root: Path, case: CaseRecord) -> None:
    """Rows of every kind and files are deleted and counted; the rest is kept."""
    old = [saved(store, root, finished_run(case, finished_at=days(age))) for age in (50, 40)]
    failed = saved(store, root, finished_run(case, RunStatus.FAILED, finished_at=days(91)))
    stay = [
        saved(store, root, finished_run(case, finished_at=days(1))),
        saved(store, root, finished_run(case, RunStatus.DEAD, finished_at=days(89))),
        saved(store, root, run_record(case, status=RunStatus.RUNNING, queued_at=days(400))),
    ]
    result = clean(store, root)
    assert result == CleanupJobResult(
        dry_run=False,
        runs=3,
        steps=3,
        artifacts=3,
        adaptations=3,
        files=3,
        bytes_freed=9,
        run_ids=(old[0].id, old[1].id, failed.id),
    )
    assert store.existing_runs([run.id for run in (*old, failed, *stay)]) == {run.id for run in stay}
    assert {path.name for path in root.iterdir()} == {run.id for run in stay}
    assert clean(store, root) == CleanupJobResult(dry_run=False)


def test_a_dry_run_reports_the_same_and_deletes_nothing(store: RunStore, root: Path, case: CaseRecord) -> None:
    """The real run returns the same counts."""
    runs = [saved(store, root, finished_run(case, finished_at=days(age))) for age in (50, 40, 31)]
    touch(root / str(uuid4()) / "1" / "lost.png", age=100)
    announced = clean(store, root, dry_run=True)
    assert (announced.runs, announced.orphans, announced.bytes_freed) == (2, 1, 9)
    assert store.count_rows([run.id for run in runs]).artifacts == 3
    assert len(list(root.rglob("*.png"))) == 4
    assert clean(store, root) == announced.model_copy(update={"dry_run": False})


def test_the_newest_good_run_of_each_case_is_kept(store: RunStore, root: Path, case: CaseRecord) -> None:
    """Even if it has expired, and if newer ones failed."""
    other = store.save_cases([case_record()])[0]
    newest = saved(store, root, finished_run(case, RunStatus.ADAPTED, finished_at=days(100)))
    saved(store, root, finished_run(case, finished_at=days(200)))
    saved(store, root, finished_run(case, RunStatus.FAILED, finished_at=days(95)))
    alone = saved(store, root, finished_run(other, finished_at=days(300)))
    assert (clean(store, root)).runs == 2
    assert {run.id for run in store.list_runs()} == {newest.id, alone.id}


def test_the_payload_wins_over_the_settings(store: RunStore, root: Path, case: CaseRecord) -> None:
    """Days given in the job count, 0 included."""
    saved(store, root, finished_run(case, RunStatus.FAILED, finished_at=days(2)))
    saved(store, root, finished_run(case, finished_at=days(2)))
    saved(store, root, finished_run(case, finished_at=days(1)))
    assert (clean(store, root, keep_days=1)).runs == 1
    assert (clean(store, root, keep_failed_days=0)).runs == 1


def test_a_pinned_run_keeps_everything_until_it_is_unpinned(store: RunStore, root: Path, case: CaseRecord) -> None:
    """Rows, files, and the files of kinds that expire before their run; saving the run again does not unpin it."""
    run = saved(store, root, finished_run(case, RunStatus.FAILED, finished_at=days(100)))
    saved(store, root, finished_run(case, RunStatus.FAILED, finished_at=days(99)))
    assert store.retention.pin([run.id, str(uuid4())], pinned=True) == 1
    store.save([run])
    announced = clean(store, root, now=days(-1), kinds="screenshot=0", dry_run=True)
    assert (announced.runs, announced.pinned) == (1, 1)
    assert announced.summary.endswith("; 1 pinned run kept")
    assert clean(store, root, now=days(-1), kinds="screenshot=0") == announced.model_copy(update={"dry_run": False})
    assert [kept.id for kept in store.list_runs()] == [run.id]
    assert store.list_artifacts([run.id]) == [artifact_record(run)]
    assert (root / run.id / "1" / "failure.png").is_file()
    store.retention.pin([run.id], pinned=False)
    assert (clean(store, root).runs, store.list_runs()) == (1, [])


def test_files_of_a_kind_expire_before_their_run(store: RunStore, root: Path, case: CaseRecord) -> None:
    """Rows and files, not those of other kinds, younger ones or runs that go on; a dry run reports the same."""
    old, young, expired, active = (
        finished_run(case, RunStatus.FAILED, finished_at=days(20)),
        finished_run(case, RunStatus.FAILED, finished_at=days(2)),
        finished_run(case, RunStatus.FAILED, finished_at=days(95)),
        run_record(case, status=RunStatus.RUNNING, queued_at=days(20)),
    )
    runs = (old, young, expired, active)
    for run, age in zip(runs, (20, 2, 95, 20), strict=True):
        traces = [artifact_record(run, "trace.zip", kind=ArtifactKind.TRACE, size_bytes=4, created_at=days(age))]
        store.save(
            [run, *traces, artifact_record(run, "console.jsonl", kind=ArtifactKind.CONSOLE, created_at=days(age))]
        )
        touch(root / run.id / "1" / "trace.zip", "1234")
        touch(root / run.id / "1" / "console.jsonl")
    announced = clean(store, root, kinds="trace=14", dry_run=True)
    assert (announced.runs, announced.artifacts, announced.evidence, announced.bytes_freed) == (1, 3, 1, 11)
    assert "1 file of runs that stay" in announced.summary
    assert clean(store, root, kinds="trace=14") == announced.model_copy(update={"dry_run": False})
    assert {(one.test_run_id, one.name) for one in store.list_artifacts([run.id for run in runs])} == {
        (run.id, name) for run in (young, active) for name in ("trace.zip", "console.jsonl")
    } | {(old.id, "console.jsonl")}
    assert not (root / old.id / "1" / "trace.zip").exists()
    assert len(list(root.rglob("*.*"))) == 5


def test_the_oldest_files_of_a_kind_go_when_all_have_too_many_bytes(
    store: RunStore, root: Path, case: CaseRecord
) -> None:
    """Across runs and pages of rows; those of pinned runs stay and do not count."""
    runs = [finished_run(case, RunStatus.FAILED, finished_at=days(9) + timedelta(hours=n)) for n in range(5)]
    store.save(runs)
    per_run = 100  # so that a page ends within a run
    files = [
        artifact_record(
            run, f"{n:03d}.zip", kind=ArtifactKind.TRACE, size_bytes=1 << 14, created_at=run.finished_at
        )
        for run in runs
        for n in range(per_run)
    ]
    store.save(files)
    store.retention.pin([runs[0].id], pinned=True)
    result = clean(store, root, sizes="trace=3")
    assert result.evidence == 4 * per_run - (3 << 20 >> 14)
    left = {run.id: len(store.list_artifacts([run.id])) for run in runs}
    assert left == {runs[0].id: per_run, runs[1].id: 0, runs[2].id: 0, runs[3].id: 92, runs[4].id: per_run}


def test_old_artifacts_without_a_run_are_deleted(store: RunStore, root: Path, case: CaseRecord) -> None:
    """Recent ones, those of a run, and folders that are not named like a run are kept."""
    known = saved(store, root, finished_run(case))
    touch(root / known.id / "1" / "failure.png", age=400)
    lost, young = str(uuid4()), str(uuid4())
    touch(root / lost / "1" / "trace.zip", "12345", age=91)
    touch(root / young / "1" / "trace.zip", age=89)
    touch(root / "baselines" / "1" / "home.png", age=400)
    result = clean(store, root)
    assert (result.orphans, result.files, result.bytes_freed) == (1, 1, 5)
    assert {path.name for path in root.iterdir()} == {known.id, young, "baselines"}


def test_more_runs_than_are_held_at_once(store: RunStore, root: Path, case: CaseRecord) -> None:
    """Every batch is processed, also those with kept runs; the list of ids is bounded."""
    runs = [finished_run(case, finished_at=days(40) + timedelta(seconds=n)) for n in range(450)]
    store.save(runs)
    result = clean(store, root)
    assert (result.runs, len(result.run_ids)) == (449, 100)
    assert [run.id for run in store.list_runs()] == [runs[-1].id]


def test_a_missing_artifacts_folder_is_not_an_error(store: RunStore, root: Path, case: CaseRecord) -> None:
    """Rows are deleted all the same, as on a machine that never ran a test."""
    store.save([finished_run(case, RunStatus.FAILED, finished_at=days(100))])
    assert (clean(store, root)).runs == 1


def test_progress_reports_the_phases(root: Path) -> None:
    """From 0 to 100 %, under the job's own id."""
    given = services(MemoryStore(), root)
    asyncio.run(CleanupProcessor(given, job_context("cleanup")).run({}))
    assert isinstance(given.progress, ProgressList)
    reports = given.progress.reports
    assert [report.percentage for report in reports] == [0, 25, 50, 75, 100]
    assert {report.test_run_id for report in reports} == {"the-job"}
    assert reports[-1].status is RunStatus.COMPLETED


class TestFailures:
    """With a store in memory that fails on demand."""

    class Crashing(MemoryStore):
        """A store that is unavailable when runs are deleted."""

        gone = True

        def delete_runs(self, run_ids: object) -> int:
            if self.gone:
                raise StoreUnavailableError("Supabase is unavailable")
            return super().delete_runs(list(run_ids))  # type: ignore[call-overload]

    def test_a_crash_midway_is_repaired_by_the_next_cleanup(self, root: Path) -> None:
        """Files are deleted, rows are not: the next job finds the runs and finishes."""
        store = self.Crashing()
        case = store.save_cases([case_record()])[0]
        run = saved(store, root, finished_run(case, RunStatus.FAILED, finished_at=days(100)))
        with pytest.raises(StoreUnavailableError):
            clean(store, root)
        assert store.get_run(run.id) == run
        assert list(root.iterdir()) == []
        store.gone = False
        result = clean(store, root)
        assert (result.runs, result.files) == (1, 0)
        assert store.get_run(run.id) is None

    def test_a_run_whose_files_cannot_be_deleted_keeps_its_rows(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It does not stop the cleanup of others and is named in the log."""
        store = MemoryStore()
        case = store.save_cases([case_record()])[0]
        stuck, easy = (
            saved(store, root, finished_run(case, RunStatus.FAILED, finished_at=days(100))) for _ in range(2)
        )
        unlink = Path.unlink

        def refuse(path: Path, missing_ok: bool = False) -> None:
            if stuck.id in str(path):
                raise PermissionError(13, "Permission denied", str(path))
            unlink(path, missing_ok)

        monkeypatch.setattr(Path, "unlink", refuse)
        result = clean(store, root)
        assert result.run_ids == (easy.id,)
        assert store.existing_runs([stuck.id, easy.id]) == {stuck.id}
        assert f"Cannot delete {root / stuck.id}" in caplog.text

    def test_links_are_deleted_and_their_targets_kept(self, root: Path, tmp_path: Path) -> None:
        """Neither links nor paths in rows lead out of the run's folder."""
        store = MemoryStore()
        case = store.save_cases([case_record()])[0]
        outside = touch(tmp_path / "precious" / "file")
        run = saved(store, root, finished_run(case, RunStatus.FAILED, finished_at=days(100)))
        store.save(
            [artifact_record(run, "x", path="../precious/file"), artifact_record(run, "y", path=str(outside))]
        )
        (root / run.id / "folder").symlink_to(outside.parent)
        (root / run.id / "file").symlink_to(outside)
        linked = saved(store, root / "moved", finished_run(case, RunStatus.FAILED, finished_at=days(100)))
        (root / linked.id).symlink_to(root / "moved" / linked.id)
        stays = finished_run(case, RunStatus.FAILED, finished_at=days(50))
        paths = {"a": "../precious/file", "b": str(outside), "c": f"{run.id}/folder/file", "d": ""}
        store.save(
            [stays, *(artifact_record(stays, name, path=path, created_at=days(50)) for name, path in paths.items())]
        )
        assert clean(store, root, kinds="screenshot=0", dry_run=True).evidence == 4
        result = clean(store, root, kinds="screenshot=0")
        assert (result.runs, result.files, store.list_artifacts([stays.id])) == (2, 8, [])
        assert outside.read_text() == "123"
        assert (root / "moved" / linked.id / "1" / "failure.png").is_file()

    @pytest.mark.parametrize("run_id", ["..", "", ".", "/etc", "a/../..", "baselines"])
    def test_only_a_uuid_has_a_folder(self, root: Path, run_id: str) -> None:
        """Any other id could lead out of the artifacts folder."""
        assert run_folder(root, run_id) is None


class TestArtifactStore:
    """Files in the artifact store follow the same retention."""

    @pytest.fixture
    def share(self, tmp_path: Path) -> Path:
        (tmp_path / "share").mkdir()
        return tmp_path / "share"

    def test_expired_and_orphaned_files_are_deleted_there(self, root: Path, share: Path) -> None:
        """A dry run reports the same; files of other names and of known runs stay."""
        store = MemoryStore()
        case = store.save_cases([case_record()])[0]
        old = saved(store, root, finished_run(case, RunStatus.FAILED, finished_at=days(100)))
        kept = saved(store, root, finished_run(case, finished_at=days(1)))
        touch(share / old.id / "1" / "failure.png", "1234567")
        touch(share / kept.id / "1" / "failure.png", age=400)
        touch(share / "baselines" / "1" / "home.png", age=400)
        touch(share / str(uuid4()) / "1" / "lost.png", "12345", age=91)
        given = services(store, root, qa_keep_days=30, qa_keep_failed_days=90)
        given = replace(given, artifact_store=FolderStore(share))

        def run(**data: bool) -> CleanupJobResult:
            processor = CleanupProcessor(given, job_context("cleanup"), now=lambda: NOON)
            return CleanupJobResult.model_validate(asyncio.run(processor.run(data)))

        announced = run(dry_run=True)
        assert (announced.runs, announced.files, announced.bytes_freed, announced.orphans) == (1, 3, 15, 1)
        assert len(list(share.rglob("*.png"))) == 4
        assert run() == announced.model_copy(update={"dry_run": False})
        assert {path.name for path in share.iterdir()} == {kept.id, "baselines"}

    def test_files_of_a_kind_expire_there_too(self, root: Path, share: Path) -> None:
        """A file that cannot be deleted keeps its row."""
        store = MemoryStore()
        case = store.save_cases([case_record()])[0]
        run = saved(store, root, finished_run(case, RunStatus.FAILED, finished_at=days(20)))
        touch(share / run.id / "1" / "failure.png")
        touch(share / run.id / "1" / "trace.zip")
        given = services(store, root, qa_keep_evidence_days="screenshot=0")

        def run_on(folder: Path) -> CleanupJobResult:
            processor = CleanupProcessor(
                replace(given, artifact_store=FolderStore(folder)), job_context("cleanup"), now=lambda: days(-1)
            )
            return CleanupJobResult.model_validate(asyncio.run(processor.run({})))

        (share.parent / "other").mkdir()
        share.rename(share.parent / "unmounted")
        with pytest.raises(ArtifactStoreError):
            run_on(share)
        assert store.list_artifacts([run.id]) == [artifact_record(run)]
        (share.parent / "unmounted").rename(share)
        assert run_on(share).evidence == 1
        assert [path.name for path in share.rglob("*.*")] == ["trace.zip"]
        assert store.list_artifacts([run.id]) == []

    def test_a_run_keeps_its_rows_while_the_store_is_unavailable(self, root: Path, share: Path) -> None:
        """The next cleanup finds them again."""
        store = MemoryStore()
        case = store.save_cases([case_record()])[0]
        saved(store, root, finished_run(case, RunStatus.FAILED, finished_at=days(100)))
        store_is = FolderStore(share / "unmounted")
        given = replace(services(store, root), artifact_store=store_is)
        with pytest.raises(ArtifactStoreError):
            asyncio.run(CleanupProcessor(given, job_context("cleanup"), now=lambda: NOON).run({}))
        assert len(store.list_runs()) == 1
