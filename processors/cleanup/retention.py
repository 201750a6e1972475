"""Retention: the runs that have expired (pure, the time is an argument), and the folders of their artifacts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from qa_queue.models import ArtifactKind, RunStatus
from qa_queue.store.records import ArtifactRecord, RunRecord

GOOD = tuple(status for status in RunStatus if status.good)
BAD = tuple(status for status in RunStatus if status.final and not status.good)


@dataclass(frozen=True, kw_only=True)
class RetentionPolicy:
    """The days that a run is kept after its end: a good one, and one that ended in any other way.

    Files of a kind may have an earlier end: `evidence_days` after their creation, or once the newer ones of all
    runs have `evidence_bytes`.
    """

    keep_days: int
    keep_failed_days: int
    evidence_days: Mapping[ArtifactKind, int] = field(default_factory=dict)
    evidence_bytes: Mapping[ArtifactKind, int] = field(default_factory=dict)

    @property
    def kinds(self) -> list[ArtifactKind]:
        """The kinds of files with a limit of their own."""
        return [kind for kind in ArtifactKind if kind in self.evidence_days or kind in self.evidence_bytes]

    def files_before(self, kind: ArtifactKind, now: datetime) -> datetime | None:
        """Return the moment before which a file must have been created to be deleted; None without such a limit."""
        return now - timedelta(days=self.evidence_days[kind]) if kind in self.evidence_days else None

    def surplus(
        self, kind: ArtifactKind, files: Iterable[ArtifactRecord], *, now: datetime, kept: int
    ) -> tuple[list[ArtifactRecord], int]:
        """Return those of these files of a kind, newest first, that have expired, and the bytes of those kept.

        `kept` are the bytes of newer files.
        """
        before, most = self.files_before(kind, now), self.evidence_bytes.get(kind)
        gone: list[ArtifactRecord] = []
        for file in files:
            is_old = before is not None and file.created_at < before
            if is_old or (most is not None and kept + file.size_bytes > most):
                gone.append(file)
            else:
                kept += file.size_bytes
        return gone, kept

    def good_before(self, now: datetime) -> datetime:
        """Return the moment before which a good run must have ended to be deleted."""
        return now - timedelta(days=self.keep_days)

    def bad_before(self, now: datetime) -> datetime:
        """Return the moment before which any other run must have ended to be deleted."""
        return now - timedelta(days=self.keep_failed_days)

    def orphans_before(self, now: datetime) -> datetime:
        """Return the moment before which artifacts without a run must have been changed last to be deleted.

        They are kept as long as the longer-lived runs: right after a change of SUPABASE_URL every folder looks like
        an orphan, and must not be deleted for that.
        """
        return min(self.good_before(now), self.bad_before(now))


def expired(
    runs: Iterable[RunRecord], *, now: datetime, policy: RetentionPolicy, keep: frozenset[str] = frozenset()
) -> list[RunRecord]:
    """Return the expired runs.

    A run that has not ended never expires, nor does a pinned one, or one with an id in `keep`: the newest good run
    of each case is kept to compare failures with.
    """
    before = dict.fromkeys(GOOD, policy.good_before(now)) | dict.fromkeys(BAD, policy.bad_before(now))
    return [
        run
        for run in runs
        if run.id not in keep
        and not run.pinned
        and run.finished_at is not None
        and run.status in before
        and run.finished_at < before[run.status]
    ]


@dataclass(frozen=True)
class Freed:
    """The number of deleted files and their size in bytes."""

    files: int = 0
    size: int = 0

    def __add__(self, other: Freed) -> Freed:
        return Freed(self.files + other.files, self.size + other.size)


def run_folder(root: Path, run_id: str) -> Path | None:
    """Return the folder of a run's artifacts; None for an id that is not a UUID and could lead anywhere."""
    return root / run_id if is_run_id(run_id) else None


def clear_artifact(root: Path, file: ArtifactRecord) -> None:
    """Delete the file of an artifact; a path that leads out of its run's folder is not followed.

    Raises:
        OSError: it cannot be deleted.
    """
    folder, path = run_folder(root.resolve(), file.test_run_id), root / file.path
    if folder is not None and path.parent.resolve().is_relative_to(folder):
        path.unlink(missing_ok=True)


def clear(path: Path, *, dry_run: bool) -> Freed:
    """Delete a folder, or only measure it; links are deleted but not followed. A missing folder is not an error.

    Raises:
        OSError: something cannot be deleted.
    """
    freed = sum((_clear_file(file, dry_run=dry_run) for file in _files(path)), Freed())
    if not dry_run:
        _clear_folders(path)
    return freed


def untouched_since(path: Path, moment: datetime) -> bool:
    """Return True if nothing in the folder was changed since then; False while it is being changed."""
    try:
        latest = max(entry.lstat().st_mtime for entry in (path, *path.rglob("*")))
    except FileNotFoundError:
        return False
    return datetime.fromtimestamp(latest, UTC) < moment


def run_folders(root: Path) -> list[Path]:
    """Return the folders of runs below the root, by name; others are not the service's own."""
    if not root.is_dir():
        return []
    return sorted(
        path for path in root.iterdir() if is_run_id(path.name) and path.is_dir() and not path.is_symlink()
    )


def is_run_id(name: str) -> bool:
    """Return whether the name of a folder is the id of a run."""
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False


def _files(path: Path) -> Iterator[Path]:
    if path.is_symlink() or path.is_file():
        yield path
        return
    for folder, folders, files in os.walk(path):
        here = Path(folder)
        links = [name for name in folders if (here / name).is_symlink()]
        yield from (here / name for name in files + links)


def _clear_file(file: Path, *, dry_run: bool) -> Freed:
    try:
        size = file.lstat().st_size
        if not dry_run:
            file.unlink()
    except FileNotFoundError:  # deleted meanwhile
        return Freed()
    return Freed(1, size)


def _clear_folders(path: Path) -> None:
    if path.is_symlink() or not path.is_dir():
        return
    for folder, _, _ in os.walk(path, topdown=False):
        with suppress(FileNotFoundError):
            Path(folder).rmdir()
