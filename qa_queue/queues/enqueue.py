"""Putting jobs into a queue at their place."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from redis import Redis
from rq.job import Job
from rq.scheduler import RQScheduler
from rq.utils import utcformat

from qa_queue.models import Priority, utc_now
from qa_queue.queues.keys import CLAIM_FIELD, LIMITS_FIELD, METADATA_FIELD
from qa_queue.queues.priority import offset_us
from qa_queue.queues.scripts import ENQUEUE, PROMOTE, PUSH

DUE_AT_ONCE = 100  # jobs that leave the schedule in one step


@dataclass(frozen=True, kw_only=True)
class EnqueueClaim:
    """An idempotency claim: `key` must hold `pending`, and holds `final` from the step on that enqueues its job."""

    key: str
    pending: str
    final: str
    keep_s: int


@dataclass(frozen=True, kw_only=True)
class NewJob:
    """A job that is to be enqueued; with `due` it waits in the schedule until then.

    `limit_keys` are what limits count it for, such as `site:shop.example`; `metadata` is kept with it as JSON.
    """

    job: Job
    priority: Priority = Priority.NORMAL
    due: datetime | None = None
    claim: EnqueueClaim | None = None
    limit_keys: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class EnqueueConflict:
    """Why nothing was enqueued: ids of which a job exists, or ids whose claim another holds. Empty: all was."""

    known: tuple[str, ...] = ()
    unclaimed: tuple[str, ...] = ()


def enqueue_all(connection: Redis, queue: str, jobs: Sequence[NewJob]) -> EnqueueConflict:
    """Save these new jobs and put them into the queue in this order: all of them, or none.

    One round trip, one atomic step. The same jobs sent a second time, because the answer was lost, are not queued
    twice.
    """
    if not jobs:
        return EnqueueConflict()
    arguments = [value for new in jobs for value in _arguments(new)]
    kind, found = connection.register_script(ENQUEUE)(args=[queue, *arguments])
    ids = tuple(job_id.decode() for job_id in found)
    return EnqueueConflict(known=ids) if kind == b"known" else EnqueueConflict(unclaimed=ids)


def push_ranked(connection: Any, queue: str, job_id: str, *, at_front: bool = False) -> None:
    """Put a saved job into its queue: at its old place, else as NORMAL; `connection` may be a pipeline."""
    connection.eval(PUSH, 0, queue, job_id, int(at_front))


def promote_due(connection: Redis, queue: str) -> int:
    """Move jobs that are due from a queue's schedule to their places in it; returns how many, at most 100.

    One atomic step, so any number of processes may do it at once. A queue that one of RQ's own schedulers has
    locked is left to it, since it would put the same jobs on the queue.
    """
    lock = RQScheduler.get_locking_key(queue)
    arguments = [queue, time.time(), DUE_AT_ONCE, utcformat(utc_now()), lock]
    return int(connection.register_script(PROMOTE)(args=arguments))


def _arguments(new: NewJob) -> list[Any]:
    job, claim = new.job, new.claim
    # RQ reads an empty field as one that is not there, and each that is sent costs time.
    document = {name: value for name, value in job.to_dict().items() if value not in (None, "")}
    if new.limit_keys:
        document[LIMITS_FIELD] = "\n".join(new.limit_keys)
    if new.metadata:
        document[METADATA_FIELD] = json.dumps(new.metadata)
    if claim:
        document[CLAIM_FIELD] = claim.key
    fields = [part for pair in document.items() for part in pair]
    due = "" if new.due is None else round(new.due.timestamp() * 1_000_000)
    claimed = [claim.key, claim.pending, claim.final, claim.keep_s] if claim else ["", "", "", ""]
    return [job.id, offset_us(new.priority), document["created_at"], due, *claimed, len(fields), *fields]
