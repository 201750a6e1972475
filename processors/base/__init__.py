"""What every processor is: parse the payload, process it, say how far it is, record what went wrong.

A processor lives for one job. What it may use comes in as `Services` and `JobContext`; it never reads the
environment, opens Redis or starts a browser itself.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from processors.base.claims import Claims
from processors.browser.protocol import BrowserPool
from qa_queue.errors import InputError
from qa_queue.models import JobContext, JobProgress
from qa_queue.settings import Settings
from qa_queue.store.protocol import Record, RunStore

__all__ = [
    "BaseJobProcessor",
    "BrowserPool",
    "CancelCheck",
    "JobContext",
    "ProgressSink",
    "RecordSink",
    "Services",
]


class ProgressSink(Protocol):
    """Where progress goes; `qa_queue.progress.ProgressWriter` is the real one."""

    def write(self, job_id: str, progress: JobProgress) -> None:
        """Write one report to the job's meta and the run's stream."""


class RecordSink(Protocol):
    """Where rows go without waiting; `qa_queue.store.writer.RecordWriter` is the real one."""

    def put(self, *records: Record) -> None:
        """Take records to be upserted soon, in order."""

    def update_run(self, run_id: str, **fields: Any) -> None:
        """Take a change of a run's row, in order with the records."""

    def flush(self, timeout: float, run_id: str | None = None) -> None:
        """Return when all that was put, or what belongs to one run, is stored.

        Raises the store's error when it is not within `timeout` seconds, or was refused.
        """


class CancelCheck(Protocol):
    """Whether somebody asked for a run to be cancelled."""

    def requested(self, run_id: str) -> bool:
        """True from the moment of the request."""


@dataclass(frozen=True, kw_only=True)
class Services:
    """What processors share within one process. `claims` are of runs that go on at once."""

    settings: Settings
    store: RunStore
    writer: RecordSink
    progress: ProgressSink
    cancels: CancelCheck
    browser: BrowserPool
    artifacts_dir: Path
    claims: Claims = field(default_factory=Claims)


Data = TypeVar("Data", bound=BaseModel)
Result = TypeVar("Result", bound=BaseModel)


class BaseJobProcessor(ABC, Generic[Data, Result]):
    """One job of one queue. Subclasses say which payload they take and what they do with it."""

    payload: ClassVar[type[BaseModel]]

    def __init__(self, services: Services, context: JobContext) -> None:
        self.services = services
        self.context = context

    async def run(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Process a payload and return the result as JSON.

        Raises:
            InputError: the payload cannot be read; retrying does not help.
            QAError: the infrastructure failed; the queue decides whether to try again.
        """
        data = self._parse(payload)
        try:
            result = await self.process(data)
        except Exception as error:
            await self.handle_error(data, error)
            raise
        return result.model_dump(mode="json")

    @abstractmethod
    async def process(self, data: Data) -> Result:
        """Do the job."""

    async def update_progress(self, progress: JobProgress) -> None:
        """Report how far the job is, without holding up the event loop."""
        await asyncio.to_thread(self.services.progress.write, self.context.job_id, progress)

    async def handle_error(self, data: Data, error: Exception) -> None:
        """Record that the job failed; called before the error goes on to the queue."""

    def _parse(self, payload: dict[str, Any]) -> Data:
        try:
            return self.payload.model_validate(payload)  # type: ignore[return-value]
        except ValidationError as error:
            problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise InputError(f"the payload of job {self.context.job_id} cannot be read: {problems}") from None
