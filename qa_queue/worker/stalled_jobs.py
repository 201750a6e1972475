"""Recovery of what dead workers left: jobs not started, jobs without heartbeats, outcomes that are not stored."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from pydantic import ValidationError
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.exceptions import NoSuchJobError
from rq.executions import Execution
from rq.job import JobStatus
from rq.utils import as_text

from qa_queue.models.outcomes import FailureKind
from qa_queue.queues.dequeue import ReservedJob, acknowledge, release
from qa_queue.queues.reconciliation import forget_record, unstored_records
from qa_queue.worker.executions import ActiveJob, EndedJob, adopt_execution
from qa_queue.worker.ipc import Abandon, ChildFailure, RecordRequest, Release, decode, encode
from qa_queue.worker.verdicts import judge

log = logging.getLogger(__name__)

_UNSTARTED_S = 7.0  # after which a reserved job is released
_SILENCE_S = 9.0  # without a heartbeat, after which an execution is taken over: four heartbeats
_LOCK_MS = 4000  # one worker recovers a queue at a time; one that died holds up the others no longer than this
_GRACE_S = 5.0  # after an outage of Redis, in which running workers resume their heartbeats
_UNSTORED_S = 4.0  # after which an outcome is stored by a worker that did not close the job
_LOST = ChildFailure(
    kind=FailureKind.INFRASTRUCTURE, message="the worker that ran it is gone: it has sent no heartbeat"
)


class StalledJobRecovery:
    """Finds stalled jobs of some queues for the worker of this name.

    A worker runs as long as its heartbeats change; the times in them are ignored, because clocks differ.
    """

    def __init__(self, connection: Redis, queues: Sequence[Queue], worker_name: str) -> None:
        self._connection = connection
        self._queues = queues
        self._worker_name = worker_name
        self._unstarted: dict[tuple[str, str], float] = {}  # by queue and job: when it was first seen
        self._heartbeats: dict[str, tuple[float, float]] = {}  # by entry: the last one, and when it was first seen
        self._resume_at = 0.0

    def pause(self, now: float) -> None:
        """Wait until running workers have had time to send heartbeats: Redis was unavailable."""
        self._resume_at = now + _GRACE_S
        self._heartbeats.clear()

    def recover(self, now: float) -> list[EndedJob]:
        """Release reserved jobs that were never started; return those whose worker has died, to be closed.

        Raises:
            redis.exceptions.RedisError: Redis failed.
        """
        if now < self._resume_at:
            return []
        silent = self._silent_executions(now)
        ended = []
        for queue in self._queues:
            self._release_unstarted(queue, now)
            entries = silent[queue.name]
            if entries and self._lock(queue):
                ended += self._take_over(queue, entries)
        return ended

    def _lock(self, queue: Queue) -> bool:
        key = f"qa:janitor:{queue.name}"  # prose: allow - workers of earlier versions use the key too
        return bool(self._connection.set(key, 1, nx=True, px=_LOCK_MS))

    def _silent_executions(self, now: float) -> dict[str, list[str]]:
        """Return, by queue, the entries of its registry whose last heartbeat is too long ago."""
        seen: dict[str, tuple[float, float]] = {}
        silent: dict[str, list[str]] = {}
        for queue in self._queues:
            entries: Any = self._connection.zrange(queue.started_job_registry.key, 0, -1, withscores=True)
            heartbeats = {str(as_text(entry)): float(score) for entry, score in entries}
            for entry, score in heartbeats.items():
                known = self._heartbeats.get(entry)
                seen[entry] = known if known and known[0] == score else (score, now)
            silent[queue.name] = [entry for entry in heartbeats if now - seen[entry][1] >= _SILENCE_S]
        self._heartbeats = seen
        return silent

    def _release_unstarted(self, queue: Queue, now: float) -> None:
        ids = {str(as_text(i)) for i in self._connection.lrange(queue.intermediate_queue_key, 0, -1)}
        seen = {(queue.name, job_id) for job_id in ids}
        kept = {key: at for key, at in self._unstarted.items() if key[0] != queue.name or key in seen}
        self._unstarted = dict.fromkeys(seen, now) | kept
        for key in seen:
            if now - self._unstarted[key] >= _UNSTARTED_S:
                self._release(queue, key[1])

    def _release(self, queue: Queue, job_id: str) -> None:
        reserved = ReservedJob(job_id=job_id, queue=queue.name)
        if job_id in queue.started_job_registry:
            acknowledge(self._connection, reserved)
        elif release(self._connection, reserved):
            log.warning("Requeued job %s: the worker that had reserved it died before the job started", job_id)

    def _take_over(self, queue: Queue, entries: Sequence[str]) -> list[EndedJob]:
        ended = []
        for composite in entries:
            execution = Execution.from_composite_key(composite, self._connection)
            active = self._adopt(queue, execution)
            if active is None:
                self._connection.zrem(queue.started_job_registry.key, composite)
            else:
                log.warning("The worker of job %s is gone", execution.job_id)
                verdict = judge(_LOST, retries_left=active.job.retries_left or 0)
                ended.append(EndedJob(active=active, verdict=verdict))
        return ended

    def _adopt(self, queue: Queue, execution: Execution) -> ActiveJob | None:
        try:
            job = queue.job_class.fetch(execution.job_id, connection=self._connection, serializer=queue.serializer)
        except (NoSuchJobError, ValueError):
            return None
        if job.get_status(refresh=False) != JobStatus.STARTED:
            return None
        return adopt_execution(self._worker_name, job, queue, execution)


class UnstoredOutcomes:
    """Outcomes of jobs that are closed in Redis and not stored in the database yet, of all workers of some queues.

    The worker that closes a job has its child store the outcome. Where that fails, or the worker dies, any other
    worker does it.
    """

    def __init__(self, connection: Redis, queues: Sequence[str]) -> None:
        self._connection = connection
        self._queues = queues
        self._seen: dict[tuple[str, str], tuple[bytes, float]] = {}  # by queue and job: when it was first seen

    def due(self, now: float, recording: Collection[str]) -> list[RecordRequest]:
        """Return the outcomes that have not been stored for some seconds, except of the jobs in `recording`.

        Raises:
            redis.exceptions.RedisError: Redis failed.
        """
        found = {
            (queue, job_id): record
            for queue in self._queues
            for job_id, record in unstored_records(self._connection, queue).items()
        }
        known = {key: seen for key, seen in self._seen.items() if found.get(key) == seen[0]}
        self._seen = {key: (record, now) for key, record in found.items()} | known
        late = [key for key, (_, since) in self._seen.items() if now - since >= _UNSTORED_S]
        requests = [self._read(*key, found[key]) for key in late if key[1] not in recording]
        return [request for request in requests if request is not None]

    def forget(self, stored: Iterable[RecordRequest]) -> None:
        """Forget outcomes that are stored now; where Redis fails, they are stored a second time later."""
        with contextlib.suppress(RedisError):
            for request in stored:
                context = request.context
                forget_record(self._connection, context.queue, context.job_id, encode(request))

    def _read(self, queue: str, job_id: str, record: bytes) -> RecordRequest | None:
        with contextlib.suppress(ValidationError):
            message = decode(record)
            if isinstance(message, Abandon | Release):
                return message
        log.error("The outcome of job %s cannot be read; it is dropped: %r", job_id, record[:200])
        forget_record(self._connection, queue, job_id, record)
        return None
