"""Writing progress: one round trip a report."""

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
    MOST_EVENTS,
    decode,
    encode,
    meta_document,
    stream_key,
)
from qa_queue.redis.counters import COUNTS_KEY, bucket_field, sum_field

log = logging.getLogger(__name__)

QUIET_S = 5.0

# KEYS: job, stream, stream of all events, counts. ARGV: report, most entries, seconds to keep, what the meta shows,
# most entries of all events, job id; and of a step its duration in ms and the fields that count and add it up.
# A job that is gone gets no hash back: RQ could not read it, and one unreadable hash stops every RQ worker that
# meets it.
_WRITE = """
if redis.call('EXISTS', KEYS[1]) == 1 then
  local read, meta = pcall(cjson.decode, redis.call('HGET', KEYS[1], 'meta') or '{}')
  if not read or type(meta) ~= 'table' then meta = {} end
  meta.progress = cjson.decode(ARGV[4])
  redis.call('HSET', KEYS[1], 'meta', cjson.encode(meta))
end
local id = redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], '*', 'event', ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[3])
local queue = redis.call('HGET', KEYS[1], 'origin')
if queue then
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], '*', 'event', 'progress', 'queue', queue, 'job', ARGV[6],
    'data', ARGV[1])
end
if ARGV[7] then
  redis.call('HINCRBY', KEYS[4], ARGV[8], 1)
  redis.call('HINCRBY', KEYS[4], ARGV[9], ARGV[7])
end
return id
"""


class ProgressWriter:
    """Writes reports to the job's meta and the stream `progress:<run_id>`, in one round trip; safe between threads.

    Progress is news, not record: a report that Redis refuses is logged (WARN, once until it works again) and
    dropped; it never fails the run. While Redis fails, reports within 5 s are dropped unasked, so that each step
    does not wait for a time-out of its own; the last report of a run is always tried.
    """

    def __init__(self, connection: Redis) -> None:
        self._connection = connection
        self._script = connection.register_script(_WRITE)
        self._quiet_until: float | None = None  # monotonic; None while Redis works

    def write(self, job_id: str, progress: JobProgress) -> None:
        """Write one report; the meta only if the job still exists. Never raises for a Redis that fails."""
        quiet = self._quiet_until is not None and time.monotonic() < self._quiet_until
        if quiet and not progress.status.final:
            return
        try:
            self._send(job_id, progress)
        except RedisError as error:
            self._note_failure(progress.test_run_id, error)
        else:
            self._quiet_until = None

    def finish(self, run_id: str, status: RunStatus, message: str) -> None:
        """Write the last report of a run that has no processor to do so: dead, or cancelled while waiting.

        Keeps the counts of the latest report. Does nothing if that has a final status already. Never raises for a
        Redis that fails.
        """
        try:
            latest = self._latest(run_id)
        except RedisError as error:
            self._note_failure(run_id, error)
            return
        if latest.status.final:
            return
        self.write(run_id, latest.model_copy(update={"status": status, "message": message, "step_data": None}))

    def _send(self, job_id: str, progress: JobProgress) -> None:
        self._script(
            keys=[
                f"{Job.redis_job_namespace_prefix}{job_id}",
                stream_key(progress.test_run_id),
                EVENTS_KEY,
                COUNTS_KEY,
            ],
            args=[
                encode(progress),
                MAX_EVENTS,
                KEEP_S,
                json.dumps(meta_document(progress)),
                MOST_EVENTS,
                job_id,
                *_counted(progress),
            ],
        )

    def _latest(self, run_id: str) -> JobProgress:
        entries: Any = self._connection.xrevrange(stream_key(run_id), count=1)
        if entries:
            return decode(entries[0][1])
        return JobProgress(test_run_id=run_id, current_step=0, total_steps=0, percentage=0, status=RunStatus.QUEUED)

    def _note_failure(self, run_id: str, error: RedisError) -> None:
        if self._quiet_until is None:
            log.warning("Progress of run %s is not shown while Redis fails: %s. The run goes on.", run_id, error)
        self._quiet_until = time.monotonic() + QUIET_S


def _counted(progress: JobProgress) -> list[str | int]:
    """What counts the step of a report, if it is of one."""
    step = progress.step_data
    if step is None or step.duration is None:
        return []
    labels = ("step", step.action, step.status.value)
    return [step.duration, bucket_field(*labels, step.duration), sum_field(*labels)]
