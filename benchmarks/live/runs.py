"""One run of a case of the shop: real processor, real browser, and a store that starts with what is known."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from benchmarks.live.watch import WATCH, Watch, WatchedPool
from benchmarks.shop_versions import TRUTH
from processors.base import BrowserPool, Services
from processors.execution.processor import TestExecutionProcessor
from qa_queue.cases.exporters.document import case_document
from qa_queue.cases.model import Case
from qa_queue.cases.reader import load_cases
from qa_queue.cases.rebase import rebase
from qa_queue.models import EvidenceMode, JobContext, JobProgress, QueueName, TestConfig, TestJobData, utc_now
from qa_queue.settings import Settings
from qa_queue.store.memory import MemoryStore
from qa_queue.store.protocol import Record
from qa_queue.store.records import AdaptationRow, CaseRecord, RunRecord, StepRecord, case_id, digest
from qa_queue.store.writer import RecordWriter

CASES = Path(__file__).parents[2] / "examples" / "shop" / "cases"
_CONFIG = TestConfig(trace=EvidenceMode.OFF, screenshots="off", max_adaptations=1_000, timeout=120_000)


def shop_cases() -> dict[str, Case]:
    """The example cases, by name of file; each run says where its site is."""
    files = sorted(file for file in CASES.iterdir() if file.suffix in (".yaml", ".json"))
    return {file.name: rebase(load_cases(file)[0], "http://shop.example") for file in files}


class Memory(MemoryStore):
    """A store that records its writes, so that they can be repeated on other stores."""

    def __init__(self, told: Iterable[tuple[str, tuple[Any, ...], dict[str, Any]]] = ()) -> None:
        super().__init__()
        self.told: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        for name, arguments, options in told:
            getattr(self, name)(*arguments, **options)

    def save(self, records: Iterable[Record]) -> None:
        kept = list(records)
        self.told.append(("save", (kept,), {}))
        super().save(kept)

    def update_run(self, run_id: str, **fields: Any) -> None:
        self.told.append(("update_run", (run_id,), fields))
        super().update_run(run_id, **fields)


class _Nothing:
    """A progress sink that hears nothing, and no one who cancels."""

    def write(self, job_id: str, progress: JobProgress) -> None: ...

    def requested(self, run_id: str) -> bool:
        return not run_id


@dataclass(frozen=True)
class Ran:
    """The records of a run: its steps, its adaptations by number of step, what was seen, and its store."""

    steps: list[StepRecord]
    adaptations: dict[int, AdaptationRow]
    watch: Watch
    store: Memory = field(repr=False)


async def run_case(case: Case, url: str, watch: Watch, *, browser: BrowserPool, home: Path, store: Memory) -> Ran:
    """Run a case against the site at this URL, watched."""
    run = _queued(store, case)
    writer = RecordWriter(store)
    data = TestJobData(
        test_case_id=run.test_case_id,
        test_run_id=run.id,
        case=case_document(case),
        case_dir=str(CASES),
        base_url=url,
        config=_CONFIG,
    )
    WATCH.set(watch)
    try:
        await _processor(run, browser, home, store, writer).run(data.model_dump(mode="json"))
    finally:
        await asyncio.to_thread(writer.close)
    adaptations = {row.step_number: row for row in store.list_adaptations([run.id])}
    return Ran(store.list_steps([run.id]), adaptations, watch, store)


def _processor(
    run: RunRecord, browser: BrowserPool, home: Path, store: Memory, writer: RecordWriter
) -> TestExecutionProcessor:
    services = Services(
        settings=Settings(_env_file=None, qa_ignored_attributes=TRUTH),
        store=store,
        writer=writer,
        progress=_Nothing(),
        cancels=_Nothing(),
        browser=WatchedPool(browser),
        artifacts_dir=home,
    )
    return TestExecutionProcessor(services, JobContext(job_id=run.id, queue=QueueName.TEST_EXECUTION))


def _queued(store: Memory, case: Case) -> RunRecord:
    document, now = case_document(case), utc_now()
    stored = CaseRecord(
        id=case_id(case.key),
        key=case.key,
        name=case.name,
        definition=document,
        content_hash=digest(document),
        created_at=now,
        updated_at=now,
    )
    run = RunRecord(id=str(uuid4()), test_case_id=stored.id, queued_at=now)
    store.save([stored, run])
    return run
