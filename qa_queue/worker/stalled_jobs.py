"""Finds what dead workers left: jobs that were taken and never started, and executions without a heartbeat."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from redis import Redis
from rq import Queue
from rq.exceptions import NoSuchJobError
from rq.executions import Execution
from rq.job import JobStatus
from rq.utils import as_text

from qa_queue.models.outcomes import FailureKind
from qa_queue.queues.dequeue import ReservedJob, acknowledge, release
from qa_queue.worker.bookkeeping import Bookkeeping
from qa_queue.worker.ipc import ChildFailure
from qa_queue.worker.slots import Slot

log = logging.getLogger(__name__)

_PATIENCE = 10.0  # seconds that a taken job may lie unstarted
_SILENCE = 12.0  # seconds without a heartbeat after which an execution is taken over: three beats
_LOCK_MS = 4000  # one janitor at a time and queue; nobody waits longer for one that died
_QUIET = 20.0  # seconds after an outage of Redis in which the living get to send their heartbeats
_LOST = ChildFailure(
    kind=FailureKind.INFRASTRUCTURE, message="the worker that ran it is gone: it has sent no heartbeat"
)


class StalledJobRecovery:
    """`take_over` closes the books of an execution that was left open.

    Whether a worker lives is told by its heartbeats changing, not by the times in them, for clocks differ.
    """

    def __init__(
        self,
        connection: Redis,
        queues: Sequence[Queue],
        ledger: Bookkeeping,
        take_over: Callable[[Slot, ChildFailure], None],
    ) -> None:
        self._connection = connection
        self._queues = queues
        self._ledger = ledger
        self._take_over = take_over
        self._first_seen: dict[tuple[str, str], float] = {}
        self._beats: dict[str, tuple[float, float]] = {}  # by entry: the last beat, and when it was first seen
        self._resume_at = 0.0

    def redis_failed(self, now: float) -> None:
        """Redis was away: leave the others the time to say that they live."""
        self._resume_at = now + _QUIET
        self._beats.clear()

    def look(self) -> None:
        """Look through every queue once."""
        if time.monotonic() < self._resume_at:
            return
        silent = self._silent()
        for queue in self._queues:
            self._return_unstarted(queue)
            found = silent[queue.name]
            if found and self._connection.set(f"qa:janitor:{queue.name}", 1, nx=True, px=_LOCK_MS):
                self._take_over_silent(queue, found)

    def _silent(self) -> dict[str, list[str]]:
        """By queue, the entries of its registry whose last beat is too long ago."""
        now = time.monotonic()
        seen: dict[str, tuple[float, float]] = {}
        silent: dict[str, list[str]] = {}
        for queue in self._queues:
            entries: Any = self._connection.zrange(queue.started_job_registry.key, 0, -1, withscores=True)
            beats = {str(as_text(entry)): float(score) for entry, score in entries}
            for entry, score in beats.items():
                known = self._beats.get(entry)
                seen[entry] = known if known and known[0] == score else (score, now)
            silent[queue.name] = [entry for entry in beats if now - seen[entry][1] >= _SILENCE]
        self._beats = seen
        return silent

    def _return_unstarted(self, queue: Queue) -> None:
        now = time.monotonic()
        ids = {str(as_text(i)) for i in self._connection.lrange(queue.intermediate_queue_key, 0, -1)}
        seen = {(queue.name, job_id) for job_id in ids}
        kept = {key: at for key, at in self._first_seen.items() if key[0] != queue.name or key in seen}
        self._first_seen = dict.fromkeys(seen, now) | kept
        for key in seen:
            if now - self._first_seen[key] >= _PATIENCE:
                self._return(queue, key[1])

    def _return(self, queue: Queue, job_id: str) -> None:
        taken = ReservedJob(job_id=job_id, queue=queue.name)
        if job_id in queue.started_job_registry:
            acknowledge(self._connection, taken)
        elif release(self._connection, taken):
            log.warning("Job %s was taken by a worker that died before it started; it waits again", job_id)

    def _take_over_silent(self, queue: Queue, entries: Sequence[str]) -> None:
        for composite in entries:
            execution = Execution.from_composite_key(composite, self._connection)
            slot = self._left_open(queue, execution)
            if slot is None:
                self._connection.zrem(queue.started_job_registry.key, composite)
            else:
                log.warning("The worker of job %s is gone", execution.job_id)
                self._take_over(slot, _LOST)

    def _left_open(self, queue: Queue, execution: Execution) -> Slot | None:
        try:
            job = queue.job_class.fetch(execution.job_id, connection=self._connection, serializer=queue.serializer)
        except (NoSuchJobError, ValueError):
            return None
        if job.get_status(refresh=False) != JobStatus.STARTED:
            return None
        return self._ledger.reopen(job, queue, execution)
