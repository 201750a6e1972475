"""The functions that jobs name by dotted path; the entry point of RQ's own workers.

`qa_queue.worker.QAWorker` passes the names to one warm `Runtime` in its child process. Any other RQ worker calls
the functions (`rq worker -S json test-execution`); each call then uses a runtime of its own.
"""

from __future__ import annotations

import asyncio
from typing import Any

from rq import get_current_job
from rq.job import Job
from rq.timeouts import JobTimeoutException

from processors.runtime import Runtime
from qa_queue.errors import InfrastructureError, InputError, QAError, RunCancelledError, RunTimedOutError
from qa_queue.models import ATTEMPT_FIELD, JobContext
from qa_queue.models.outcomes import cancelled_result
from qa_queue.settings import load_settings
from qa_queue.settings.logs import configure_logging

__all__ = ["Runtime", "clean_up", "execute_run", "learn", "perform"]


def execute_run(data: dict[str, Any]) -> dict[str, Any]:
    """Execute a run; `data` is a `TestJobData`, the result a `TestJobResult`, both as JSON."""
    return perform("processors.entry.execute_run", data)


def clean_up(data: dict[str, Any]) -> dict[str, Any]:
    """Delete expired runs; `data` is a `CleanupJobData`, the result a `CleanupJobResult`, both as JSON."""
    return perform("processors.entry.clean_up", data)


def learn(data: dict[str, Any]) -> dict[str, Any]:
    """Learn from finished runs; `data` is a `LearningJobData`, the result a `LearningJobResult`, both as JSON."""
    return perform("processors.entry.learn", data)


def perform(function_name: str, data: dict[str, Any]) -> dict[str, Any]:
    """Process the current job of a plain RQ worker; functions of other packages call this too.

    Raises:
        InputError: there is no current job, or no processor for the function.
    """
    job = get_current_job()
    if job is None:
        raise InputError(f"{function_name} runs in an RQ worker: put it on a queue with `qa-queue run`")
    settings = load_settings()
    configure_logging(settings.log_level, settings.log_format)
    return asyncio.run(_attempt(Runtime(settings, [job.origin]), job, function_name, data))


async def _attempt(runtime: Runtime, job: Job, function_name: str, data: dict[str, Any]) -> dict[str, Any]:
    context = _context(job)
    async with runtime:
        try:
            return await runtime.perform(function_name, data, context)
        except RunCancelledError as error:
            return cancelled_result(str(error))
        except Exception as error:
            if not isinstance(error, InfrastructureError) or context.last_attempt:
                job.retries_left = 0  # RQ retries every job that has retries left
                await runtime.abandon(context, _as_qa_error(error))
            raise


def _as_qa_error(error: Exception) -> QAError:
    if isinstance(error, JobTimeoutException):
        return RunTimedOutError(str(error))
    return error if isinstance(error, QAError) else QAError(f"{type(error).__name__}: {error}")


def _context(job: Job) -> JobContext:
    attempt = int(job.connection.hincrby(job.key, ATTEMPT_FIELD, 1))
    return JobContext(
        job_id=job.id,
        queue=job.origin,
        attempt=attempt,
        max_attempts=attempt + (job.retries_left or 0),
        enqueued_at=job.enqueued_at,
        started_at=job.started_at,
        worker=job.worker_name or "",
    )
