"""Running cases through the execution processor, with the real browser and writer and the store in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from processors.base import BrowserPool, Services, SuiteHosts
from processors.execution.processor import TestExecutionProcessor
from qa_queue.cases.exporters.document import case_document
from qa_queue.cases.model import Case
from qa_queue.models import (
    ArtifactKind,
    EvidenceMode,
    FailureLimit,
    JobContext,
    JobProgress,
    ScreenshotMode,
    TestConfig,
    TestJobData,
    TestJobResult,
    utc_now,
)
from qa_queue.queues.login_states import LoginStates, MemoryLoginStates
from qa_queue.settings import Settings
from qa_queue.store.artifacts.uploads import UploadQueue
from qa_queue.store.memory import MemoryStore
from qa_queue.store.records import ArtifactRecord, RunRecord, StepRecord
from qa_queue.store.writer import RecordWriter
from tests.support.records import case_record, run_record

# For runs whose evidence no test looks at: recording it takes a fourth of their time.
NO_EVIDENCE = TestConfig(trace=EvidenceMode.OFF, screenshots=ScreenshotMode.OFF)


class Progress:
    """A sink that remembers every report; `on_report` is called with each."""

    def __init__(self) -> None:
        self.reports: list[JobProgress] = []
        self.on_report: Callable[[JobProgress], None] = lambda _: None

    def write(self, job_id: str, progress: JobProgress) -> None:
        self.reports.append(progress)
        self.on_report(progress)


class Cancels:
    """Requests to cancel, by run."""

    def __init__(self) -> None:
        self.runs: set[str] = set()
        self.lost: set[str] = set()
        self.failures: dict[str, set[str]] = {}

    def requested(self, run_id: str) -> bool:
        return run_id in self.runs

    def add_failure(self, run_id: str, limit: FailureLimit) -> None:
        self.failures.setdefault(limit.batch_id, set()).add(run_id)

    def limit_reached(self, run_id: str, limit: FailureLimit) -> bool:
        return len(self.failures.get(limit.batch_id, set()) - {run_id}) >= limit.most

    def taken_over(self, context: JobContext) -> bool:
        return context.job_id in self.lost


@dataclass
class ExecutionHarness:
    """Everything that a run needs, and what it left."""

    browser: BrowserPool
    artifacts_dir: Path
    store: MemoryStore = field(default_factory=MemoryStore)
    progress: Progress = field(default_factory=Progress)
    cancels: Cancels = field(default_factory=Cancels)
    hosts: SuiteHosts | None = None
    login_states: LoginStates = field(default_factory=MemoryLoginStates)
    state_key: str | None = "k" * 43
    evidence_max_mb: int = 100
    browser_path: Path | None = None
    limits: dict[str, int] = field(default_factory=dict)  # settings by name
    uploads: UploadQueue | None = None
    processor_type: type[TestExecutionProcessor] = TestExecutionProcessor

    def __post_init__(self) -> None:
        self.writer = RecordWriter(self.store)

    def submit(self, case: Case, **overrides: Any) -> TestJobData:
        """The rows and the payload of a new run, as a producer makes them."""
        document = case_document(case)
        record = case_record(key=case.key, definition=document)
        self.store.save_cases([record])
        run = run_record(record, id=str(uuid4()))
        self.store.save([run])
        fields = {"test_case_id": record.id, "test_run_id": run.id, "case": document}
        return TestJobData(**fields | overrides)

    async def run(self, data: TestJobData, **context: Any) -> TestJobResult:
        """Do the job as a worker does."""
        result = await self.processor(data, **context).run(data.model_dump(mode="json"))
        return TestJobResult.model_validate(result)

    async def test(self, case: Case, *, env: dict[str, str] | None = None, **config: Any) -> TestJobResult:
        """Submit a case and run it."""
        return await self.run(self.submit(case, env=env or {}, config=TestConfig(**config)))

    def processor(self, data: TestJobData, **context: Any) -> TestExecutionProcessor:
        services = Services(
            settings=Settings(
                _env_file=None,
                qa_state_key=self.state_key,
                qa_evidence_max_mb=self.evidence_max_mb,
                qa_browser_path=self.browser_path,
                **self.limits,
            ),
            store=self.store,
            writer=self.writer,
            progress=self.progress,
            cancels=self.cancels,
            browser=self.browser,
            artifacts_dir=self.artifacts_dir,
            hosts=self.hosts,
            uploads=self.uploads,
            login_states=self.login_states,
        )
        facts = {"queue": "test-execution", "worker": "worker-1", "enqueued_at": utc_now()}
        return self.processor_type(services, JobContext(job_id=data.test_run_id, **facts | context))

    def row(self, run_id: str) -> RunRecord:
        """The run's row."""
        run = self.store.get_run(run_id)
        assert run is not None
        return run

    def steps(self, run_id: str) -> list[StepRecord]:
        """The run's steps."""
        return self.store.list_steps([run_id])

    def artifacts(self, run_id: str, kind: ArtifactKind | None = None) -> list[ArtifactRecord]:
        """The run's artifacts."""
        return [a for a in self.store.list_artifacts([run_id]) if kind in (None, a.kind)]

    def close(self) -> None:
        """End the writer's thread."""
        self.writer.close()
