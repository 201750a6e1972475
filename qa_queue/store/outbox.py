"""What waits on disk for a store that cannot be reached: in order, bounded, and safe from crashes.

Each process appends to segments in a folder of its own, which it holds a lock on for as long as it lives. So a
folder whose lock is free was left by a process that died, and exactly one of those who find it may adopt it.

A segment is a row of frames: length and CRC-32 of the payload (4 bytes each, big-endian), then the payload, JSON.
A process that dies in the middle of a frame leaves a torn one at the end, which nobody was told is safe.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from pydantic import ValidationError

from qa_queue.errors import StoreError
from qa_queue.models import Frozen
from qa_queue.store.mapping import TABLES, mend
from qa_queue.store.write_batch import Entry, RunChange

log = logging.getLogger(__name__)

SEGMENT_BYTES = 4 << 20
_HEAD = struct.Struct(">II")
_LOCK = "lock"
_PROBE_BYTES = 64 << 10
_KINDS: dict[str, type[Frozen]] = {table: kind for kind, table in TABLES.items()}


class OutboxFullError(StoreError):
    """The outbox cannot take more: its limit or the disk's is reached."""


@dataclass(frozen=True, kw_only=True)
class Depth:
    """What waits in an outbox folder, of all processes of this machine."""

    segments: int
    size: int  # bytes


def encode(entry: Entry) -> bytes:
    """An entry as one frame."""
    if isinstance(entry, RunChange):
        document: dict[str, Any] = {"run": entry.run_id, "fields": entry.fields}
    else:
        document = {"table": TABLES[type(entry)], "row": mend(entry.model_dump())}
    payload = json.dumps(document, ensure_ascii=True, separators=(",", ":")).encode()
    return _HEAD.pack(len(payload), zlib.crc32(payload)) + payload


def decode(data: bytes) -> Iterator[Entry]:
    """The entries of a segment, up to the first frame that is torn.

    Raises:
        ValueError: a whole frame is damaged, or holds nothing that this version knows.
    """
    at = 0
    while at + _HEAD.size <= len(data):
        length, crc = _HEAD.unpack_from(data, at)
        payload = data[at + _HEAD.size : at + _HEAD.size + length]
        if len(payload) < length:
            return
        if zlib.crc32(payload) != crc:
            if at + _HEAD.size + length >= len(data):
                return  # the last one: its end was never written
            raise ValueError(f"the frame at byte {at} is damaged")
        yield _entry(json.loads(payload))
        at += _HEAD.size + length


def _entry(document: dict[str, Any]) -> Entry:
    if "run" in document:
        return RunChange(document["run"], document["fields"])
    record: Any = _KINDS[document["table"]].model_validate(document["row"])
    return record  # type: ignore[no-any-return]


class Outbox:
    """The outbox of one process under `root`; `limit` in bytes is that of all of them together.

    Used by one thread at a time. `fault` is why the last `append` failed.
    """

    def __init__(self, root: Path, limit: int) -> None:
        self._root = root
        self._limit = limit
        self._own = root / uuid4().hex
        self._fault: str | None = None
        self._lock: IO[bytes] | None = None
        self._adopted: dict[Path, IO[bytes]] = {}
        self._file: IO[bytes] | None = None
        self._number = 0

    @property
    def depth(self) -> Depth:
        """What waits here, of every process."""
        sizes = [_size(path) for path in self._root.glob("*/*.seg")]
        return Depth(segments=len(sizes), size=sum(sizes))

    def obstacle(self) -> str | None:
        """Why nothing more can be taken; None while there is room. Tries, where the disk refused the last time."""
        size = self.depth.size
        if size >= self._limit:
            return f"the outbox {self._root} is full: {size} bytes wait for Supabase, and {self._limit} may"
        if self._fault is not None:
            self._fault = self._probe()
        return self._fault

    def append(self, entries: Sequence[Entry]) -> None:
        """Keep entries behind the others; when it returns they survive a crash of the machine.

        Raises:
            OutboxFullError: there is no room for them; none of them is kept.
        """
        frames = b"".join(map(encode, entries))
        if self.depth.size + len(frames) > self._limit:
            raise OutboxFullError(
                f"the outbox {self._root} has no room for {len(frames)} bytes more: is Supabase running? "
                "QA_OUTBOX_MB says how much it may hold."
            )
        try:
            self._write(frames)
        except OSError as error:
            self._close_segment()
            self._fault = _cannot_write(self._root, error)
            raise OutboxFullError(self._fault) from error
        self._fault = None

    def adopt(self) -> None:
        """Take over what dead processes left."""
        for folder in self._root.iterdir() if self._root.is_dir() else ():
            if folder != self._own and folder not in self._adopted and (lock := _try_lock(folder)):
                self._adopted[folder] = lock

    def waiting(self) -> list[Path]:
        """The segments to be drained, in order: those left by others, oldest first, then our own."""
        left = [path for folder in self._adopted for path in folder.glob("*.seg")]
        own = self._own.glob("*.seg") if self._own.is_dir() else ()
        return [*sorted(left, key=lambda path: (_modified(path), path.name)), *sorted(own)]

    def read(self, segment: Path) -> list[Entry]:
        """The entries of a segment; what follows goes to the next one. A damaged one is put aside, and said so."""
        if self._file is not None and segment.name == self._name(self._number):
            self._close_segment()
        try:
            return list(decode(segment.read_bytes()))
        except (ValueError, KeyError, ValidationError) as error:
            aside = segment.with_suffix(".damaged")
            segment.rename(aside)
            log.error("A part of the outbox cannot be read (%s); it is kept as %s", error, aside)  # noqa: TRY400
            return []

    def remove(self, segment: Path) -> None:
        """Forget a segment whose entries are stored, and its folder where nothing else is in it."""
        segment.unlink(missing_ok=True)
        folder = segment.parent
        if folder in self._adopted and not any(folder.glob("*.seg")):
            self._leave(folder, self._adopted.pop(folder))

    def close(self) -> None:
        """Let go; what still waits is for whoever comes next."""
        self._close_segment()
        for folder, lock in self._adopted.items():
            self._leave(folder, lock)
        self._adopted.clear()
        if self._lock is not None:
            self._leave(self._own, self._lock)
            self._lock = None

    def _write(self, frames: bytes) -> None:
        file = self._segment()
        start = file.tell()
        try:
            unwritten = memoryview(frames)
            while unwritten:
                unwritten = unwritten[file.write(unwritten) :]
            os.fsync(file.fileno())
        except OSError:
            with suppress(OSError):
                file.seek(start)
                file.truncate()
            raise
        if start + len(frames) >= SEGMENT_BYTES:
            self._close_segment()

    def _probe(self) -> str | None:
        """Why the disk takes nothing; None when it does."""
        path = self._root / f"probe-{self._own.name}"
        try:
            path.write_bytes(bytes(_PROBE_BYTES))
        except OSError as error:
            return _cannot_write(self._root, error)
        finally:
            path.unlink(missing_ok=True)
        return None

    def _segment(self) -> IO[bytes]:
        if self._lock is None:
            self._own.mkdir(parents=True, exist_ok=True)
            self._lock = _try_lock(self._own)
        if self._file is None:
            self._number += 1
            self._file = (self._own / self._name(self._number)).open("ab", buffering=0)
            _sync_folder(self._own)
            _sync_folder(self._root)
        return self._file

    def _close_segment(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    @staticmethod
    def _name(number: int) -> str:
        return f"{number:08d}.seg"

    @staticmethod
    def _leave(folder: Path, lock: IO[bytes]) -> None:
        """Take the folder away if it is empty, and only then give up the lock."""
        if not any(path.name != _LOCK for path in folder.iterdir()):
            (folder / _LOCK).unlink(missing_ok=True)
            with suppress(OSError):
                folder.rmdir()
        lock.close()


def _cannot_write(root: Path, error: OSError) -> str:
    return f"the outbox {root} cannot be written: {error}. Is the disk full?"


def _try_lock(folder: Path) -> IO[bytes] | None:
    """Lock a folder; None where somebody else holds it, or has just taken it away."""
    try:
        lock = (folder / _LOCK).open("ab")
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(lock.fileno()).st_ino == (folder / _LOCK).stat().st_ino:
            return lock
    except OSError:
        pass
    lock.close()
    return None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0


def _modified(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0
