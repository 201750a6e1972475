"""Cancelling runs: a waiting run leaves its queue, a running one is signalled to stop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import groupby

from redis import Redis
from rq.utils import as_text

from qa_queue.models import ErrorKind, FailureLimit, JobContext, RunStatus, utc_now
from qa_queue.progress import ProgressWriter
from qa_queue.queues.job_view import jobs_by_server
from qa_queue.queues.keys import JOB_PREFIX, QueueKeys, QueueScript, failures_key, signal_key
from qa_queue.redis import explained
from qa_queue.store.protocol import RunStore

KEEP_S = 24 * 3600
MESSAGE = "Cancelled before it started"
_AT_ONCE = 100  # jobs cancelled in one step, so that Redis is not blocked for long

_CANCEL = QueueScript.load("cancel")


class CancelOutcome(StrEnum):
    """The effect of a request to cancel a run."""

    REMOVED = "removed"  # it was waiting or delayed, and never starts
    SIGNALLED = "signalled"  # a worker has it and receives the signal
    ALREADY_FINISHED = "already_finished"
    UNKNOWN = "unknown"  # there is no such job


def request_cancel(connection: Redis, run_ids: Sequence[str]) -> dict[str, CancelOutcome]:
    """Cancel these runs, each in one atomic step against a worker that takes it at the same moment.

    Writes the final progress report of removed runs; the caller sets their rows to cancelled. A worker checks
    `CancelSignals.requested` before it starts a run and while it runs.

    Raises:
        redis.exceptions.RedisError: Redis failed; call again, a second request has no effect.
    """
    outcomes = dict.fromkeys(run_ids, CancelOutcome.UNKNOWN)
    for server, own in jobs_by_server(connection, run_ids):
        for queue, ids in _by_queue(server, own):
            replies = _CANCEL.run(server, [queue], KEEP_S, *ids)
            outcomes |= {run_id: CancelOutcome(as_text(reply)) for run_id, reply in zip(ids, replies, strict=True)}
        progress = ProgressWriter(server)
        for run_id in own:
            if outcomes[run_id] is CancelOutcome.REMOVED:
                progress.finish(run_id, RunStatus.CANCELLED, MESSAGE)
    return outcomes


def cancel_runs(
    connection: Redis, store: RunStore, run_ids: Sequence[str], reason: str
) -> dict[str, CancelOutcome]:
    """Cancel runs and their rows: a waiting run ends here, a running one is signalled to stop.

    Raises:
        redis.exceptions.RedisError, StoreError: a part failed; call again, a second request has no effect.
    """
    outcomes = request_cancel(connection, run_ids)
    removed = [run_id for run_id, outcome in outcomes.items() if outcome is CancelOutcome.REMOVED]
    ended = [run_id for run_id, outcome in outcomes.items() if outcome is CancelOutcome.ALREADY_FINISHED]
    cancelled = {"status": RunStatus.CANCELLED, "error": reason, "error_kind": ErrorKind.CANCELLED}
    for run_id in (*removed, *_half_cancelled(connection, store, ended)):
        store.update_run(run_id, **cancelled, finished_at=utc_now())
    return outcomes


def _by_queue(connection: Redis, job_ids: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """The jobs that exist, by the name of their queue, at most 100 at a time."""
    origins = _fields(connection, job_ids, "origin")
    known = sorted((as_text(origin), job_id) for job_id, origin in origins.items() if origin is not None)
    for queue, pairs in groupby(known, key=lambda pair: pair[0]):
        ids = [job_id for _, job_id in pairs]
        yield from ((queue, ids[at : at + _AT_ONCE]) for at in range(0, len(ids), _AT_ONCE))


def _half_cancelled(connection: Redis, store: RunStore, run_ids: Sequence[str]) -> list[str]:
    """Runs whose jobs an earlier request removed, and whose rows are still queued: it failed in between."""
    found: list[str] = []
    for server, own in jobs_by_server(connection, run_ids):
        statuses = _fields(server, own, "status")
        found += [run_id for run_id, status in statuses.items() if status == b"canceled"]
    return [
        run_id for run_id in found if (run := store.get_run(run_id)) is not None and run.status is RunStatus.QUEUED
    ]


def _fields(connection: Redis, job_ids: Sequence[str], field: str) -> dict[str, bytes | None]:
    """A field of each job, in one round trip."""
    pipeline = connection.pipeline(transaction=False)
    for job_id in job_ids:
        pipeline.hget(f"{JOB_PREFIX}{job_id}", field)
    return dict(zip(job_ids, pipeline.execute(), strict=True))


class CancelSignals:
    """Requests to cancel runs; implements `processors.base.CancelCheck`."""

    def __init__(self, connection: Redis) -> None:
        self._connection = connection

    def requested(self, run_id: str) -> bool:
        """Return True from the moment of the request, for 24 h; one round trip.

        Raises:
            RedisUnavailableError: Redis failed; ask again.
        """
        with explained(self._connection):
            return bool(self._connection.exists(signal_key(run_id)))

    def add_failure(self, run_id: str, limit: FailureLimit) -> None:
        """Count a run as a failure of its batch, once, for 24 h.

        Raises:
            RedisUnavailableError: Redis failed; ask again.
        """
        key = failures_key(limit.batch_id)
        with explained(self._connection):
            pipeline = self._connection.pipeline()
            pipeline.sadd(key, run_id)
            pipeline.expire(key, KEEP_S)
            pipeline.execute()

    def limit_reached(self, run_id: str, limit: FailureLimit) -> bool:
        """Return True if enough other runs of the batch have failed; one round trip.

        Raises:
            RedisUnavailableError: Redis failed; ask again.
        """
        with explained(self._connection):
            failed = set(map(as_text, self._connection.smembers(failures_key(limit.batch_id))))
        return len(failed - {run_id}) >= limit.most

    def taken_over(self, context: JobContext) -> bool:
        """Return True if another worker has closed this attempt, or Redis has lost it; one round trip.

        Raises:
            RedisUnavailableError: Redis failed; ask again.
        """
        if not context.execution:
            return False
        with explained(self._connection):
            return self._connection.zscore(QueueKeys(context.queue).started, context.execution) is None

    def clear(self, run_id: str) -> None:
        """Delete the request, so that a run that is requeued on purpose is not cancelled again."""
        self._connection.delete(signal_key(run_id))
