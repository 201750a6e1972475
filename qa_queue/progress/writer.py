"""Writing progress: one round trip for each report."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from rq.job import Job

from qa_queue.models import JobProgress, RunStatus
from qa_queue.progress.reader import (
    EVENTS_KEY,
    KEEP_S,
    MAX_EVENTS,
    MAX_REPORTS,
    decode,
    encode,
    meta_document,
    stream_key,
)
from qa_queue.redis.counters import COUNTS_KEY, bucket_field, sum_field
from qa_queue.redis.scripts import LuaScript

log = logging.getLogger(__name__)

QUIET_S = 5.0

_WRITE = LuaScript.load("qa_queue.progress", "write")


class ProgressWriter:
    """Writes reports to the job's meta and the stream `progress:<run id>`, in one round trip. Thread-safe.

    Reports inform; the rows of the run are its record. A report that Redis refuses is dropped and logged (WARN,
    once until Redis works again), and never fails the run. For 5 s after a failure reports are dropped without
    asking Redis, so that not every step waits for a time-out of its own; the final report is always tried.
    """

    def __init__(self, connection: Redis) -> None:
        self._connection = connection
        self._quiet_until: float | None = None  # monotonic; None while Redis works

    def write(self, job_id: str, progress: JobProgress) -> None:
        """Write a report, to the meta only if the job still exists. Never raises when Redis fails."""
        quiet = self._quiet_until is not None and time.monotonic() < self._quiet_until
        if quiet and not progress.status.final:
            return
        try:
            self._send(job_id, progress)
        except RedisError as error:
            self._log_failure(progress.test_run_id, error)
        else:
            self._quiet_until = None

    def finish(self, run_id: str, status: RunStatus, message: str) -> None:
        """Write the final report of a run without a processor: a dead run, or one cancelled while waiting.

        Keeps the counts of the latest report. Does nothing if that is final already. Never raises when Redis fails.
        """
        try:
            latest = self._latest(run_id)
        except RedisError as error:
            self._log_failure(run_id, error)
            return
        if latest.status.final:
            return
        self.write(run_id, latest.model_copy(update={"status": status, "message": message, "step_data": None}))

    def _send(self, job_id: str, progress: JobProgress) -> None:
        keys = [
            f"{Job.redis_job_namespace_prefix}{job_id}",
            stream_key(progress.test_run_id),
            EVENTS_KEY,
            COUNTS_KEY,
        ]
        summary = json.dumps(meta_document(progress))
        limits = [MAX_REPORTS, KEEP_S, MAX_EVENTS]
        _WRITE.run(self._connection, keys, [encode(progress), summary, job_id, *limits, *_counted(progress)])

    def _latest(self, run_id: str) -> JobProgress:
        entries: Any = self._connection.xrevrange(stream_key(run_id), count=1)
        if entries:
            return decode(entries[0][1])
        return JobProgress(test_run_id=run_id, current_step=0, total_steps=0, percentage=0, status=RunStatus.QUEUED)

    def _log_failure(self, run_id: str, error: RedisError) -> None:
        if self._quiet_until is None:
            log.warning("Progress of run %s is dropped while Redis fails: %s. The run continues.", run_id, error)
        self._quiet_until = time.monotonic() + QUIET_S


def _counted(progress: JobProgress) -> list[str | int]:
    """The duration of the step of a report and the fields that count it; empty for a report without a step."""
    step = progress.step_data
    if step is None or step.duration is None:
        return []
    labels = ("step", step.action, step.status.value)
    return [step.duration, bucket_field(*labels, step.duration), sum_field(*labels)]
