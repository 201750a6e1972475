"""The progress of runs: the stream `progress:<run id>`, one entry for each report, as JSON in the field `event`."""

from __future__ import annotations

import html
import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from rq.job import Job

from qa_queue.models import JobProgress, QueueName, RunStatus
from qa_queue.redis import connection_of
from qa_queue.redis.counters import COUNTS_KEY, bucket_field, sum_field
from qa_queue.redis.scripts import LuaScript

log = logging.getLogger(__name__)

KEEP_S = 24 * 3600
MAX_REPORTS = 10_000  # of one run; Redis trims whole blocks, so there may be a few more
EVENTS_KEY = "qa:events"  # the stream of the events of all queues, reports among them
MAX_EVENTS = 20_000  # in that stream
BLOCK_MS = 2_000  # the longest single wait inside Redis: after a failover a blocked read may never be answered
PAGE = 500  # reports of one run in one read
FROM_START = "0"
FIELD = b"event"
QUIET_S = 5.0  # after Redis refused a report
_PREFIX = "progress:"
_WRITE = LuaScript.load("qa_queue.progress", "write")


@dataclass(frozen=True, kw_only=True)
class ProgressEvent:
    """A report, and its id in the run's stream, from which `follow` can continue."""

    id: str
    progress: JobProgress


class ProgressReader:
    """Follows runs; any number of readers see the same reports, each at its own pace."""

    def __init__(self, connection: Redis) -> None:
        self._connection = connection_of(connection, QueueName.TEST_EXECUTION)  # runs are its jobs

    def follow(
        self, run_id: str, *, from_id: str = FROM_START, timeout: float | None = None
    ) -> Iterator[ProgressEvent]:
        """Yield every report after `from_id`, then new ones, until a final status or until `timeout` s are over.

        A run without a report is waited for. A timeout of None waits forever.

        Raises:
            redis.exceptions.RedisError: Redis failed; continue from the id of the last report.
        """
        yield from self.follow_many({run_id: from_id}, timeout=timeout)

    def follow_many(
        self, run_ids: Sequence[str] | Mapping[str, str], *, timeout: float | None = None
    ) -> Iterator[ProgressEvent]:
        """As `follow`, for many runs at once, until all have ended; a mapping gives each run's `from_id`."""
        positions = dict(run_ids) if isinstance(run_ids, Mapping) else dict.fromkeys(run_ids, FROM_START)
        deadline = None if timeout is None else time.monotonic() + timeout
        while positions:
            block_ms = _block_ms(deadline)
            for run_id, event in self._read(positions, block_ms):
                if run_id not in positions:  # the run has ended: ignore what follows in this page
                    continue
                positions[run_id] = event.id
                if event.progress.status.final:
                    del positions[run_id]
                yield event
            if block_ms == 0:
                return

    def latest(self, run_ids: Sequence[str]) -> dict[str, JobProgress]:
        """Return the latest report of each run that has one, in one round trip."""
        pipeline = self._connection.pipeline(transaction=False)
        for run_id in run_ids:
            pipeline.xrevrange(stream_key(run_id), count=1)
        replies = zip(run_ids, pipeline.execute(), strict=True)
        return {run_id: decode(entries[0][1]) for run_id, entries in replies if entries}

    def _read(self, positions: Mapping[str, str], block_ms: int) -> list[tuple[str, ProgressEvent]]:
        streams: dict[Any, Any] = {stream_key(run_id): last for run_id, last in positions.items()}
        # Redis takes BLOCK 0 as "forever".
        reply: Any = self._connection.xread(streams, count=PAGE, block=block_ms or None)
        return [
            (run_of(stream), ProgressEvent(id=entry_id.decode(), progress=decode(fields)))
            for stream, entries in reply or []
            for entry_id, fields in entries
        ]


def stream_key(run_id: str) -> str:
    """Return the key of a run's stream."""
    return f"{_PREFIX}{run_id}"


def run_of(key: bytes) -> str:
    """Return the run id of a stream's key."""
    return key.decode().removeprefix(_PREFIX)


def encode(progress: JobProgress) -> str:
    """Return a report as the text of a stream entry."""
    return progress.model_dump_json()


def decode(fields: dict[bytes, bytes]) -> JobProgress:
    """Return the report of a stream entry."""
    return JobProgress.model_validate_json(fields[FIELD])


def meta_document(progress: JobProgress) -> dict[str, Any]:
    """Return a report for the job's meta, which rq-dashboard shows without escaping it.

    Texts may come from the site under test, so they are HTML-escaped here. Programs read the stream instead.
    """
    step = progress.step_data
    return {
        "status": progress.status.value,
        "step": f"{progress.current_step}/{progress.total_steps or '?'}",
        "percentage": progress.percentage,
        "message": html.escape(progress.message),
        "action": html.escape(step.action) if step else "",
        "error": html.escape(step.error or "") if step else "",
    }


def _block_ms(deadline: float | None) -> int:
    """The time to wait in Redis, in ms; 0 after the deadline, to read only what there is."""
    if deadline is None:
        return BLOCK_MS
    return max(0, min(BLOCK_MS, round((deadline - time.monotonic()) * 1000)))


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
