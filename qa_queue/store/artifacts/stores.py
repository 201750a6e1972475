"""The interface of artifact stores, and the one in a shared folder.

A file's path in a store is `<run>/<attempt>/<name>`, as in the artifacts folder of the worker that made it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from qa_queue.errors import InfrastructureError, NotFoundError

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class ArtifactStoreError(InfrastructureError):
    """The artifact store cannot be used now, or refuses the login."""


class ArtifactRefusedError(ArtifactStoreError):
    """The artifact store refuses this file, as one above its size limit; trying again does not help."""


@dataclass(frozen=True)
class RunFiles:
    """The files of one run in a store: their number, their size in bytes, and when the last one was changed."""

    run_id: str
    files: int = 0
    size: int = 0
    changed_at: datetime = _NEVER

    @classmethod
    def total(cls, run_id: str, files: Iterable[tuple[int, datetime]]) -> RunFiles:
        """Return the total of a run's files, each given by its size and the time of its last change."""
        known = list(files)
        return cls(
            run_id, len(known), sum(size for size, _ in known), max((moment for _, moment in known), default=_NEVER)
        )


class ArtifactStore(Protocol):
    """A place for files. Safe to use from several threads.

    Every method raises `ArtifactStoreError` when the store cannot be used.
    """

    name: str
    """The place, as messages name it."""

    def put(self, path: str, source: Path, content_type: str) -> None:
        """Store a file; one at the same path is replaced. Readers see either none or all of it.

        Raises:
            ArtifactRefusedError: the store will never take it.
        """

    def fetch(self, path: str, target: Path) -> None:
        """Write a stored file to `target`.

        Raises:
            NotFoundError: there is no such file.
        """

    def measure(self, run_id: str) -> RunFiles:
        """Return what a run has in the store."""

    def delete(self, run_id: str) -> RunFiles:
        """Delete the files of a run, and return what they were; a run may have none."""

    def delete_file(self, path: str) -> None:
        """Delete one file; it need not exist."""

    def runs(self) -> Iterator[RunFiles]:
        """Go through the runs that have files, in any order."""

    def close(self) -> None:
        """Close the connections."""


class FolderStore:
    """A folder that all machines share, as by NFS; it must exist."""

    def __init__(self, root: Path) -> None:
        self.name = str(root)
        self._root = root

    def put(self, path: str, source: Path, content_type: str) -> None:  # noqa: ARG002 - files have no type
        """Store a file."""
        target = self._root / path
        draft = target.with_name(f".{uuid4()}")
        with self._usable():
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, draft)
                draft.replace(target)
            except OSError:
                with suppress(OSError):
                    draft.unlink(missing_ok=True)
                raise

    def fetch(self, path: str, target: Path) -> None:
        """Copy a file."""
        with self._usable():
            try:
                shutil.copyfile(self._root / path, target)
            except FileNotFoundError:
                raise NotFoundError(f"{self.name} has no file {path}.") from None

    def measure(self, run_id: str) -> RunFiles:
        """Return what a run has in the folder."""
        with self._usable():
            found = os.walk(self._root / run_id)
            entries = [Path(folder, name).lstat() for folder, _, names in found for name in names]
        return RunFiles.total(
            run_id, ((entry.st_size, datetime.fromtimestamp(entry.st_mtime, UTC)) for entry in entries)
        )

    def delete(self, run_id: str) -> RunFiles:
        """Delete the folder of a run."""
        found = self.measure(run_id)
        with self._usable(), suppress(FileNotFoundError):
            shutil.rmtree(self._root / run_id)
        return found

    def delete_file(self, path: str) -> None:
        """Delete one file, of a path that stays in the folder."""
        target = self._root / path
        with self._usable():
            if target.parent.resolve().is_relative_to(self._root.resolve()):
                target.unlink(missing_ok=True)

    def runs(self) -> Iterator[RunFiles]:
        """Go through the folders of runs."""
        with self._usable():
            names = sorted(path.name for path in self._root.iterdir() if path.is_dir() and not path.is_symlink())
        yield from map(self.measure, names)

    def close(self) -> None:
        """Do nothing: a folder has no connections."""

    @contextmanager
    def _usable(self) -> Iterator[None]:
        """Check that the folder exists, and name the store in errors of the block."""
        try:
            if not self._root.is_dir():
                raise NotADirectoryError(f"there is no folder {self._root}")
            yield
        except OSError as error:
            raise ArtifactStoreError(
                f"the artifact store {self.name} cannot be used: {error.strerror or error}."
            ) from None
