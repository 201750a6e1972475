"""A run that has ended is not run again, whatever became of its worker."""

from __future__ import annotations

import pytest

from processors.execution.ended import earlier_end
from qa_queue.errors import StoreUnavailableError
from qa_queue.models import JobContext, RunStatus
from qa_queue.store.memory import MemoryStore
from tests.support.records import case_record, finished_run, run_record


class Away(MemoryStore):
    def get_run(self, run_id: str) -> None:
        raise StoreUnavailableError("Supabase is away")


def context(run_id: str, attempt: int = 2, queue: str = "test-execution") -> JobContext:
    return JobContext(job_id=run_id, queue=queue, attempt=attempt, max_attempts=3)


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (RunStatus.COMPLETED, "completed"),
        (RunStatus.ADAPTED, "adapted"),
        (RunStatus.FAILED, "failed"),
        (RunStatus.TIMED_OUT, "failed"),
        (RunStatus.CANCELLED, "cancelled"),
    ],
)
async def test_the_result_is_what_the_row_says(status: RunStatus, told: str) -> None:
    """Its job ends as the row did."""
    store = MemoryStore()
    run = finished_run(store.save_cases([case_record()])[0], status)
    store.save([run])
    result = await earlier_end(store, context(run.id))
    assert result is not None
    assert result["status"] == told


async def test_other_runs_are_run() -> None:
    """A first attempt, one that has not ended, another queue's, one without a row, and while nobody can tell."""
    store = MemoryStore()
    case = store.save_cases([case_record()])[0]
    ended, running = finished_run(case), run_record(case, status=RunStatus.RUNNING)
    store.save([ended, running])
    assert await earlier_end(store, context(ended.id, attempt=1)) is None
    assert await earlier_end(store, context(running.id)) is None
    assert await earlier_end(store, context(ended.id, queue="cleanup")) is None
    assert await earlier_end(store, context(case.id)) is None
    assert await earlier_end(Away(), context(ended.id)) is None
