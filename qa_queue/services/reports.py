"""The report of a run or a batch, by its id."""

from __future__ import annotations

from datetime import datetime

from qa_queue.errors import NotFoundError
from qa_queue.reports.collect import report_of_runs
from qa_queue.reports.model import Report
from qa_queue.services.backend import Backend


def report_of(backend: Backend, ref: str, now: datetime) -> Report:
    """Return the report of the run or batch with this id.

    Raises:
        NotFoundError: it does not exist.
    """
    store, artifacts = backend.store, backend.settings.artifacts_dir
    run = store.get_run(ref)
    if run is not None:
        return report_of_runs(store, artifacts, [run], kind="run", id_=ref, now=now)
    try:
        runs = backend.batches.runs(ref)
    except NotFoundError:
        raise NotFoundError(
            f"There is no run or batch {ref!r}: `qa-queue runs` and `qa-queue batch list` list them."
        ) from None
    return report_of_runs(store, artifacts, runs, kind="batch", id_=ref, title=f"Batch {ref[:8]}", now=now)
