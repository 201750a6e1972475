"""Which of the processes on this machine watches: whoever holds a file's lock, which the kernel frees at its death.

It needs no Redis, so it holds while Redis is away.
"""

from __future__ import annotations

import fcntl
import logging
from pathlib import Path
from typing import IO

log = logging.getLogger(__name__)

LOCK = "alerts.lock"  # in QA_HOME


class LocalLock:
    """The lock of this machine's watcher. Where QA_HOME cannot be written nobody is kept away."""

    def __init__(self, home: Path) -> None:
        self._path = home / LOCK
        self._file: IO[bytes] | None = None

    def acquire(self) -> bool:
        """Hold it from now on; False while another process does."""
        if self._file is not None:
            return True
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = self._path.open("ab")
        except OSError as error:
            log.debug("%s cannot be locked: %s", self._path, error)
            return True
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return False
        self._file = file
        return True

    def release(self) -> None:
        """Let another process have it."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def held_elsewhere(self) -> bool:
        """Whether another process of this machine holds it now."""
        if self._file is not None:
            return False
        free = self.acquire()
        self.release()
        return not free
