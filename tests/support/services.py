"""Services for tests of one processor: a real store, and stand-ins that record or refuse the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

from processors.base import Services
from qa_queue.models import JobContext, JobProgress
from qa_queue.settings import load_settings
from qa_queue.store.protocol import RunStore
from qa_queue.store.writer import RecordWriter


class ProgressList:
    """Keeps every report."""

    def __init__(self) -> None:
        self.reports: list[JobProgress] = []

    def write(self, job_id: str, progress: JobProgress) -> None:
        """Keep it."""
        self.reports.append(progress)


class NeverCancelled:
    """No run is cancelled."""

    def requested(self, run_id: str) -> bool:
        """False."""
        return False

    def taken_over(self, context: JobContext) -> bool:
        """False."""
        return False


class NoBrowser:
    """For processors that need none."""

    def __getattr__(self, name: str) -> NoReturn:
        raise AssertionError(f"this processor has no business with a browser's {name}")


def services(store: RunStore, artifacts_dir: Path, **settings: Any) -> Services:
    """Services on this store; the writer has no thread until something is put."""
    return Services(
        settings=load_settings(**settings),
        store=store,
        writer=RecordWriter(store),
        progress=ProgressList(),
        cancels=NeverCancelled(),
        browser=NoBrowser(),
        artifacts_dir=artifacts_dir,
    )


def job_context(queue: str) -> JobContext:
    """The first attempt of a job."""
    return JobContext(job_id="the-job", queue=queue)
