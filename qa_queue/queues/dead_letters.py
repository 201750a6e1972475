"""Looking at dead letters, requeueing and discarding them. They are the jobs in RQ's own registry of failures."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from operator import attrgetter
from typing import NamedTuple

from redis import Redis
from rq.registry import FailedJobRegistry
from rq.utils import utcformat

from qa_queue.errors import InputError, NotFoundError
from qa_queue.extensions import known_queue, queue_names
from qa_queue.models import QueueName, RunStatus, utc_now
from qa_queue.queues.attempts import attempts_key, in_order
from qa_queue.queues.cancellation import signal_key
from qa_queue.queues.dead_letter import FIELDS, DeadLetter, letter_of
from qa_queue.queues.dead_letter_scripts import DISCARD, REQUEUE
from qa_queue.queues.keys import JOB_PREFIX
from qa_queue.redis import by_server, connection_of
from qa_queue.store.protocol import RunStore

PAGE = 100
SETTLING = timedelta(seconds=30)  # in which a worker records the end of a run whose job has just died


@dataclass(frozen=True, kw_only=True)
class RequeueReport:
    """What came of requeueing many: the ids put back, and why others were not."""

    requeued: tuple[str, ...] = ()
    refused: dict[str, str] = field(default_factory=dict)


class _Place(NamedTuple):
    """Where a letter stands."""

    job_id: str
    expiry: float  # in s since 1970
    server: Redis


class DeadLetters:
    """The dead letters of all queues, on one Redis or on several.

    Without a `store`, runs in the database are left as they are.
    """

    def __init__(self, connection: Redis, store: RunStore | None = None) -> None:
        self._connection = connection
        self._store = store

    def count(self, queue: str | None = None) -> int:
        """How many there are on this queue, or on all; one round trip to each Redis."""
        now = int(time.time())
        total = 0
        for server, names in by_server(self._connection, _names(queue)):
            pipeline = server.pipeline(transaction=False)
            for name in names:
                pipeline.zcount(_key(name), now, "+inf")
            total += sum(pipeline.execute())
        return total

    def list(self, start: int = 0, end: int = 9, queue: str | None = None) -> tuple[DeadLetter, ...]:
        """Those from place `start` to `end`, both counted from 0 and included, the latest death first.

        Two round trips to each Redis; the cost is that of `end` letters, however many are kept.
        """
        return self._read(self._places(max(0, start), end, queue))

    def get(self, job_id: str) -> DeadLetter:
        """The dead letter of this job.

        Raises:
            NotFoundError: there is none.
        """
        places: list[_Place] = []
        for server, names in by_server(self._connection, queue_names()):
            pipeline = server.pipeline(transaction=False)
            for name in names:
                pipeline.zscore(_key(name), job_id)
            places += [_Place(job_id, score, server) for score in pipeline.execute() if score is not None]
        letters = self._read(places[:1])
        if not letters:
            raise NotFoundError(f"{job_id} is no dead letter: it lives, ended well, or was requeued or discarded.")
        return letters[0]

    def requeue(self, job_id: str) -> None:
        """Put a dead letter back on its queue, with all its attempts anew; its failed ones stay with it.

        First its run is made to live again, then one step inside Redis moves the job. A crash between the two
        leaves a dead letter that can be requeued again; nothing can run twice.

        Raises:
            NotFoundError: it is no dead letter (any more), or its run was deleted.
            InputError: it cannot be read, or its end is still being recorded.
            StoreError: the run could not be made to live; nothing was requeued.
        """
        letter = self.get(job_id)
        if not letter.readable:
            raise InputError(f"{job_id} cannot be requeued, for it cannot be read: look at it, then discard it.")
        self._revive(letter)
        arguments = [letter.queue, job_id, utcformat(utc_now()), signal_key(job_id)]
        if not connection_of(self._connection, letter.queue).register_script(REQUEUE)(args=arguments):
            raise NotFoundError(f"{job_id} is no dead letter any more: somebody else requeued or discarded it.")

    def requeue_all(self, queue: str | None = None) -> RequeueReport:
        """Requeue what is dead now; what dies meanwhile is not touched. One that is refused holds up no other.

        Raises:
            StoreError, redis.exceptions.RedisError: a part failed; those before it are requeued.
        """
        requeued: list[str] = []
        refused: dict[str, str] = {}
        for job_id, *_ in self._places(0, self.count(queue) - 1, queue):
            try:
                self.requeue(job_id)
            except InputError as error:
                refused[job_id] = str(error)
            else:
                requeued.append(job_id)
        return RequeueReport(requeued=tuple(requeued), refused=refused)

    def discard(self, job_id: str) -> None:
        """Delete a dead letter and what is kept of its attempts; its run stays in the database as it ended.

        Raises:
            NotFoundError: it is no dead letter.
        """
        queue = self.get(job_id).queue
        script = connection_of(self._connection, queue).register_script(DISCARD)
        if not script(args=[queue, job_id, attempts_key(job_id)]):
            raise NotFoundError(f"{job_id} is no dead letter any more: somebody else requeued or discarded it.")

    def _places(self, start: int, end: int, queue: str | None) -> Sequence[_Place]:
        """The latest first: every letter lives equally long."""
        if end < start:
            return []
        now = int(time.time())
        found: list[_Place] = []
        for server, names in by_server(self._connection, _names(queue)):
            pipeline = server.pipeline(transaction=False)
            for name in names:
                pipeline.zrevrangebyscore(_key(name), "+inf", now, start=0, num=end + 1, withscores=True)
            found += [_Place(entry.decode(), at, server) for answer in pipeline.execute() for entry, at in answer]
        return sorted(found, key=attrgetter("expiry"), reverse=True)[start : end + 1]

    def _read(self, places: Sequence[_Place]) -> tuple[DeadLetter, ...]:
        letters: dict[str, DeadLetter | None] = {place.job_id: None for place in places}
        for server in {id(place.server): place.server for place in places}.values():
            its = [place for place in places if place.server is server]
            pipeline = server.pipeline(transaction=False)
            for place in its:
                pipeline.hmget(f"{JOB_PREFIX}{place.job_id}", *FIELDS)
                pipeline.hvals(attempts_key(place.job_id))
            answers = pipeline.execute()
            for place, values, attempts in zip(its, answers[::2], answers[1::2], strict=True):
                letters[place.job_id] = letter_of(place.job_id, place.expiry, values, in_order(attempts))
        return tuple(letter for letter in letters.values() if letter is not None)

    def _revive(self, letter: DeadLetter) -> None:
        if self._store is None or letter.queue != QueueName.TEST_EXECUTION:
            return
        run = self._store.get_run(letter.job_id)
        if run is None:
            raise NotFoundError(
                f"Run {letter.job_id} was deleted, so it cannot be requeued: discard the dead letter."
            )
        if run.status.final:
            fields = {"error": None, "error_kind": None, "started_at": None, "finished_at": None}
            self._store.update_run(run.id, status=RunStatus.QUEUED, requeues=run.requeues + 1, **fields)
        elif run.status is RunStatus.RUNNING and utc_now() - letter.died_at < SETTLING:
            raise InputError(f"The end of run {run.id} is still being recorded: requeue it in half a minute.")


def _names(queue: str | None) -> Sequence[str]:
    return queue_names() if queue is None else [known_queue(queue)]


def _key(queue: str) -> str:
    return FailedJobRegistry.key_template.format(queue)
