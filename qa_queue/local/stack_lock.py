"""One stack a folder: a lock that dies with its holder, and a record of what the holder started."""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from qa_queue.errors import StackError
from qa_queue.local.files import private_folder, write_private
from qa_queue.local.identity import ProcessId, identify

_PATIENCE = 0.5  # s; `held` takes the lock for an instant too
_PAUSE = 0.02


@dataclass(frozen=True)
class _Entry:
    owner: str
    children: tuple[ProcessId, ...]


class StackRecord:
    """The lock and the record of the stack in `home`."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._record = home / "stack.json"
        self._lock: BinaryIO | None = None

    @property
    def taken(self) -> bool:
        """Whether we are the folder's stack."""
        return self._lock is not None

    def take(self) -> None:
        """Become the folder's stack and end what a killed one left running.

        Raises:
            StackError: another stack runs in this folder.
        """
        private_folder(self._home)
        self._lock = _try_lock(self._home / "stack.lock", _PATIENCE)
        if self._lock is None:
            raise StackError(
                f"A stack is already running in {self._home} (process {_read(self._record).owner}): "
                "use it, stop it, or set QA_HOME to another folder."
            )
        for orphan in _read(self._record).children:
            orphan.end()
        self.write([])

    def write(self, children: list[int]) -> None:
        """Note these process ids as ours."""
        entry = {"owner": os.getpid(), "children": [asdict(identify(pid)) for pid in children]}
        write_private(self._record, json.dumps(entry))

    def release(self) -> None:
        """Stop being the folder's stack."""
        self._record.unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def held(home: Path) -> bool:
    """Whether a living stack holds this folder."""
    path = home / "stack.lock"
    if not path.exists():
        return False
    lock = _try_lock(path, patience=0)
    if lock is not None:
        lock.close()
    return lock is None


def _try_lock(path: Path, patience: float) -> BinaryIO | None:
    """The locked file, kept open by whoever holds it; None if another does for longer than `patience` seconds."""
    file = path.open("ab")
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                file.close()
                return None
            time.sleep(_PAUSE)
        else:
            return file


def _read(record: Path) -> _Entry:
    try:
        said = json.loads(record.read_text(encoding="utf-8"))
        return _Entry(str(said["owner"]), tuple(ProcessId(**child) for child in said["children"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):  # none yet, or not ours
        return _Entry("unknown", ())
