"""Uploads in the background: each file waits on disk, with a note beside it, until the artifact store has it."""

from __future__ import annotations

import json
import logging
import os
import random
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from qa_queue.models.values import exponential
from qa_queue.store.artifacts.stores import ArtifactRefusedError, ArtifactStore, ArtifactStoreError
from qa_queue.store.outbox import Depth

log = logging.getLogger(__name__)

LOOK_S = 5.0  # between two searches for what other processes left
CLOSE_TIMEOUT_S = 10.0
_BASE_MS = 500
_CAP_MS = 30_000
_SUFFIX = ".json"
_REFUSED = "refused.jsonl"


@dataclass(frozen=True)
class _Pending:
    """A file that waits; `note` is the file that says so."""

    note: Path
    path: str
    content_type: str


class UploadQueue:
    """Uploads files of the artifacts folder `root`, oldest first, and deletes them there afterwards.

    What waits is noted in the folder `pending`, so it outlives this process and the machine; one process at a time
    uploads for all that share the folder. Nothing is lost while the store is unavailable. A file that the store
    refuses stays in the artifacts folder, and `refused.jsonl` says why. Above `limit` waiting bytes, no more jobs
    are taken. Safe to use from several threads.
    """

    def __init__(self, root: Path, pending: Path, store: ArtifactStore, *, limit: int) -> None:
        self._root = root
        self._pending = pending
        self._store = store
        self._limit = limit
        self._size = 0
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="uploads", daemon=True)

    def start(self) -> None:
        """Start uploading."""
        self._pending.mkdir(parents=True, exist_ok=True)
        self._thread.start()

    def add(self, path: str, content_type: str) -> None:
        """Note that a file of the artifacts folder is to be uploaded; the note outlives a crash of the machine.

        Raises:
            OSError: it cannot be noted.
        """
        note = self._pending / f"{uuid4()}{_SUFFIX}"
        draft = note.with_suffix(".draft")
        with draft.open("w", encoding="utf-8") as out:
            json.dump({"path": path, "content_type": content_type}, out)
            out.flush()
            os.fsync(out.fileno())
        draft.replace(note)
        self._wake.set()

    def close(self, timeout: float = CLOSE_TIMEOUT_S) -> None:
        """Upload for at most `timeout` seconds more; what is left then waits for the next process."""
        self._ending.set()
        self._wake.set()
        self._thread.join(timeout)

    @property
    def depth(self) -> Depth:
        """The number of waiting files and their size."""
        waiting = list(self._waiting())
        return Depth(files=len(waiting), size=sum(_size(self._root / one.path) for one in waiting))

    @property
    def obstacle(self) -> str | None:
        """The reason to take no more jobs, as of the last round; else None."""
        if self._size <= self._limit:
            return None
        return (
            f"{self._size >> 20} MiB of artifacts wait for {self._store.name}, more than QA_UPLOADS_MB allows: "
            "is the artifact store available?"
        )

    def drain(self) -> ArtifactStoreError | None:
        """Upload all that waits, unless another process does; return the outage that stops this."""
        try:
            with FileLock(self._pending / ".lock", timeout=0):
                for one in self._waiting():
                    self._upload(one)
        except Timeout:
            return None
        except ArtifactStoreError as error:
            return error
        except OSError as error:
            return ArtifactStoreError(f"artifacts cannot be uploaded: {error}.")
        return None

    def _run(self) -> None:
        failures = 0
        while True:
            self._wake.clear()
            closing = self._ending.is_set()
            outage = self.drain()
            if outage and not failures:
                log.warning("%s Artifacts wait on this machine.", outage)
            if failures and not outage:
                log.info("The artifact store %s can be used again.", self._store.name)
            failures = failures + 1 if outage else 0
            self._size = self.depth.size if outage else 0
            if closing:
                return
            if outage:
                self._ending.wait(_pause_s(failures))
            else:
                self._wake.wait(LOOK_S)

    def _upload(self, one: _Pending) -> None:
        source = self._root / one.path
        before = _identity(source)
        if before is None:  # a cleanup deleted it
            one.note.unlink(missing_ok=True)
            return
        try:
            self._store.put(one.path, source, one.content_type)
        except ArtifactRefusedError as error:
            self._set_aside(one, error)
            return
        one.note.unlink(missing_ok=True)
        if _identity(source) == before:  # not written again meanwhile
            source.unlink(missing_ok=True)
            _remove_empty(source.parent, self._root)

    def _set_aside(self, one: _Pending, error: ArtifactRefusedError) -> None:
        log.error("%s The file stays in %s.", error, self._root)
        with (self._pending / _REFUSED).open("a", encoding="utf-8") as out:
            out.write(json.dumps({"path": one.path, "error": str(error)}) + "\n")
        one.note.unlink(missing_ok=True)

    def _waiting(self) -> Iterator[_Pending]:
        """Go through what waits, the oldest first; a note that is damaged is moved aside."""
        notes = ((_identity(note), note) for note in self._pending.glob(f"*{_SUFFIX}"))
        for _, note in sorted((known, note) for known, note in notes if known):
            try:
                found = json.loads(note.read_text(encoding="utf-8"))
                yield _Pending(note, found["path"], found["content_type"])
            except FileNotFoundError:
                continue
            except (ValueError, KeyError, TypeError):
                log.error("The note %s is damaged.", note)  # noqa: TRY400 - the traceback adds nothing
                with suppress(OSError):
                    note.replace(note.with_suffix(".damaged"))


def _pause_s(failures: int) -> float:
    return exponential(failures, base_ms=_BASE_MS, cap_ms=_CAP_MS, jitter=random.random()) / 1000  # noqa: S311


def _identity(path: Path) -> tuple[int, int, int] | None:
    """Return what tells this content of a file from another, the time first; None if there is no file."""
    try:
        entry = path.stat()
    except FileNotFoundError:
        return None
    return entry.st_mtime_ns, entry.st_size, entry.st_ino


def _size(path: Path) -> int:
    found = _identity(path)
    return found[1] if found else 0


def _remove_empty(folder: Path, root: Path) -> None:
    """Remove the folder and its parents below the root, as far as they are empty."""
    with suppress(OSError):
        while folder != root:
            folder.rmdir()
            folder = folder.parent
