"""Cancelling runs: a waiting one leaves its queue, a running one is told."""

from __future__ import annotations

import time
from collections.abc import Sequence
from enum import StrEnum

from redis import Redis
from rq.job import Job
from rq.registry import CanceledJobRegistry, ScheduledJobRegistry

from qa_queue.models import ErrorKind, RunStatus, utc_now
from qa_queue.progress import ProgressWriter
from qa_queue.queues.keys import QueueKeys, homes_of
from qa_queue.store.protocol import RunStore

KEEP_S = 24 * 3600
MESSAGE = "Cancelled before it started"


class CancelOutcome(StrEnum):
    """What a request to cancel did."""

    REMOVED = "removed"  # it waited or was delayed, and never starts
    SIGNALLED = "signalled"  # a worker has it and was told
    ALREADY_FINISHED = "already_finished"
    UNKNOWN = "unknown"  # no such job


# KEYS: job, signal. ARGV: id, now, seconds to keep, then with {} for the queue's name: list, ranks, scheduled and
# canceled registry, parked ids. A worker moves a job out of its list in one step too, so it is either still there,
# and leaves, or a worker has it, and is told.
_CANCEL = """
local status = redis.call('HGET', KEYS[1], 'status')
if not status then return 'unknown' end
if status ~= 'queued' and status ~= 'scheduled' and status ~= 'started' then return 'already_finished' end
local origin = redis.call('HGET', KEYS[1], 'origin')
local function key(at) return (string.gsub(ARGV[at], '{}', function() return origin end)) end
local id, now, keep = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local left = redis.call('LREM', key(4), 1, id) + redis.call('ZREM', key(6), id) + redis.call('ZREM', key(8), id)
redis.call('ZREM', key(5), id)
if left == 0 then
  redis.call('SET', KEYS[2], '1', 'EX', keep)
  return 'signalled'
end
redis.call('HSET', KEYS[1], 'status', 'canceled')
local claim = redis.call('HGET', KEYS[1], 'qa_claim')
if claim then redis.call('EXPIRE', claim, keep) end
redis.call('EXPIRE', KEYS[1], keep)
redis.call('ZADD', key(7), now, id)
redis.call('ZREMRANGEBYSCORE', key(7), '-inf', now - keep)  -- RQ itself never forgets them
return 'removed'
"""


def request_cancel(connection: Redis, run_ids: Sequence[str]) -> dict[str, CancelOutcome]:
    """Cancel these runs, each in one atomic step against a worker that takes it at the same moment.

    A removed run gets its last progress report here; the caller sets the rows of removed runs to cancelled.
    A worker asks `CancelSignals.requested` before it starts a run and while it runs.

    Raises:
        redis.exceptions.RedisError: Redis failed; ask again, a second request does no harm.
    """
    outcomes: dict[str, CancelOutcome] = {}
    for server, its in homes_of(connection, run_ids):
        outcomes |= _cancel(server, its)
    return {run_id: outcomes[run_id] for run_id in run_ids}


def _cancel(connection: Redis, run_ids: Sequence[str]) -> dict[str, CancelOutcome]:
    pipeline = connection.pipeline(transaction=False)
    for run_id in run_ids:
        keys = [f"{Job.redis_job_namespace_prefix}{run_id}", signal_key(run_id)]
        pipeline.eval(_CANCEL, 2, *keys, run_id, int(time.time()), KEEP_S, *_queue_keys())
    outcomes = {
        run_id: CancelOutcome(answer.decode()) for run_id, answer in zip(run_ids, pipeline.execute(), strict=True)
    }
    progress = ProgressWriter(connection)
    for run_id, outcome in outcomes.items():
        if outcome is CancelOutcome.REMOVED:
            progress.finish(run_id, RunStatus.CANCELLED, MESSAGE)
    return outcomes


def cancel_runs(
    connection: Redis, store: RunStore, run_ids: Sequence[str], reason: str
) -> dict[str, CancelOutcome]:
    """Cancel runs with their rows: one that waits ends here and now, a running one is told to stop.

    Raises:
        redis.exceptions.RedisError, StoreError: a part failed; ask again, a second request does no harm.
    """
    outcomes = request_cancel(connection, run_ids)
    removed = [run_id for run_id, outcome in outcomes.items() if outcome is CancelOutcome.REMOVED]
    ended = [run_id for run_id, outcome in outcomes.items() if outcome is CancelOutcome.ALREADY_FINISHED]
    cancelled = {"status": RunStatus.CANCELLED, "error": reason, "error_kind": ErrorKind.CANCELLED}
    for run_id in (*removed, *_left_behind(connection, store, ended)):
        store.update_run(run_id, **cancelled, finished_at=utc_now())
    return outcomes


def _left_behind(connection: Redis, store: RunStore, run_ids: Sequence[str]) -> list[str]:
    """Those whose jobs an earlier request removed, but which still wait in the store: it failed in between."""
    found: list[str] = []
    for server, its in homes_of(connection, run_ids):
        pipeline = server.pipeline(transaction=False)
        for run_id in its:
            pipeline.hget(Job.key_for(run_id), "status")
        found += [run_id for run_id, status in zip(its, pipeline.execute(), strict=True) if status == b"canceled"]
    return [
        run_id for run_id in found if (run := store.get_run(run_id)) is not None and run.status is RunStatus.QUEUED
    ]


def signal_key(run_id: str) -> str:
    """The key that stands while a run is to be cancelled."""
    return f"qa:cancel:{run_id}"


class CancelSignals:
    """Whether runs are to be cancelled; `processors.base.CancelCheck`."""

    def __init__(self, connection: Redis) -> None:
        self._connection = connection

    def requested(self, run_id: str) -> bool:
        """True from the moment of the request, for 24 h; one round trip.

        Raises:
            redis.exceptions.RedisError: Redis failed.
        """
        return bool(self._connection.exists(signal_key(run_id)))

    def clear(self, run_id: str) -> None:
        """Forget the request, so that a run which is put back on its queue on purpose is not cancelled again."""
        self._connection.delete(signal_key(run_id))


def _queue_keys() -> list[str]:
    """The keys of a queue with {} for its name, which only the job's hash tells."""
    keys = QueueKeys("{}")
    registries = (ScheduledJobRegistry, CanceledJobRegistry)
    registered = [registry.key_template.format("{}") for registry in registries]
    return [keys.waiting, keys.ranks, *registered, keys.parked]
