"""The read model of runs: a run with its steps and files, and its progress until it ends."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from qa_queue.errors import NotFoundError
from qa_queue.models import ArtifactKind, JobProgress
from qa_queue.models.results import run_title, steps_done
from qa_queue.progress import ProgressEvent
from qa_queue.reports.rows import by_run
from qa_queue.services.backend import Backend
from qa_queue.store.artifacts import ArtifactFiles
from qa_queue.store.protocol import RunStore
from qa_queue.store.records import MOST_RUNS, ArtifactRecord, RunRecord, StepRecord

SILENCE_S = 5.0  # without a report, after which the store is asked: a worker may have died before its last report


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """A run with its steps, in their order, and its files."""

    case_name: str
    run: RunRecord
    steps: tuple[StepRecord, ...] = ()
    artifacts: tuple[ArtifactRecord, ...] = ()
    files: ArtifactFiles = field(default_factory=lambda: ArtifactFiles(Path()))
    note: str = ""

    @property
    def done(self) -> int:
        """Number of steps that were executed."""
        return done_of(self.run, self.steps)

    @property
    def evidence(self) -> str:
        """The folder with the run's files, relative to the current one; empty if there are none."""
        return os.path.relpath(self.files.root / self.run.id) if self.artifacts else ""

    def places(self, kind: ArtifactKind | None = None) -> list[str]:
        """Return where the run's files are, those of one kind or all."""
        return [self.files.place_of(one.path) for one in self.artifacts if kind in (None, one.kind)]


def reports_of(
    backend: Backend, run_ids: Iterable[str], titles: Mapping[str, str] | None = None
) -> list[RunReport]:
    """Return the reports of these runs, in this order; a run without a row is left out.

    `titles` are those of the runs, by id, where the caller knows them.
    """
    wanted = list(run_ids)
    runs = _runs(backend.store, wanted)
    titles = titles or _titles(backend, runs)
    steps, artifacts = by_run(backend.store.list_steps(wanted)), by_run(backend.store.list_artifacts(wanted))
    return [
        RunReport(
            case_name=titles[run.id],
            run=run,
            steps=tuple(steps[run.id]),
            artifacts=tuple(artifacts[run.id]),
            files=backend.artifacts,
        )
        for run in runs
    ]


def _titles(backend: Backend, runs: Sequence[RunRecord]) -> dict[str, str]:
    names = backend.case_names(run.test_case_id for run in runs)
    return {run.id: run_title(names[run.test_case_id], run.data_row) for run in runs}


def _runs(store: RunStore, wanted: Sequence[str]) -> list[RunRecord]:
    """Return the runs that exist: those of the first one's batch in one call, any others one by one."""
    found: dict[str, RunRecord | None] = {}
    for run_id in wanted:
        if run_id in found:
            continue
        run = found[run_id] = store.get_run(run_id)
        if run is not None and run.batch_id is not None and len(found) == 1 < len(wanted):
            found |= {one.id: one for one in store.list_runs(batch_id=run.batch_id, limit=MOST_RUNS)}
    return [run for run_id in wanted if (run := found[run_id]) is not None]


def done_of(run: RunRecord, steps: Sequence[StepRecord] = ()) -> int:
    """Return the number of steps that the run has executed, in its last attempt where it has several.

    Without the rows of its steps it is counted from the run's own row.
    """
    if steps:
        last = max(step.attempt for step in steps)
        return steps_done(step for step in steps if step.attempt == last)
    return run.steps_done


def run_ids_by_ref(backend: Backend, ref: str) -> list[str]:
    """Return the id of the run, or of all runs of the batch in their order, whose id begins with `ref`.

    Raises:
        NotFoundError: no id begins with it.
        InputError: several do.
    """
    try:
        return [backend.find_run(ref).id]
    except NotFoundError:
        runs = backend.store.list_runs(batch_id=backend.find_batch_id(ref), limit=MOST_RUNS, oldest_first=True)
        if not runs:
            raise NotFoundError(f"there is no run or batch {ref!r}.") from None
        return [run.id for run in runs]


def last_report(run: RunRecord, steps: Sequence[StepRecord] = ()) -> JobProgress:
    """Return the last report of a run that has ended, made from its rows."""
    done = done_of(run, steps)
    return JobProgress.ended(
        run.id,
        run.status,
        run.label,
        done=done,
        total=max(done, run.total_steps),
        message=(run.error or "").split("\n")[0],
    )


class RunFollower:
    """Reads the reports of runs until each has ended; `positions` has the id of the last report read of each.

    The last report of a run whose worker could not write it is made from the run's rows; its id is empty. The store
    is asked for it after a silence, and at the start, unless the runs are `new` and cannot have ended before.
    """

    def __init__(self, backend: Backend, positions: Mapping[str, str], *, new: bool = False) -> None:
        self._backend = backend
        self._positions = dict(positions)
        # Monotonic: the last report, or the last time that the store was asked.
        self._heard_at = time.monotonic() if new else -math.inf

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
