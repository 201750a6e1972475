"""The read model of runs: a run with its steps and files, its count of steps, and its last report."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from qa_queue.models import JobProgress
from qa_queue.models.results import run_title, steps_done
from qa_queue.services.backend import Backend
from qa_queue.store.records import ArtifactRecord, RunRecord, StepRecord


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
            case_name=run_title(names[run.test_case_id], run.data_row),
            run=run,
            steps=tuple(step for step in steps if step.test_run_id == run.id),
            artifacts=tuple(artifact for artifact in artifacts if artifact.test_run_id == run.id),
            artifacts_dir=backend.settings.artifacts_dir,
        )
        for run in runs
    ]


def done_of(run: RunRecord, steps: Sequence[StepRecord] = ()) -> int:
    """Return the number of steps that the run has executed, in its last attempt where it has several.

    Without the rows of its steps it is counted from the run's own row.
    """
    if steps:
        last = max(step.attempt for step in steps)
        return steps_done(step for step in steps if step.attempt == last)
    return run.steps_done


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
