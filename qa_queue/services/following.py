"""Following runs to their end: the reports in Redis, and the store for runs whose last report was lost."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping

from qa_queue.progress import ProgressEvent
from qa_queue.services.backend import Backend
from qa_queue.services.runs import last_report

SILENCE_S = 5.0  # without a report, after which the store is asked: a worker may have died before its last report
FROM_START = "0"


class RunFollower:
    """Reads the reports of runs until each has ended; `positions` has the id of the last report read of each.

    The last report of a run whose worker could not write it is made from the run's rows; its id is empty.
    """

    def __init__(self, backend: Backend, positions: Mapping[str, str]) -> None:
        self._backend = backend
        self._positions = dict(positions)
        self._heard_at = -math.inf  # monotonic: the last report, or the last time that the store was asked

    @property
    def waiting(self) -> bool:
        """True while the end of a run has not been read."""
        return bool(self._positions)

    def follow(self, timeout: float | None = None) -> Iterator[ProgressEvent]:
        """Yield reports as they come until all runs have ended or `timeout` s are over."""
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        yield from self.read()
        while self.waiting and (left := deadline - time.monotonic()) > 0:
            yield from self.read(min(SILENCE_S, left))

    def read(self, wait_s: float = 0) -> Iterator[ProgressEvent]:
        """Yield the reports that exist and those of the next `wait_s` s.

        Raises:
            RedisError, StoreError: a part failed.
        """
        yield from self._written(self._positions, wait_s)
        if self.waiting and time.monotonic() - self._heard_at >= SILENCE_S:
            yield from self._ended_in_silence()
            self._heard_at = time.monotonic()

    def _written(self, positions: Mapping[str, str], wait_s: float) -> Iterator[ProgressEvent]:
        for event in self._backend.progress.follow_many(positions, timeout=wait_s):
            self._heard_at = time.monotonic()
            self._positions[event.progress.test_run_id] = event.id
            if event.progress.status.final:
                del self._positions[event.progress.test_run_id]
            yield event

    def _ended_in_silence(self) -> Iterator[ProgressEvent]:
        store = self._backend.store
        runs = [run for run in map(store.get_run, list(self._positions)) if run is not None]
        ended = {run.id: run for run in runs if run.status.final}
        # A report may have been written just before the row.
        yield from self._written({run_id: self._positions[run_id] for run_id in ended}, 0)
        for run_id, run in ended.items():
            if self._positions.pop(run_id, None) is not None:
                yield ProgressEvent(id="", progress=last_report(run, store.list_steps([run_id])))
