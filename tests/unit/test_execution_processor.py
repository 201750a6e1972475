"""A run that has ended is not run again, whatever happened to its worker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from processors.browser.protocol import BrowserSession, SessionOptions
from processors.execution import processor
from qa_queue.errors import (
    BrowserMissingError,
    InputError,
    RunCancelledError,
    RunReturnedError,
    StoreUnavailableError,
)
from qa_queue.models import FailureLimit, RunStatus, TestJobData
from qa_queue.store.memory import MemoryStore
from qa_queue.store.records import RunRecord
from qa_queue.worker.verdicts import RequeueJob, child_failure, judge
from tests.support.records import finished_run
from tests.support.running import ExecutionHarness
from tests.support.steps import case, goto


class NoBrowser:
    """A pool without a browser: a run that is executed raises."""

    def session(self, options: SessionOptions) -> AbstractAsyncContextManager[BrowserSession]:
        raise BrowserMissingError("there is no browser")


class UnavailableStore(MemoryStore):
    """A store whose next reads fail: `failing` of them."""

    failing = 0

    def get_run(self, run_id: str) -> RunRecord | None:
        if self.failing:
            self.failing -= 1
            raise StoreUnavailableError("Supabase is unavailable")
        return super().get_run(run_id)


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[ExecutionHarness]:
    running = ExecutionHarness(browser=NoBrowser(), artifacts_dir=tmp_path)
    yield running
    running.close()


def submitted(harness: ExecutionHarness, **fields: object) -> TestJobData:
    """A run whose row has these fields."""
    data = harness.submit(case(goto("/")))
    harness.store.save([harness.row(data.test_run_id).model_copy(update=fields)])
    return data


def ended(status: RunStatus) -> dict[str, object]:
    run: RunRecord = finished_run("case", status, error="no button", total_steps=3, completed_steps=2)
    return run.model_dump(include={"status", "finished_at", "error", "total_steps", "completed_steps"})


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (RunStatus.COMPLETED, "completed"),
        (RunStatus.ADAPTED, "adapted"),
        (RunStatus.FAILED, "failed"),
        (RunStatus.TIMED_OUT, "failed"),
    ],
)
@pytest.mark.parametrize("attempt", [1, 2])
async def test_the_result_is_that_of_the_row(
    harness: ExecutionHarness, status: RunStatus, result: str, attempt: int
) -> None:
    """The job ends as the run did, with its figures; a first attempt is one that Redis has forgotten."""
    found = await harness.run(submitted(harness, **ended(status)), attempt=attempt, max_attempts=3)
    assert (found.status, found.total_steps, found.completed_steps) == (result, 3, 2)
    assert found.error == "no button"


async def test_a_cancelled_run_stays_cancelled(harness: ExecutionHarness) -> None:
    """With the words of its row."""
    with pytest.raises(RunCancelledError, match="no button"):
        await harness.run(submitted(harness, **ended(RunStatus.CANCELLED)), attempt=2, max_attempts=3)


async def test_a_dead_run_is_not_run_again(harness: ExecutionHarness) -> None:
    """Its job becomes a dead letter, as the run is."""
    with pytest.raises(InputError, match="is dead: no button"):
        await harness.run(submitted(harness, **ended(RunStatus.DEAD)), attempt=1, max_attempts=3)


@pytest.mark.parametrize("status", [RunStatus.RUNNING, RunStatus.QUEUED])
async def test_other_runs_are_run(harness: ExecutionHarness, status: RunStatus) -> None:
    """Those that have not ended."""
    with pytest.raises(BrowserMissingError):
        await harness.run(submitted(harness, status=status), attempt=2, max_attempts=3)


async def test_an_attempt_that_redis_counts_too_low_counts_after_those_of_the_row(
    harness: ExecutionHarness,
) -> None:
    """Otherwise the database would drop everything that it writes."""
    data = submitted(harness, status=RunStatus.RUNNING, fence=4)
    processor = harness.processor(data, attempt=1, max_attempts=3)
    with pytest.raises(BrowserMissingError):
        await processor.run(data.model_dump(mode="json"))
    assert (processor.context.attempt, processor.context.max_attempts) == (5, 7)
    harness.writer.flush(5)
    assert harness.row(data.test_run_id).status is RunStatus.QUEUED


async def test_an_attempt_that_was_taken_over_does_not_begin(harness: ExecutionHarness) -> None:
    data = submitted(harness)
    harness.cancels.lost.add(data.test_run_id)
    with pytest.raises(RunReturnedError, match="has taken the run over"):
        await harness.run(data)


async def test_a_run_without_a_row_is_run(harness: ExecutionHarness) -> None:
    data = harness.submit(case(goto("/")))
    harness.store.delete_runs([data.test_run_id])
    with pytest.raises(BrowserMissingError):
        await harness.run(data, attempt=2, max_attempts=3)


async def test_a_submitted_run_whose_row_is_gone_is_not_run(harness: ExecutionHarness) -> None:
    """Its submission was withdrawn, or the database was restored from an older backup."""
    data = harness.submit(case(goto("/"))).model_copy(update={"recorded": True})
    harness.store.delete_runs([data.test_run_id])
    with pytest.raises(RunCancelledError, match="has no row"):
        await harness.run(data, attempt=2, max_attempts=3)


async def test_a_run_is_run_while_the_store_cannot_be_read(tmp_path: Path) -> None:
    """Where no earlier attempt is known. Its row keeps its first end anyway."""
    store = UnavailableStore()
    harness = ExecutionHarness(browser=NoBrowser(), artifacts_dir=tmp_path, store=store)
    data = submitted(harness, **ended(RunStatus.COMPLETED))
    store.failing = 1
    with pytest.raises(BrowserMissingError):
        await harness.run(data, attempt=1, max_attempts=3)
    assert harness.row(data.test_run_id).status is RunStatus.COMPLETED
    harness.close()


async def test_a_later_attempt_waits_for_a_store_that_cannot_be_read(tmp_path: Path) -> None:
    """The first one may have ended the run before its worker was lost."""
    store = UnavailableStore()
    harness = ExecutionHarness(browser=NoBrowser(), artifacts_dir=tmp_path, store=store)
    data = submitted(harness, **ended(RunStatus.COMPLETED))
    store.failing = 1
    assert (await harness.run(data, attempt=2, max_attempts=3)).status == "completed"
    assert not store.failing
    harness.close()


async def test_a_later_attempt_never_begins_while_the_store_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its job returns to the queue without using an attempt, and its row stays as it is."""
    monkeypatch.setattr(processor, "_ROW_PATIENCE_S", 0.0)
    store = UnavailableStore()
    harness = ExecutionHarness(browser=NoBrowser(), artifacts_dir=tmp_path, store=store)
    data = submitted(harness, status=RunStatus.RUNNING, fence=1)
    store.failing = 1
    with pytest.raises(RunReturnedError, match="Supabase is unavailable") as raised:
        await harness.run(data, attempt=2, max_attempts=2)
    assert isinstance(judge(child_failure(raised.value), retries_left=0), RequeueJob)
    harness.writer.flush(5)
    assert harness.row(data.test_run_id).status is RunStatus.RUNNING
    harness.close()


LIMIT = FailureLimit(batch_id="batch", most=1)


async def test_a_run_does_not_begin_once_its_batch_has_failed_as_often_as_it_may(harness: ExecutionHarness) -> None:
    """A dead run counts."""
    first, second = (harness.submit(case(goto("/")), failure_limit=LIMIT) for _ in range(2))
    with pytest.raises(BrowserMissingError):
        await harness.run(first, attempt=3, max_attempts=3)
    with pytest.raises(RunCancelledError):
        await harness.run(second)
    assert harness.row(second.test_run_id).status is RunStatus.CANCELLED


async def test_an_attempt_that_is_followed_by_another_is_no_failure_of_a_batch(harness: ExecutionHarness) -> None:
    first, second = (harness.submit(case(goto("/")), failure_limit=LIMIT) for _ in range(2))
    for data in (first, second):
        with pytest.raises(BrowserMissingError):
            await harness.run(data, attempt=1, max_attempts=3)


async def test_a_run_that_is_requeued_begins_whatever_failed_in_its_batch(harness: ExecutionHarness) -> None:
    first, second = (harness.submit(case(goto("/")), failure_limit=LIMIT) for _ in range(2))
    harness.cancels.add_failure(first.test_run_id, LIMIT)
    with pytest.raises(BrowserMissingError):
        await harness.run(second, requeues=1)


async def test_a_run_that_cannot_begin_is_a_failure_of_its_batch(harness: ExecutionHarness) -> None:
    """Its input is wrong: a case asks for more time than a run may take."""
    harness.limits["qa_run_seconds"] = 1
    refused = harness.submit(case(goto("/"), timeout=2000), failure_limit=LIMIT)
    assert (await harness.run(refused)).status == "failed"
    assert harness.cancels.failures == {"batch": {refused.test_run_id}}
