"""Temporary files of child processes, removed with the process however it ends.

A child that is killed leaves the profile of its browser, recordings and downloads behind, each up to gigabytes. So
each child has a folder of its own as TMPDIR. Its worker holds a lock on the folder and removes it after the child;
the folders of a worker that was killed itself have no lock, and the next child's start on the machine removes them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

_PREFIX = "qa-worker-"
_UNLOCKED_PREFIX = "qa-starting-"
# Chromium puts a socket of about 45 characters into the folder, and paths of sockets have at most 103 on macOS.
_LONGEST = 35


class TemporaryFolder:
    """A folder for the temporary files of one child process."""

    def __init__(self) -> None:
        root = Path(tempfile.gettempdir())
        self._path: Path | None = None
        self._lock = -1
        remove_abandoned(root)
        if len(str(root)) <= _LONGEST:
            with contextlib.suppress(OSError):  # a full disk, no descriptors: the child starts all the same
                self._make(root)

    def _make(self, root: Path) -> None:
        made = Path(tempfile.mkdtemp(prefix=_UNLOCKED_PREFIX, dir=root))
        if (lock := _lock_of(made)) is None:
            made.rmdir()
            return
        self._lock = lock
        self._path = made.rename(root / made.name.replace(_UNLOCKED_PREFIX, _PREFIX, 1))

    @property
    def environment(self) -> dict[str, str]:
        """The variable that makes a process keep its temporary files here; none if there is no folder."""
        return {"TMPDIR": str(self._path)} if self._path is not None else {}

    def remove(self) -> None:
        """Remove the folder; call it when the process has ended. What cannot be removed now is abandoned."""
        if self._path is not None:
            shutil.rmtree(self._path, ignore_errors=True)
            os.close(self._lock)
            self._path = None


def remove_abandoned(root: Path) -> None:
    """Remove the folders in `root` of this user's workers that have ended without removing them."""
    for path in root.glob(f"{_PREFIX}*"):
        if (lock := _lock_of(path)) is not None:
            if os.fstat(lock).st_uid == os.getuid():
                shutil.rmtree(path, ignore_errors=True)
            os.close(lock)


def _lock_of(path: Path) -> int | None:
    """Lock a folder and return its descriptor; None if another process holds it, or it cannot be opened."""
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(folder)
        return None
    return folder
