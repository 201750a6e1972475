"""The read model of runs: a run with its steps and files, its last report, and following it to its end."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from qa_queue.models import JobProgress
from qa_queue.models.results import steps_done
from qa_queue.progress import ProgressEvent
from qa_queue.services.backend import Backend
from qa_queue.store.records import ArtifactRecord, RunRecord, StepRecord

SILENCE_S = 5.0  # without a report, after which the store is asked: a worker may have died before its last report
FROM_START = "0"


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """A run with its steps, in their order, and its files."""

    case_name: str
    run: RunRecord
    steps: tuple[StepRecord, ...] = ()
    artifacts: tuple[ArtifactRecord, ...] = ()
    artifacts_dir: Path = Path()
    note: str = ""

    @property
    def done(self) -> int:
        """Number of steps that were executed."""
        return done_of(self.run, self.steps)

    @property
    def evidence(self) -> str:
        """The folder with the run's files, relative to the current one; empty if there are none."""
        return os.path.relpath(self.artifacts_dir / self.run.id) if self.artifacts else ""


def reports_of(backend: Backend, run_ids: Iterable[str]) -> list[RunReport]:
    """Return the reports of these runs, in this order; a run without a row is left out."""
    wanted = list(run_ids)
    runs = [run for run in map(backend.store.get_run, wanted) if run is not None]
    names = backend.case_names(run.test_case_id for run in runs)
    steps, artifacts = backend.store.list_steps(wanted), backend.store.list_artifacts(wanted)
    return [
        RunReport(
            case_name=names[run.test_case_id],
            run=run,
            steps=tuple(step for step in steps if step.test_run_id == run.id),
            artifacts=tuple(artifact for artifact in artifacts if artifact.test_run_id == run.id),
            artifacts_dir=backend.settings.artifacts_dir,
        )
        for run in runs
    ]


def done_of(run: RunRecord, steps: Sequence[StepRecord] = ()) -> int:
    """Return the number of steps that the run has executed, in its last attempt where it has several.

    Without the rows of its steps it is counted from the run's own row, in which `completed_steps` includes adapted
    ones, and optional steps that failed are missing until the run has ended well.
    """
    if steps:
        last = max(step.attempt for step in steps)
        return steps_done(step for step in steps if step.attempt == last)
    return run.total_steps if run.status.good else run.completed_steps + run.failed_steps


def last_report(run: RunRecord, steps: Sequence[StepRecord] = ()) -> JobProgress:
    """Return the last report of a run that has ended, made from its rows."""
    done = done_of(run, steps)
    return JobProgress.ended(
        run.id,
        run.status,
        done=done,
        total=max(done, run.total_steps),
        message=(run.error or "").split("\n")[0],
    )


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
