"""The base of every processor: parse the payload, process it, report progress, record errors.

A processor is created for one job. All that it uses comes in as `Services` and `JobContext`; it never reads the
environment, opens Redis or starts a browser itself.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from processors.browser.protocol import BrowserPool
from qa_queue.errors import InputError
from qa_queue.errors.validation import problems_of
from qa_queue.models import FailureLimit, JobContext, JobProgress
from qa_queue.models.payloads import PytestSuite
from qa_queue.queues.login_states import LoginStates, MemoryLoginStates
from qa_queue.settings import Settings
from qa_queue.store.artifacts import ArtifactStore
from qa_queue.store.artifacts.uploads import UploadQueue
from qa_queue.store.protocol import Record, RunStore
from qa_queue.suites.process import HostProcess

__all__ = [
    "BaseJobProcessor",
    "BrowserPool",
    "CancelCheck",
    "Claims",
    "JobContext",
    "ProgressSink",
    "RecordSink",
    "Services",
    "SuiteHosts",
]


class ProgressSink(Protocol):
    """The destination of progress reports; `qa_queue.progress.ProgressWriter` is the real one."""

    def write(self, job_id: str, progress: JobProgress) -> None:
        """Write one report to the job's meta and the run's stream."""


class RecordSink(Protocol):
    """Rows written in the background; `qa_queue.store.writer.RecordWriter` is the real one."""

    def put(self, *records: Record) -> None:
        """Queue records to be upserted, in order."""

    def update_run(self, run_id: str, **fields: Any) -> None:
        """Queue a change of a run's row, in order with the records."""

    def flush(self, timeout: float, run_id: str | None = None) -> None:
        """Return when everything queued, or everything of one run, is stored.

        Raises:
            StoreError: it is not stored within `timeout` seconds, or was refused.
        """


class CancelCheck(Protocol):
    """Reasons to end runs that come from elsewhere: requests to cancel them, and workers that take them over."""

    def requested(self, run_id: str) -> bool:
        """Return True from the moment of a request to cancel the run."""

    def add_failure(self, run_id: str, limit: FailureLimit) -> None:
        """Count the run as a failure of its batch."""

    def limit_reached(self, run_id: str, limit: FailureLimit) -> bool:
        """Return True if enough other runs of the batch have failed."""

    def taken_over(self, context: JobContext) -> bool:
        """Return True if this attempt is no longer its worker's."""


class SuiteHosts(Protocol):
    """Processes that run pytest tests; `processors.suites.pool.HostPool` is the real one."""

    def host(self, suite: PytestSuite, environment: Mapping[str, str]) -> AbstractAsyncContextManager[HostProcess]:
        """Lend a process of this suite; it is killed if the block raises or is cancelled.

        Raises:
            InputError: the suite cannot be started.
        """


class Claims:
    """Work that only one of the runs of a process needs to do at a time; belongs to one event loop."""

    def __init__(self) -> None:
        self._holders: dict[Hashable, object] = {}

    def take(self, work: Hashable, holder: object) -> bool:
        """Return True if the work is the holder's: it had it already, or it was free."""
        return self._holders.setdefault(work, holder) is holder

    def release(self, holder: object) -> None:
        """Free all work of this holder."""
        self._holders = {work: one for work, one in self._holders.items() if one is not holder}


@dataclass(frozen=True, kw_only=True)
class Services:
    """Services shared by the processors of one process."""

    settings: Settings
    store: RunStore
    writer: RecordSink
    progress: ProgressSink
    cancels: CancelCheck
    browser: BrowserPool
    artifacts_dir: Path
    claims: Claims = field(default_factory=Claims)
    hosts: SuiteHosts | None = None
    artifact_store: ArtifactStore | None = None
    uploads: UploadQueue | None = None
    login_states: LoginStates = field(default_factory=MemoryLoginStates)


Data = TypeVar("Data", bound=BaseModel)
Result = TypeVar("Result", bound=BaseModel)


class BaseJobProcessor(ABC, Generic[Data, Result]):
    """One job of one queue. A subclass sets the class of its payload and implements `process`."""

    payload: ClassVar[type[BaseModel]]

    def __init__(self, services: Services, context: JobContext) -> None:
        self.services = services
        self.context = context

    async def run(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Process a payload and return the result as JSON.

        Raises:
            InputError: the payload cannot be read; retrying does not help.
            QAError: the infrastructure failed; the queue decides about another attempt.
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
        """Report the progress of the job, without blocking the event loop."""
        await asyncio.to_thread(self.services.progress.write, self.context.job_id, progress)

    async def handle_error(self, data: Data, error: Exception) -> None:
        """Record that the job failed; called before the error is passed on to the queue."""

    def _parse(self, payload: dict[str, Any]) -> Data:
        try:
            return self.payload.model_validate(payload)  # type: ignore[return-value]
        except ValidationError as error:
            problems = "; ".join(map(str, problems_of(error, self.payload)))
            raise InputError(f"cannot read the payload of job {self.context.job_id}: {problems}") from None
