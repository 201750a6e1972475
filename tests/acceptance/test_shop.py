"""Every example case runs against the example shop and ends as its tags say."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import pytest

from examples.shop import serve
from processors.base import Services
from processors.browser.pool import WarmBrowserPool
from processors.execution.processor import TestExecutionProcessor
from qa_queue.cases.exporters.document import case_document
from qa_queue.cases.model import Case
from qa_queue.cases.reader import load_cases
from qa_queue.cases.rebase import rebase
from qa_queue.models import (
    ArtifactKind,
    ErrorKind,
    JobContext,
    JobProgress,
    QueueName,
    RunStatus,
    StepStatus,
    TestJobData,
    TestJobResult,
    utc_now,
)
from qa_queue.settings import load_settings
from qa_queue.store.memory import MemoryStore
from qa_queue.store.records import CaseRecord, RunRecord, StepRecord, case_id, digest
from qa_queue.store.writer import RecordWriter

CASES = Path(__file__).parents[2] / "examples" / "shop" / "cases"
FILES = sorted(file.name for file in CASES.iterdir() if file.suffix in (".yaml", ".json"))
RECORDING = "recorded-order.json"
AT_ONCE = 3
PASSWORD = "only-in-the-environment"


class Reports(list[JobProgress]):
    """A progress sink that keeps what it receives."""

    def write(self, job_id: str, progress: JobProgress) -> None:
        self.append(progress)


class NoCancels:
    """No one cancels."""

    def requested(self, run_id: str) -> bool:
        return False

    def taken_over(self, context: JobContext) -> bool:
        return False


@dataclass(frozen=True)
class Ran:
    """A case after its run."""

    case: Case
    result: TestJobResult
    run: RunRecord
    steps: list[StepRecord]


@dataclass(frozen=True)
class Outcomes:
    """All cases by file, and what the runs left behind."""

    cases: dict[str, Ran]
    store: MemoryStore
    artifacts: Path
    progress: Reports


@pytest.fixture(scope="module")
def outcomes(browser_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcomes]:
    """Run every case once, some at a time, in one warm browser; no queue and no Supabase."""
    home = tmp_path_factory.mktemp("shop")
    with pytest.MonkeyPatch.context() as patch, serve(password=PASSWORD) as shop:
        patch.setenv("QA_SECRET_SHOP_PASSWORD", PASSWORD)
        yield asyncio.run(run_all(shop.url, browser_path, home))


async def run_all(url: str, browser_path: Path, home: Path) -> Outcomes:
    store, progress, browser = MemoryStore(), Reports(), WarmBrowserPool(lambda: browser_path)
    services = Services(
        settings=load_settings(qa_home=home),
        store=store,
        writer=RecordWriter(store),
        progress=progress,
        cancels=NoCancels(),
        browser=browser,
        artifacts_dir=home,
    )
    gate = asyncio.Semaphore(AT_ONCE)
    try:
        ran = await asyncio.gather(*(run_file(services, gate, name, url) for name in FILES))
    finally:
        await browser.close()
        services.writer.close()
    return Outcomes(dict(zip(FILES, ran, strict=True)), store, home, progress)


async def run_file(services: Services, gate: asyncio.Semaphore, name: str, url: str) -> Ran:
    (case,) = load_cases(CASES / name)
    case = rebase(case, url) if name == RECORDING else case
    run = a_run(services.store, case, run_id=str(uuid5(NAMESPACE_URL, name)))
    data = TestJobData(
        test_case_id=run.test_case_id,
        test_run_id=run.id,
        case=case_document(case),
        case_dir=str(CASES),
        trusted=True,  # from a file of the operator
        env={"BASE_URL": url},
    )
    context = JobContext(job_id=run.id, queue=QueueName.TEST_EXECUTION, started_at=utc_now())
    async with gate:
        result = await TestExecutionProcessor(services, context).run(data.model_dump(mode="json"))
    services.writer.flush(10)
    stored = services.store.get_run(run.id)
    assert stored is not None
    return Ran(case, TestJobResult.model_validate(result), stored, services.store.list_steps([run.id]))


def a_run(store: MemoryStore, case: Case, run_id: str) -> RunRecord:
    """A queued run of a case, both stored."""
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
    run = RunRecord(id=run_id, test_case_id=stored.id, queued_at=now)
    store.save_cases([stored])
    store.save([run])
    return run


def passing() -> list[str]:
    return [name for name in FILES if name != "voucher.yaml"]


def test_there_is_a_dozen_of_cases_and_a_recording() -> None:
    assert len(FILES) > 12
    assert RECORDING in FILES


@pytest.mark.parametrize("name", passing())
def test_a_case_passes_as_written(outcomes: Outcomes, name: str) -> None:
    """Each step is recorded, in order, and none needed a fallback."""
    ran = outcomes.cases[name]
    assert (ran.result.error, ran.result.status) == (None, "completed")
    assert ran.run.status is RunStatus.COMPLETED
    assert [step.number for step in ran.steps] == list(range(1, len(ran.case.steps) + 1))
    assert {step.status for step in ran.steps} == {StepStatus.PASSED}
    assert "expected-failure" not in ran.case.tags


def test_the_voucher_case_finds_the_bug_at_its_last_step(outcomes: Outcomes) -> None:
    """The shop's known bug: ten percent are no longer taken off once the quantity has changed."""
    ran = outcomes.cases["voucher.yaml"]
    *before, last = ran.steps
    assert {"known-bug", "expected-failure"} <= set(ran.case.tags)
    assert (ran.result.status, ran.run.status) == ("failed", RunStatus.FAILED)
    assert {step.status for step in before} == {StepStatus.PASSED}
    assert (last.number, last.name) == (len(ran.case.steps), "Ten percent are still taken off")
    assert (last.status, last.error_kind) == (StepStatus.FAILED, ErrorKind.ASSERTION)
    assert "€22.50" in (last.error or "")
    assert "€25.00" in (last.error or "")


def test_the_failed_case_leaves_a_screenshot_and_a_trace(outcomes: Outcomes) -> None:
    run = outcomes.cases["voucher.yaml"].run
    artifacts = outcomes.store.list_artifacts([run.id])
    assert {ArtifactKind.SCREENSHOT, ArtifactKind.TRACE} <= {artifact.kind for artifact in artifacts}
    assert all((outcomes.artifacts / a.path).stat().st_size == a.size_bytes for a in artifacts)


def test_a_screenshot_that_a_case_asks_for_is_kept(outcomes: Outcomes) -> None:
    run = outcomes.cases["checkout.yaml"].run
    kinds = [artifact.kind for artifact in outcomes.store.list_artifacts([run.id])]
    assert kinds == [ArtifactKind.SCREENSHOT]


def test_the_password_is_nowhere_but_in_the_worker(outcomes: Outcomes) -> None:
    """Neither rows nor progress nor any file of the login's run shows it."""
    ran = outcomes.cases["login.yaml"]
    assert len(ran.case.steps) == 5
    told = repr((ran, list(outcomes.progress)))
    files = [file for file in outcomes.artifacts.rglob("*") if file.is_file()]
    assert PASSWORD not in told
    assert [file for file in files if PASSWORD.encode() in file.read_bytes()] == []
