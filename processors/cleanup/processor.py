"""The processor of the `cleanup` queue."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import ClassVar

from processors.base import BaseJobProcessor, Services
from processors.cleanup.retention import (
    BAD,
    GOOD,
    Freed,
    RetentionPolicy,
    clear,
    clear_artifact,
    expired,
    is_run_id,
    run_folder,
    run_folders,
    untouched_since,
)
from qa_queue.models import (
    ArtifactKind,
    CleanupJobData,
    CleanupJobResult,
    JobContext,
    JobProgress,
    RunStatus,
    utc_now,
)
from qa_queue.store.artifacts import ArtifactStore, ArtifactStoreError
from qa_queue.store.mapping import chunks
from qa_queue.store.records import ArtifactRecord, RunRecord
from qa_queue.suites.bundle import PREFIX

log = logging.getLogger(__name__)

BATCH = 200  # runs held in memory at a time
IDS_REPORTED = 100
_PHASES = ("good runs", "failed runs", "files of kinds", "artifacts without a run")


class CleanupProcessor(BaseJobProcessor[CleanupJobData, CleanupJobResult]):
    """Deletes runs past their retention; a dry run reports the same and deletes nothing.

    Good runs are kept for `keep_days`, all others for `keep_failed_days`; the newest good run of each case and
    pinned runs are kept forever. Files of other runs may expire before their run. The files of a run are deleted
    before its rows: after a crash in between, the next cleanup finds the rows again, whereas files without rows
    would be lost. A run or file that cannot be deleted keeps its rows, for the same reason, and is logged.
    """

    payload: ClassVar[type[CleanupJobData]] = CleanupJobData

    def __init__(self, services: Services, context: JobContext, *, now: Callable[[], datetime] = utc_now) -> None:
        super().__init__(services, context)
        self._now = now
        self._newest: dict[str, str | None] = {}  # the newest good run of each case so far

    async def process(self, data: CleanupJobData) -> CleanupJobResult:
        """Clean up phase by phase and return the counts."""
        now, policy = self._now(), self._policy(data)
        result = CleanupJobResult(dry_run=data.dry_run)
        for phase, work in enumerate(self._phases(policy, now, dry_run=data.dry_run)):
            await self._report(phase, result)
            while found := await asyncio.to_thread(next, work, None):
                result = _sum(result, found)
                await self._report(phase, result)
        await self._report(len(_PHASES), result)
        log.info("Cleanup %s: %s", self.context.job_id, result.summary)
        return result

    def _policy(self, data: CleanupJobData) -> RetentionPolicy:
        settings = self.services.settings
        return RetentionPolicy(
            keep_days=settings.qa_keep_days if data.keep_days is None else data.keep_days,
            keep_failed_days=(
                settings.qa_keep_failed_days if data.keep_failed_days is None else data.keep_failed_days
            ),
            evidence_days=settings.keep_evidence_days,
            evidence_bytes=settings.keep_evidence_bytes,
        )

    def _phases(self, policy: RetentionPolicy, now: datetime, *, dry_run: bool) -> list[Iterator[CleanupJobResult]]:
        clean = _Cleaner(self.services, dry_run=dry_run)
        return [
            self._runs(clean, policy, now, GOOD, policy.good_before(now)),
            self._runs(clean, policy, now, BAD, policy.bad_before(now)),
            self._files(clean, policy, now),
            clean.orphans(policy.orphans_before(now)),
        ]

    def _runs(
        self,
        clean: _Cleaner,
        policy: RetentionPolicy,
        now: datetime,
        statuses: Sequence[RunStatus],
        before: datetime,
    ) -> Iterator[CleanupJobResult]:
        """Clean up runs with these statuses, oldest first, a batch at a time."""
        last: RunRecord | None = None
        while page := self.services.store.list_runs(
            statuses=statuses, finished_before=before, limit=BATCH, oldest_first=True, after=last
        ):
            last = page[-1]
            found = clean.runs(self._expired(page, policy, now))
            yield found.model_copy(update={"pinned": sum(run.pinned for run in page)})

    def _files(self, clean: _Cleaner, policy: RetentionPolicy, now: datetime) -> Iterator[CleanupJobResult]:
        """Clean up the files of each kind that has a limit of its own, a batch at a time."""
        for kind in policy.kinds:
            yield from self._files_of(kind, clean, policy, now)

    def _files_of(
        self, kind: ArtifactKind, clean: _Cleaner, policy: RetentionPolicy, now: datetime
    ) -> Iterator[CleanupJobResult]:
        retention, last, kept = self.services.store.retention, None, 0
        before = None if kind in policy.evidence_bytes else policy.files_before(kind, now)
        while page := retention.files(kind, limit=BATCH, before=before, after=last):
            last = page[-1]
            runs = retention.runs(sorted({file.test_run_id for file in page}))
            gone = {run.id for run in self._expired(runs, policy, now)}  # a dry run has counted their files
            stay = {run.id for run in runs if run.status.final and not run.pinned} - gone
            old, kept = policy.surplus(
                kind, (file for file in page if file.test_run_id in stay), now=now, kept=kept
            )
            yield clean.files(old)

    def _expired(self, runs: Sequence[RunRecord], policy: RetentionPolicy, now: datetime) -> list[RunRecord]:
        keep = frozenset(filter(None, (self._newest_good(run.test_case_id) for run in runs)))
        return expired(runs, now=now, policy=policy, keep=keep)

    def _newest_good(self, case_id: str) -> str | None:
        if case_id not in self._newest:
            newest = self.services.store.list_runs(case_ids=[case_id], statuses=GOOD, limit=1)
            self._newest[case_id] = newest[0].id if newest else None
        return self._newest[case_id]

    async def _report(self, phase: int, result: CleanupJobResult) -> None:
        done = phase == len(_PHASES)
        await self.update_progress(
            JobProgress(
                test_run_id=self.context.job_id,
                current_step=phase,
                total_steps=len(_PHASES),
                percentage=100 * phase // len(_PHASES),
                message=result.summary if done else f"{_PHASES[phase]}: {result.summary}",
                status=RunStatus.COMPLETED if done else RunStatus.RUNNING,
            )
        )


@dataclass(frozen=True)
class _Cleaner:
    """Deletes runs and artifacts, or only counts them."""

    services: Services
    dry_run: bool

    def runs(self, runs: Sequence[RunRecord]) -> CleanupJobResult:
        """Delete the files of these runs, then their rows."""
        store = self.services.store
        cleared = {run.id: self._clear_run(run.id) for run in runs}
        gone = {run_id: freed for run_id, freed in cleared.items() if freed is not None}
        rows = store.count_rows(list(gone))
        if not self.dry_run:
            store.delete_runs(list(gone))
        freed = sum(gone.values(), Freed())
        return CleanupJobResult(
            dry_run=self.dry_run,
            runs=rows.runs,
            steps=rows.steps,
            artifacts=rows.artifacts,
            adaptations=rows.adaptations,
            files=freed.files,
            bytes_freed=freed.size,
            run_ids=tuple(gone)[:IDS_REPORTED],
        )

    def files(self, files: Sequence[ArtifactRecord]) -> CleanupJobResult:
        """Delete these files of runs that stay, then their rows."""
        gone = [file for file in files if self.dry_run or self._clear_artifact(file)]
        if not self.dry_run:
            self.services.store.retention.delete_files([file.id for file in gone])
        size = sum(file.size_bytes for file in gone)
        return CleanupJobResult(
            dry_run=self.dry_run, artifacts=len(gone), files=len(gone), bytes_freed=size, evidence=len(gone)
        )

    def orphans(self, before: datetime) -> Iterator[CleanupJobResult]:
        """Delete old artifacts whose run is not in the store, a batch at a time."""
        yield from self._orphans_here(before)
        yield from self._orphans_in_store(before)

    def _orphans_here(self, before: datetime) -> Iterator[CleanupJobResult]:
        for folders in chunks(run_folders(self.services.artifacts_dir), BATCH):
            known = self.services.store.existing_runs([folder.name for folder in folders])
            lost = [folder for folder in folders if folder.name not in known and untouched_since(folder, before)]
            cleared = [freed for freed in map(self._clear, lost) if freed is not None]
            freed = sum(cleared, Freed())
            yield CleanupJobResult(
                dry_run=self.dry_run, orphans=len(cleared), files=freed.files, bytes_freed=freed.size
            )

    def _orphans_in_store(self, before: datetime) -> Iterator[CleanupJobResult]:
        stored = self.services.artifact_store
        if stored is None:
            return
        old = (run for run in stored.runs() if run.changed_at < before and _is_own(run.run_id))
        while batch := list(islice(old, BATCH)):
            known = self.services.store.existing_runs([run.run_id for run in batch if is_run_id(run.run_id)])
            cleared = [self._delete(stored, run.run_id) for run in batch if run.run_id not in known]
            freed = sum((one for one in cleared if one is not None), Freed())
            yield CleanupJobResult(
                dry_run=self.dry_run, orphans=len(cleared), files=freed.files, bytes_freed=freed.size
            )

    def _clear_run(self, run_id: str) -> Freed | None:
        """Delete a run's files on this machine and in the artifact store; None if that fails."""
        here = self._clear(run_folder(self.services.artifacts_dir, run_id))
        stored = self.services.artifact_store
        if stored is None or here is None or not is_run_id(run_id):
            return here
        there = self._delete(stored, run_id)
        return None if there is None else here + there

    def _clear_artifact(self, file: ArtifactRecord) -> bool:
        """Delete a file on this machine and in the artifact store; return False if that fails."""
        try:
            clear_artifact(self.services.artifacts_dir, file)
            if self.services.artifact_store is not None:
                self.services.artifact_store.delete_file(file.path)
        except (OSError, ArtifactStoreError) as error:
            log.warning("%s cannot be deleted: %s The next cleanup tries again.", file.path, error)
            return False
        return True

    def _delete(self, stored: ArtifactStore, run_id: str) -> Freed | None:
        try:
            found = stored.measure(run_id) if self.dry_run else stored.delete(run_id)
        except ArtifactStoreError as error:
            log.warning("%s The next cleanup tries again.", error)
            return None
        return Freed(found.files, found.size)

    def _clear(self, folder: Path | None) -> Freed | None:
        """Delete a folder; None if that fails, so that the run is kept."""
        try:
            return clear(folder, dry_run=self.dry_run) if folder else Freed()
        except OSError as error:
            log.warning(
                "Cannot delete %s (%s): check its owner. The next cleanup tries again.", error.filename, error
            )
            return None


def _is_own(name: str) -> bool:
    """Return whether a folder of the artifact store is that of a run or of a suite's bundle."""
    return is_run_id(name) or name.startswith(PREFIX)


def _sum(one: CleanupJobResult, other: CleanupJobResult) -> CleanupJobResult:
    counted = ("runs", "steps", "artifacts", "adaptations", "files", "orphans", "bytes_freed", "evidence", "pinned")
    totals = {name: getattr(one, name) + getattr(other, name) for name in counted}
    return one.model_copy(update=totals | {"run_ids": (one.run_ids + other.run_ids)[:IDS_REPORTED]})
