"""Results that wait on disk while the store is unavailable: in order, bounded, and safe from crashes.

Each process appends to a database of its own, which it keeps locked. A database without a lock was left behind by
a process that ended, and exactly one of the others gets its lock and delivers it. Documents that the store refuses
for their content, and those that cannot be read, are moved to a file of JSON lines for inspection.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from qa_queue.errors import StoreError
from qa_queue.models import utc_now
from qa_queue.store.entries import Delivery, Entry, decode, encode
from qa_queue.store.outbox_file import SUFFIX, OutboxFile, StoredDocument, is_damage, side_files

log = logging.getLogger(__name__)

SET_ASIDE = "set-aside.jsonl"
_BATCH = 200
_PROBE_BYTES = 64 << 10

Deliver = Callable[[list[Entry]], Delivery]
Rejected = tuple[str, str]  # a document, and why it is not stored


class OutboxFullError(StoreError):
    """The outbox cannot take more: it has reached its limit, or the disk is full."""


@dataclass(frozen=True, kw_only=True)
class Depth:
    """The files that wait in an outbox folder, of all processes of this machine; `size` in bytes."""

    files: int
    size: int


class Outbox:
    """The outbox of one process in the folder `root`; `limit`, in bytes, holds for all processes together.

    Safe to use from several threads. `filled` is False if nothing waits that this process may deliver; `obstacle`
    is the reason why the outbox takes no more, or None, as of the last use.
    """

    def __init__(self, root: Path, limit: int) -> None:
        self.filled = True  # an earlier process may have left a database
        self.obstacle: str | None = None
        self._root = root.resolve()
        self._limit = limit
        self._lock = threading.Lock()
        self._own: OutboxFile | None = None
        self._adopted: dict[Path, OutboxFile] = {}
        self._fault: str | None = None  # the reason why the last append failed
        self._depth = Depth(files=0, size=0)

    @property
    def depth(self) -> Depth:
        """The depth now, or the last one known if the folder cannot be read."""
        with suppress(OSError):
            sizes = [_size(path) for path in _databases(self._root)]
            self._depth = Depth(files=len(sizes), size=sum(sizes))
        return self._depth

    def append(self, entries: Sequence[Entry]) -> None:
        """Keep entries after the others; when this returns they survive a crash of the machine.

        Raises:
            OutboxFullError: there is no space for them; none of them is kept.
        """
        documents = [encode(entry).encode() for entry in entries]
        with self._lock:
            try:
                self._append(documents)
                self.filled = True
            finally:
                self.obstacle = self._find_obstacle()

    def drain(self, deliver: Deliver) -> StoreError | None:
        """Pass waiting entries to `deliver`, in order, and forget the delivered ones.

        The databases of ended processes come first, by age, then the own one. Return the outage that stops this.
        """
        outage = None
        try:
            with self._lock:
                self._adopt()
                files = [*self._adopted.values(), *([self._own] if self._own else [])]
            for file in files:
                outage = outage or self._drain_file(file, deliver)
        except (OSError, sqlite3.Error) as error:
            outage = StoreError(f"the outbox {self._root} cannot be used: {error}.")
        with self._lock:
            self.filled = self._own is not None or bool(self._adopted)
            # While the store takes every row, nothing has to wait on disk, and a full disk does not matter.
            self.obstacle = self._find_obstacle() if outage is not None or self.filled else None
        return outage

    def close(self) -> None:
        """Release the databases; another process delivers what still waits in them."""
        with self._lock:
            for file in (*self._adopted.values(), *([self._own] if self._own else [])):
                file.close()
            self._adopted.clear()
            self._own = None

    def _append(self, documents: list[bytes]) -> None:
        size = sum(map(len, documents))
        if self.depth.size + size > self._limit:
            raise OutboxFullError(
                f"the outbox {self._root} has no space for another {size} bytes: is Supabase running? "
                "QA_OUTBOX_MB sets how much it may hold."
            )
        try:
            if self._own is None:
                self._root.mkdir(parents=True, exist_ok=True)
                self._own = OutboxFile(self._root / f"{uuid4().hex}{SUFFIX}", create=True)
            self._own.append(documents)
        except (OSError, sqlite3.Error) as error:
            self._fault = _cannot_write(self._root, error)
            raise OutboxFullError(self._fault) from error
        self._fault = None

    def _find_obstacle(self) -> str | None:
        """Return why nothing more can be taken, or None; after a failed write, try to write."""
        size = self.depth.size
        if size >= self._limit:
            return f"the outbox {self._root} is full: {size} bytes wait for Supabase, the limit is {self._limit}"
        if self._fault is not None:
            self._fault = self._probe()
        return self._fault

    def _probe(self) -> str | None:
        path = self._root / f"probe-{uuid4().hex}"
        try:
            path.write_bytes(bytes(_PROBE_BYTES))
        except OSError as error:
            return _cannot_write(self._root, error)
        finally:
            with suppress(OSError):
                path.unlink(missing_ok=True)
        return None

    def _adopt(self) -> None:
        """Lock the databases that ended processes left behind, the oldest first."""
        own = self._own and self._own.path
        for path in sorted(_databases(self._root), key=_modified):
            if path == own or path in self._adopted:
                continue
            try:
                self._adopted[path] = OutboxFile(path, create=False)
            except sqlite3.Error as error:  # usually locked by its process, or just removed
                if is_damage(error):
                    _quarantine(path, error)

    def _drain_file(self, file: OutboxFile, deliver: Deliver) -> StoreError | None:
        """Deliver a database and remove it; return the outage that stops this. Rename it if it is damaged."""
        try:
            return self._deliver(file, deliver)
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            with self._lock:
                self._release(file)
                file.close()
                _quarantine(file.path, error)
            return None

    def _deliver(self, file: OutboxFile, deliver: Deliver) -> StoreError | None:
        while documents := self._next_batch(file):
            entries, rejected = _decode(documents)
            delivery = deliver(entries)
            if delivery.outage is not None:
                return delivery.outage
            rejected += [(encode(entry), str(error)) for entry, error in delivery.refused]
            with self._lock:
                _set_aside(self._root / SET_ASIDE, rejected)
                file.forget(documents[-1].id)
        return None

    def _next_batch(self, file: OutboxFile) -> list[StoredDocument]:
        """Return the next documents; remove the database if it has no more."""
        with self._lock:
            documents = file.read(_BATCH)
            if not documents:
                self._release(file)
                file.remove()
            return documents

    def _release(self, file: OutboxFile) -> None:
        self._adopted.pop(file.path, None)
        if file is self._own:
            self._own = None


def _decode(documents: Sequence[StoredDocument]) -> tuple[list[Entry], list[Rejected]]:
    """Return the entries, and the documents that cannot be read with the reason."""
    entries: list[Entry] = []
    rejected: list[Rejected] = []
    for document in documents:
        text = document.content.decode("utf-8", "replace")
        if not document.intact:
            rejected.append((text, "the entry is damaged: its checksum does not match."))
            continue
        try:
            entries.append(decode(text))
        except ValueError as error:
            rejected.append((text, f"the entry cannot be read: {error}."))
    return entries, rejected


def _set_aside(path: Path, rejected: Sequence[Rejected]) -> None:
    """Append documents that will not be stored to a file of JSON lines, durably, and log each."""
    if not rejected:
        return
    at = utc_now().isoformat(timespec="seconds")
    lines = [json.dumps({"at": at, "error": reason, "entry": text}) for text, reason in rejected]
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as file:
        file.write("".join(f"{line}\n" for line in lines).encode())
        file.flush()
        os.fsync(file.fileno())
    for _, reason in rejected:
        log.error("A result could not be stored: %s It was moved to %s.", reason, path)


def _quarantine(path: Path, error: sqlite3.Error) -> None:
    """Rename a damaged database, so that it does not block the others, and log it."""
    kept = path.with_suffix(".damaged")
    for side_file in side_files(path):
        with suppress(FileNotFoundError):
            side_file.rename(kept.with_name(kept.name + side_file.name.removeprefix(path.name)))
    path.rename(kept)
    log.error("A part of the outbox cannot be read (%s); it was renamed to %s.", error, kept)


def _cannot_write(root: Path, error: Exception) -> str:
    return f"the outbox {root} cannot be written: {error}. Is the disk full?"


def _databases(root: Path) -> list[Path]:
    """Return the databases in a folder; none if there is no such folder.

    Raises:
        OSError: it cannot be read; since Python 3.12 `Path.glob` would report an empty folder.
    """
    try:
        return [path for path in root.iterdir() if path.name.endswith(SUFFIX)]
    except FileNotFoundError:
        return []


def _size(path: Path) -> int:
    """Return the bytes of a database and the files beside it."""
    size = 0
    for part in (path, *side_files(path)):
        with suppress(FileNotFoundError):
            size += part.stat().st_size
    return size


def _modified(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0
