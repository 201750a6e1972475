"""Enqueueing jobs: new ones by priority, saved ones at their original positions, delayed ones when they are due."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from redis import Redis
from rq.job import Job
from rq.scheduler import RQScheduler
from rq.utils import utcformat

from qa_queue.models import Priority, utc_now
from qa_queue.queues.jobs import JobSpec
from qa_queue.queues.keys import CLAIM_FIELD, LIMITS_FIELD, METADATA_FIELD, QueueScript

PROMOTED_AT_ONCE = 100  # jobs that leave the schedule in one step

# The priority score of a job is its time of arrival in µs plus the offset of its priority; a lower score starts
# earlier. The bands are wider than any clock in µs (until the year 2041), so they never overlap; two of them and a
# clock stay within the 2**53 whole numbers that Redis' scores and Lua hold exactly.
BAND_US = 2**51
LOW_AGEING_S = 600
_OFFSETS_US = {
    Priority.URGENT: -2 * BAND_US,
    Priority.HIGH: -BAND_US,
    Priority.NORMAL: 0,
    Priority.LOW: LOW_AGEING_S * 1_000_000,
}

_ARRIVE = QueueScript.load("arrive")
_ENQUEUE = QueueScript.load("enqueue")
_PUSH = QueueScript.load("push")
_PROMOTE = QueueScript.load("promote")


@dataclass(frozen=True, kw_only=True)
class EnqueueConflict:
    """The reason why nothing was enqueued: ids of existing jobs, or ids whose claim another submission holds.

    Empty when everything was enqueued.
    """

    known: tuple[str, ...] = ()
    unclaimed: tuple[str, ...] = ()


def reserve_arrivals(connection: Redis, queue: str, count: int) -> tuple[datetime, int]:
    """Return the time by Redis' clock and the first of `count` consecutive times of arrival, in us.

    A later call returns later times of arrival, also after that clock was set back.
    """
    now_us, first = _ARRIVE.run(connection, [queue], count)
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(now_us)), int(first)


def offset_us(priority: Priority) -> int:
    """Return the distance, in µs, of the score of a priority from the time of arrival.

    URGENT and HIGH are bands of their own: their jobs always start before those of lower priority, however long
    these have waited. LOW counts as NORMAL that arrived 10 minutes later: only NORMAL jobs of those 10 minutes
    overtake it, so that a steady stream of them cannot starve it.
    """
    return _OFFSETS_US[priority]


def enqueue_all(connection: Redis, queue: str, jobs: Sequence[tuple[JobSpec, Job]]) -> EnqueueConflict:
    """Save new jobs and enqueue them in this order, delayed ones in the schedule: all of them, or none.

    One round trip, one atomic step. The same jobs sent a second time, because the reply was lost, are not enqueued
    twice.
    """
    if not jobs:
        return EnqueueConflict()
    arguments = [value for spec, job in jobs for value in _arguments(spec, job)]
    kind, found = _ENQUEUE.run(connection, [queue], *arguments)
    ids = tuple(job_id.decode() for job_id in found)
    return EnqueueConflict(known=ids) if kind == b"known" else EnqueueConflict(unclaimed=ids)


class Position(StrEnum):
    """Place of a job that returns to its queue."""

    OWN = "own"  # where it was enqueued
    FRONT = "front"
    END = "end"  # after everything that waits now


def push_job(connection: Any, queue: str, job_id: str, *, at: Position = Position.OWN) -> None:
    """Enqueue a saved job; one without a position of its own is NORMAL. `connection` may be a pipeline."""
    _PUSH.add_to(connection, queue, job_id, at.value)


def promote_due(connection: Redis, queue: str) -> int:
    """Enqueue the jobs of a queue's schedule that are due; returns their number, at most 100.

    One atomic step, so any number of processes may call it at once. A queue that one of RQ's own schedulers has
    locked is left to that scheduler, which would enqueue the same jobs.
    """
    lock = RQScheduler.get_locking_key(queue)
    return int(_PROMOTE.run(connection, [queue], PROMOTED_AT_ONCE, utcformat(utc_now()), lock))


def job_fields(spec: JobSpec, job: Job) -> dict[str, Any]:
    """Return the fields of a new job's hash."""
    # RQ reads an empty field as a missing one, and each field that is sent takes time.
    document = {name: value for name, value in job.to_dict().items() if value not in (None, "")}
    if spec.limit_keys:
        document[LIMITS_FIELD] = "\n".join(spec.limit_keys)
    if spec.metadata:
        document[METADATA_FIELD] = json.dumps(spec.metadata)
    if spec.claim:
        document[CLAIM_FIELD] = spec.claim.key
    return document


def _arguments(spec: JobSpec, job: Job) -> list[Any]:
    claim, document = spec.claim, job_fields(spec, job)
    fields = [part for pair in document.items() for part in pair]
    due = "" if spec.due is None else round(spec.due.timestamp() * 1_000_000)
    claimed = [claim.key, claim.pending, claim.final, claim.keep_s] if claim else ["", "", "", ""]
    arrival = "" if spec.arrival_us is None else spec.arrival_us
    return [job.id, offset_us(spec.priority), document["created_at"], due, arrival, *claimed, len(fields), *fields]
