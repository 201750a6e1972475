"""Reading, requeueing and discarding dead letters. They are the jobs in RQ's own registry of failed jobs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from operator import attrgetter
from typing import NamedTuple

from redis import Redis
from redis.exceptions import RedisError
from rq.utils import utcformat

from qa_queue.errors import InputError, NotFoundError
from qa_queue.extensions import known_queue, queue_names
from qa_queue.models import QueueName, RunStatus, utc_now
from qa_queue.queues.attempts import parse_attempts
from qa_queue.queues.dead_letter import FIELDS, DeadLetter, parse_dead_letter
from qa_queue.queues.keys import JOB_PREFIX, QueueKeys, QueueScript, attempts_key
from qa_queue.redis import by_server, connection_of
from qa_queue.store.protocol import RunStore

PAGE = 100
SETTLING = timedelta(seconds=30)  # in which a worker records the end of a run whose job has just died

_REQUEUE = QueueScript.load("requeue")
_RESERVE = QueueScript.load("reserve_requeue")
_DISCARD = QueueScript.load("discard")


@dataclass(frozen=True, kw_only=True)
class RequeueReport:
    """The ids that were requeued, and the reasons why others were not."""

    requeued: tuple[str, ...] = ()
    refused: dict[str, str] = field(default_factory=dict)


class _Entry(NamedTuple):
    """A dead letter's entry in the registry of its queue."""

    job_id: str
    queue: str
    expiry: float  # in s since 1970
    server: Redis


class DeadLetters:
    """The dead letters of all queues, on one Redis or on several.

    Without a `store`, the rows of runs are not changed.
    """

    def __init__(self, connection: Redis, store: RunStore | None = None) -> None:
        self._connection = connection
        self._store = store

    def count(self, queue: str | None = None) -> int:
        """Return the number of dead letters of a queue, or of all; one round trip to each Redis."""
        now = int(time.time())
        total = 0
        for server, names in by_server(self._connection, _names(queue)):
            pipeline = server.pipeline(transaction=False)
            for name in names:
                pipeline.zcount(QueueKeys(name).failed, now, "+inf")
            total += sum(pipeline.execute())
        return total

    def list(self, start: int = 0, end: int = 9, queue: str | None = None) -> tuple[DeadLetter, ...]:
        """Return the dead letters from index `start` to `end`, counted from 0, both included, the newest first.

        Two round trips to each Redis; the cost is that of `end` dead letters, however many there are.
        """
        return self._read(self._entries(max(0, start), end, queue))

    def get(self, job_id: str) -> DeadLetter:
        """Return the dead letter of this job.

        Raises:
            NotFoundError: the job is not a dead letter.
        """
        entries: list[_Entry] = []
        for server, names in by_server(self._connection, queue_names()):
            pipeline = server.pipeline(transaction=False)
            for name in names:
                pipeline.zscore(QueueKeys(name).failed, job_id)
            scores = zip(names, pipeline.execute(), strict=True)
            entries += [_Entry(job_id, name, score, server) for name, score in scores if score is not None]
        found = self._read(entries[:1])
        if not found:
            raise NotFoundError(
                f"{job_id} is not a dead letter: it waits, runs or has completed, was requeued or discarded, or "
                "never existed."
            )
        return found[0]

    def requeue(self, job_id: str) -> None:
        """Return a dead letter to its queue with all its attempts; its failed attempts stay with it.

        The dead letter is reserved, the row of its run reopened, then one step inside Redis moves the job. A crash
        in between leaves a dead letter that can be requeued again after 20 s, and that the reconciler requeues.

        Raises:
            NotFoundError: it is not a dead letter (any more), or its run was deleted.
            InputError: it cannot be read, or its end is still being recorded.
            StoreError: the run could not be reopened; nothing was requeued.
        """
        dead_letter = self.get(job_id)
        if not dead_letter.readable:
            raise InputError(f"{job_id} cannot be requeued because it cannot be read: inspect it, then discard it.")
        server = connection_of(self._connection, dead_letter.queue)
        if not _RESERVE.run(server, [dead_letter.queue], job_id, 1):
            raise _settled(job_id)
        try:
            self._reopen_run(dead_letter)
            moved = _REQUEUE.run(server, [dead_letter.queue], job_id, utcformat(utc_now()))
        except BaseException:
            with suppress(RedisError):
                _RESERVE.run(server, [dead_letter.queue], job_id, 0)
            raise
        if not moved:
            raise _settled(job_id)

    def requeue_all(self, queue: str | None = None) -> RequeueReport:
        """Requeue the present dead letters, not those that are added meanwhile. A refused one delays no other.

        Raises:
            StoreError, redis.exceptions.RedisError: a part failed; those before it are requeued.
        """
        requeued: list[str] = []
        refused: dict[str, str] = {}
        for job_id, *_ in self._entries(0, self.count(queue) - 1, queue):
            try:
                self.requeue(job_id)
            except InputError as error:
                refused[job_id] = str(error)
            else:
                requeued.append(job_id)
        return RequeueReport(requeued=tuple(requeued), refused=refused)

    def discard(self, job_id: str) -> None:
        """Delete a dead letter and its failed attempts; its run stays in the database as it ended.

        Raises:
            NotFoundError: it is not a dead letter.
        """
        queue = self.get(job_id).queue
        if not _DISCARD.run(connection_of(self._connection, queue), [queue], job_id):
            raise _settled(job_id)
        if self._store is not None:
            self._store.ledger.remove([job_id])  # or it would be restored with the dead letters that Redis loses

    def _entries(self, start: int, end: int, queue: str | None) -> Sequence[_Entry]:
        """The newest first: every dead letter is kept for the same time, so the order is that of expiry."""
        if end < start:
            return []
        now = int(time.time())
        found: list[_Entry] = []
        for server, names in by_server(self._connection, _names(queue)):
            pipeline = server.pipeline(transaction=False)
            for name in names:
                pipeline.zrevrangebyscore(
                    QueueKeys(name).failed, "+inf", now, start=0, num=end + 1, withscores=True
                )
            found += [
                _Entry(entry.decode(), name, at, server)
                for name, reply in zip(names, pipeline.execute(), strict=True)
                for entry, at in reply
            ]
        return sorted(found, key=attrgetter("expiry"), reverse=True)[start : end + 1]

    def _read(self, entries: Sequence[_Entry]) -> tuple[DeadLetter, ...]:
        found: dict[str, DeadLetter] = {}
        for server in {id(entry.server): entry.server for entry in entries}.values():
            own = [entry for entry in entries if entry.server is server]
            pipeline = server.pipeline(transaction=False)
            for entry in own:
                pipeline.hmget(f"{JOB_PREFIX}{entry.job_id}", *FIELDS)
                pipeline.hvals(attempts_key(entry.job_id))
            replies = pipeline.execute()
            for entry, values, attempts in zip(own, replies[::2], replies[1::2], strict=True):
                found[entry.job_id] = parse_dead_letter(
                    entry.job_id, entry.queue, entry.expiry, values, parse_attempts(attempts)
                )
        return tuple(found[entry.job_id] for entry in entries)

    def _reopen_run(self, dead_letter: DeadLetter) -> None:
        if self._store is None or dead_letter.queue != QueueName.TEST_EXECUTION:
            return
        run = self._store.get_run(dead_letter.job_id)
        if run is None:
            raise NotFoundError(
                f"Run {dead_letter.job_id} was deleted, so it cannot be requeued: discard the dead letter."
            )
        if run.status.final:
            fields = {"error": None, "error_kind": None, "started_at": None, "finished_at": None}
            self._store.update_run(run.id, status=RunStatus.QUEUED, requeues=run.requeues + 1, **fields)
        elif run.status is RunStatus.RUNNING and utc_now() - dead_letter.died_at < SETTLING:
            raise InputError(f"The end of run {run.id} is still being recorded: requeue it in half a minute.")


def _settled(job_id: str) -> NotFoundError:
    return NotFoundError(
        f"{job_id} is not a dead letter any more: it was requeued or discarded meanwhile, or is being requeued."
    )


def _names(queue: str | None) -> Sequence[str]:
    return queue_names() if queue is None else [known_queue(queue)]
