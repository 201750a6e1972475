"""The report of a run or a batch, by its id."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from qa_queue.errors import NotFoundError
from qa_queue.reports.collect import report_of_runs
from qa_queue.reports.model import Report
from qa_queue.reports.rows import EvidencePlace
from qa_queue.services.backend import Backend


def run_report(backend: Backend, run_id: str, place: EvidencePlace, now: datetime) -> Report:
    """Return the report of a run.

    Raises:
        NotFoundError: it does not exist.
    """
    run = backend.run(run_id)
    return report_of_runs(backend.store, place, [run], kind="run", id_=run.id, now=now)


def batch_report(backend: Backend, batch_id: str, place: EvidencePlace, now: datetime) -> Report:
    """Return the report of a batch.

    Raises:
        NotFoundError: it does not exist.
    """
    runs, title = backend.batches.runs(batch_id), f"Batch {batch_id[:8]}"
    return report_of_runs(backend.store, place, runs, kind="batch", id_=batch_id, title=title, now=now)


def report_of(backend: Backend, ref: str, now: datetime) -> Report:
    """Return the report of the run or batch with this id, or this beginning of one, with links to its pages.

    Raises:
        NotFoundError: it does not exist.
    """
    settings = backend.settings
    pages = settings.qa_web_url or f"http://127.0.0.1:{settings.qa_web_port}"
    place = EvidencePlace(files=backend.artifacts, pages=pages.rstrip("/"))
    with suppress(NotFoundError):
        return run_report(backend, backend.find_run(ref).id, place, now)
    try:
        return batch_report(backend, backend.find_batch_id(ref), place, now)
    except NotFoundError:
        raise NotFoundError(
            f"There is no run or batch {ref!r}: `qa-queue runs` and `qa-queue batch list` list them."
        ) from None
