"""Runs whose end is in the store already, though their job was not closed: they are not run again."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from qa_queue.errors import StoreError
from qa_queue.models import JobContext, QueueName, RunStatus, TestJobResult
from qa_queue.models.outcomes import cancelled_result, result_status
from qa_queue.store.protocol import RunStore
from qa_queue.store.records import RunRecord

log = logging.getLogger(__name__)


async def earlier_end(store: RunStore, context: JobContext) -> dict[str, Any] | None:
    """The result that an earlier attempt stored before its worker was lost; None where the run is to be run.

    While the store cannot be asked, the run is run: a row that has ended keeps its first end anyway.
    """
    if context.attempt == 1 or context.queue != QueueName.TEST_EXECUTION:
        return None
    try:
        run = await asyncio.to_thread(store.get_run, context.job_id)
    except StoreError as error:
        log.warning("Cannot tell whether run %s has ended already: %s", context.job_id, error)
        return None
    if run is None or not run.status.final:
        return None
    log.info("Run %s had ended as %s before its worker was lost; it is not run again", run.id, run.status.value)
    return result_of(run)


def result_of(run: RunRecord) -> dict[str, Any]:
    """The job's result, from the row of a run that has ended."""
    if run.status is RunStatus.CANCELLED:
        return cancelled_result(run.error or "")
    result = TestJobResult(
        test_run_id=run.id,
        status=result_status(run.status),
        total_steps=run.total_steps,
        completed_steps=run.completed_steps,
        failed_steps=run.failed_steps,
        adapted_steps=run.adapted_steps,
        duration=(run.starting_ms or 0) + (run.running_ms or 0),
        error=run.error,
        error_kind=run.error_kind,
        flaky=run.flaky,
    )
    return result.model_dump(mode="json")
