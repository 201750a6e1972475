"""A store that fails on demand, for tests of those who use one."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from qa_queue.errors import StoreError
from qa_queue.store.memory import MemoryStore
from qa_queue.store.protocol import Record


class FaultyStore(MemoryStore):
    """A `MemoryStore` that notes its writing calls, raises `outage` while that is set, and refuses chosen ids."""

    def __init__(self) -> None:
        super().__init__()
        self.outage: Exception | None = None
        self.refused: dict[str, Exception] = {}
        self.calls: list[str] = []
        self.open = threading.Event()  # cleared, it holds writing calls up
        self.open.set()

    def save(self, records: Iterable[Record]) -> None:
        """Save, unless it is to fail."""
        wanted = list(records)
        self._meet([record.id for record in wanted], f"save {len(wanted)}")
        super().save(wanted)

    def update_run(self, run_id: str, **fields: Any) -> None:
        """Update, unless it is to fail."""
        self._meet([run_id], "update_run " + ",".join(fields))
        super().update_run(run_id, **fields)

    def _meet(self, ids: list[str], call: str) -> None:
        self.calls.append(call)
        if not self.open.wait(10):
            raise StoreError("the test left the store shut")
        if self.outage:
            raise self.outage
        for row_id in ids:
            if row_id in self.refused:
                raise self.refused[row_id]
