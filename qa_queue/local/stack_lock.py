"""One stack per folder: a lock that ends with its owner, and a record of the processes that the owner started."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from qa_queue.errors import StackError
from qa_queue.local.files import private_folder, write_private

_LOCK_NAME = "stack.lock"
_LOCK_TIMEOUT_S = 0.5  # `is_held` takes the lock for an instant too
_GRACE_S = 8.0
_POLL_S = 0.02


@dataclass(frozen=True)
class ProcessId:
    """A process by its id and its start time in seconds, because systems reuse ids."""

    pid: int
    started: float | None

    @property
    def alive(self) -> bool:
        """True while exactly this process runs."""
        return self.started is not None and _start_time(self.pid) == self.started

    def end(self, grace_s: float = _GRACE_S) -> None:
        """Send SIGTERM, and SIGKILL after `grace_s` seconds; return when the process has ended."""
        for send in (psutil.Process.terminate, psutil.Process.kill):
            try:
                if not self.alive:
                    return
                send(psutil.Process(self.pid))
            except psutil.NoSuchProcess:
                return
            self._wait(grace_s)

    def _wait(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while self.alive and time.monotonic() < deadline:
            time.sleep(_POLL_S)


def identify(pid: int) -> ProcessId:
    """Return the process that has this id now; `started` is None if there is no process."""
    return ProcessId(pid, _start_time(pid))


def _start_time(pid: int) -> float | None:
    """Return a time that stays the same while the process runs; None if it has ended, even if no parent reaped it.

    On Linux psutil adds the boot time, which moves with the system clock, so it is subtracted again.
    """
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return round(process.create_time() - (psutil.boot_time() if psutil.LINUX else 0), 2)
    except psutil.NoSuchProcess:
        return None


@dataclass(frozen=True)
class _Record:
    owner: str
    children: tuple[ProcessId, ...]


class StackLock:
    """The lock of the stack in `home`, with the record of its processes."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._record = home / "stack.json"
        self._lock = FileLock(home / _LOCK_NAME, thread_local=False)

    @property
    def acquired(self) -> bool:
        """True while this object holds the lock."""
        return self._lock.is_locked

    def acquire(self) -> None:
        """Take the lock and end the processes that a killed owner left running.

        Raises:
            StackError: another stack runs in this folder.
        """
        private_folder(self._home)
        try:
            self._lock.acquire(timeout=_LOCK_TIMEOUT_S)
        except Timeout:
            raise StackError(
                f"A stack is already running in {self._home} (process {_read(self._record).owner}): "
                "use it, stop it, or set QA_HOME to another folder."
            ) from None
        for orphan in _read(self._record).children:
            orphan.end()
        self.record([])

    def record(self, pids: list[int]) -> None:
        """Record the processes with these ids as ours."""
        record = {"owner": os.getpid(), "children": [asdict(identify(pid)) for pid in pids]}
        write_private(self._record, json.dumps(record))

    def release(self) -> None:
        """Remove the record and release the lock."""
        self._record.unlink(missing_ok=True)
        self._lock.release()


def is_held(home: Path) -> bool:
    """Return whether a running stack holds the lock of this folder."""
    path = home / _LOCK_NAME
    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True


def _read(path: Path) -> _Record:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return _Record(str(document["owner"]), tuple(ProcessId(**child) for child in document["children"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):  # no record, or a damaged one
        return _Record("unknown", ())
