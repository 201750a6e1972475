"""Reading artifacts: from the artifacts folder of this machine, or else from the artifact store through a cache."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from qa_queue.errors import InputError, NotFoundError
from qa_queue.settings import Settings
from qa_queue.store.artifacts.opening import open_artifact_store
from qa_queue.store.artifacts.stores import ArtifactStore
from qa_queue.store.records import ArtifactRecord

_CACHE_LIMIT = 1 << 30


class ArtifactFiles:
    """The files of runs, by the path in their row; `cache` keeps at most `limit` bytes of fetched ones."""

    def __init__(
        self,
        root: Path,
        store: ArtifactStore | None = None,
        *,
        cache: Path | None = None,
        limit: int = _CACHE_LIMIT,
    ) -> None:
        self.root = root
        self.store = store
        self._cache = cache or root.parent / "artifact-cache"
        self._limit = limit

    @classmethod
    def from_settings(cls, settings: Settings) -> ArtifactFiles:
        """Return the files of the service that the settings describe.

        Raises:
            SettingsError: QA_ARTIFACTS cannot be read.
        """
        limit = settings.qa_artifact_cache_mb << 20
        return cls(settings.artifacts_dir, open_artifact_store(settings), limit=limit)

    def close(self) -> None:
        """Close the connections to the store."""
        if self.store:
            self.store.close()

    def find(self, path: str) -> Path | None:
        """Return the file as one on this machine; None if it is neither here nor in the store.

        Raises:
            ArtifactStoreError: the store cannot be used now.
        """
        local = _inside(self.root, path)
        if local is None or local.is_file():
            return local
        return self._fetched(path) if self.store else None

    def place_of(self, path: str) -> str:
        """Return where the file is, for people: its path on this machine, or its place in the store."""
        local = self.root / path
        return str(local) if self.store is None or local.exists() else f"{self.store.name}/{path}"

    def _fetched(self, path: str) -> Path | None:
        assert self.store is not None
        kept = _inside(self._cache, path)
        if kept is None:
            return None
        if kept.is_file():
            os.utime(kept)
            return kept
        kept.parent.mkdir(parents=True, exist_ok=True)
        draft = kept.with_name(f".{uuid4()}")
        try:
            self.store.fetch(path, draft)
            draft.replace(kept)
        except NotFoundError:
            return None
        finally:
            draft.unlink(missing_ok=True)
        self._prune(kept)
        return kept

    def _prune(self, newest: Path) -> None:
        """Delete the files that were not used for longest, until the rest fits."""
        files: list[tuple[float, int, Path]] = []
        for file in self._cache.rglob("*"):
            with suppress(FileNotFoundError):  # another process prunes too
                if file.is_file():
                    entry = file.stat()
                    files.append((entry.st_mtime, entry.st_size, file))
        size = sum(entry[1] for entry in files)
        for _, one, file in sorted(files):
            if size <= self._limit:
                return
            if file != newest:
                file.unlink(missing_ok=True)
                size -= one


def save_artifacts(files: ArtifactFiles, rows: Iterable[ArtifactRecord], folder: Path) -> list[ArtifactRecord]:
    """Copy the files of these rows into a folder, as `ATTEMPT/NAME`; return the rows whose file does not exist.

    Raises:
        ArtifactStoreError: the store cannot be used now.
        InputError: the folder cannot be written to.
    """
    missing = []
    for row in rows:
        source = files.find(row.path)
        if source is None:
            missing.append(row)
            continue
        target = folder / str(row.attempt) / row.name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        except OSError as error:
            raise InputError(f"{target} cannot be written: {error.strerror or error}.") from None
    return missing


def missing_file(files: ArtifactFiles, path: str, worker: str | None) -> str:
    """Return the message for an artifact that `find` does not find."""
    if files.store is None:
        return (
            f"{files.root / path} is not on this machine: the worker {worker} wrote it into its own QA_HOME. "
            "QA_ARTIFACTS names a place for the files of all machines."
        )
    return (
        f"{files.store.name} has no {path}: it was deleted, or {worker} has not uploaded it yet. The worker's log "
        "names the reason."
    )


def _inside(folder: Path, path: str) -> Path | None:
    """Return the path below the folder; None if it leads out of it."""
    root = folder.resolve()
    found = (root / path).resolve()
    return found if found.is_relative_to(root) else None
