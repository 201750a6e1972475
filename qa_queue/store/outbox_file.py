"""One SQLite database of the outbox, locked by one process at a time.

SQLite's exclusive locking mode is the lock: the kernel releases it when the process ends. A commit is durable when
it returns (WAL, `synchronous=FULL`) and is moved into the database at once, so that the log stays small.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

SUFFIX = ".db"
_SIDE_FILES = ("-wal", "-journal")
_DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_OPEN = (
    "PRAGMA locking_mode=EXCLUSIVE",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA wal_autocheckpoint=1",
    "BEGIN EXCLUSIVE",
    """CREATE TABLE IF NOT EXISTS entries
    (id INTEGER PRIMARY KEY AUTOINCREMENT, document BLOB NOT NULL, crc INTEGER NOT NULL)""",
    "COMMIT",
)


@dataclass(frozen=True)
class StoredDocument:
    """A row of the database; `intact` is False if its checksum (CRC-32) does not match."""

    id: int
    content: bytes
    intact: bool


class OutboxFile:
    """An open database of documents in order. Its methods raise `sqlite3.Error` if it cannot be read or written.

    Used by one thread at a time.
    """

    def __init__(self, path: Path, *, create: bool) -> None:
        self.path = path
        self._done = 0  # the last id that was forgotten, because a full disk may keep its row
        mode = "rwc" if create else "rw"
        self._db = sqlite3.connect(
            f"{path.as_uri()}?mode={mode}", uri=True, timeout=0, isolation_level=None, check_same_thread=False
        )
        try:
            for statement in _OPEN:
                self._db.execute(statement)
        except sqlite3.Error:
            self.remove() if create else self.close()
            raise

    def append(self, documents: Sequence[bytes]) -> None:
        """Store the documents after the others; either all of them, durably, or none."""
        with self._transaction():
            self._db.executemany(
                "INSERT INTO entries (document, crc) VALUES (?, ?)",
                [(document, zlib.crc32(document)) for document in documents],
            )

    def read(self, limit: int) -> list[StoredDocument]:
        """Return the first `limit` documents, in order."""
        rows = self._db.execute(
            "SELECT id, document, crc FROM entries WHERE id > ? ORDER BY id LIMIT ?", (self._done, limit)
        )
        return [StoredDocument(row_id, bytes(content), zlib.crc32(content) == crc) for row_id, content, crc in rows]

    def forget(self, last_id: int) -> None:
        """Delete the documents up to this id. A full disk keeps them, but this object never returns them again."""
        self._done = last_id
        with suppress(sqlite3.OperationalError), self._transaction():
            self._db.execute("DELETE FROM entries WHERE id <= ?", (last_id,))

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    def remove(self) -> None:
        """Delete the file, then release it."""
        for path in (self.path, *side_files(self.path)):
            path.unlink(missing_ok=True)
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise


def side_files(path: Path) -> Iterator[Path]:
    """Return the names of the files that SQLite keeps beside a database."""
    return (path.with_name(path.name + suffix) for suffix in _SIDE_FILES)


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether the content of the file is damaged; other errors may be temporary."""
    return str(getattr(error, "sqlite_errorname", "")).startswith(_DAMAGE)
