"""The outbox of a record writer: filled by those who flush, drained by the writer's thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from qa_queue.errors import StoreError
from qa_queue.store.outbox import Depth, Outbox
from qa_queue.store.write_batch import Entry

E = TypeVar("E", bound=StoreError)


class Spool:
    """Safe to use from several threads. `filled` is whether something waits that this process may drain.

    `obstacle` is why the outbox takes no more, as it was found last.
    """

    def __init__(self, outbox: Outbox) -> None:
        self.filled = True  # whoever was here before may have left something
        self.obstacle: str | None = None
        self._outbox = outbox
        self._lock = threading.Lock()

    @property
    def depth(self) -> Depth:
        """What waits, of every process."""
        return self._outbox.depth

    def append(self, entries: Sequence[Entry]) -> None:
        """Keep entries durably.

        Raises:
            OutboxFullError: there is no room; none is kept.
        """
        with self._lock:
            try:
                self._outbox.append(entries)
                self.filled = True
            finally:
                self.obstacle = self._outbox.obstacle()

    def drain(self, write: Callable[[list[Entry]], E | None]) -> E | None:
        """Give what waits to `write`, in order, until it returns an error; what it has taken is forgotten."""
        with self._lock:
            self._outbox.adopt()
            segments = self._outbox.waiting()
        error = None
        while segments and error is None:
            with self._lock:
                entries = self._outbox.read(segments[0])
            error = write(entries)
            if error is None:
                with self._lock:
                    self._outbox.remove(segments.pop(0))
        with self._lock:
            self.filled = bool(self._outbox.waiting())
            # While the store takes everything, a full disk is no reason to stop: nothing has to wait there.
            needed = error is not None or self.filled
            self.obstacle = self._outbox.obstacle() if needed else None
        return error

    def close(self) -> None:
        """Let go of the folder; what waits in it is for whoever comes next."""
        with self._lock:
            self._outbox.close()
