"""Deleting ended jobs by age and by number. Their rows in the database follow their own retention."""

from __future__ import annotations

import time
from typing import Literal, get_args

from redis import Redis

from qa_queue.errors import InputError
from qa_queue.queues.jobs import FAILURE_TTL_S, RESULT_TTL_S
from qa_queue.queues.keys import NAMES, QueueKeys
from qa_queue.redis.scripts import LuaScript

CleanKind = Literal["completed", "failed", "cancelled"]
_CLEANED_AT_ONCE = 500  # jobs deleted in one step, so that Redis is not blocked for long
TRIMMED_AT_ONCE = 100  # of each registry in one call

_CLEAN = LuaScript.load("qa_queue.queues", "clean")
_TRIM = LuaScript.load("qa_queue.queues", "trim")


def clean(connection: Redis, queue: str, *, grace_ms: int, limit: int, kind: CleanKind) -> list[str]:
    """Delete at most `limit` jobs of a kind that ended at least `grace_ms` ago, the oldest first; return their ids.

    Raises:
        InputError: grace or limit is below 0, or the kind is unknown.
    """
    if grace_ms < 0 or limit < 0:
        raise InputError(f"grace is {grace_ms} ms and limit is {limit}: both should be 0 or more.")
    if kind not in get_args(CleanKind):
        raise InputError(f"{kind!r} cannot be cleaned: it should be one of {', '.join(get_args(CleanKind))}.")
    registry, ttl_s, statuses = _registry(queue, kind)
    highest = int(time.time() - grace_ms / 1000) + ttl_s
    deleted: list[str] = []
    while len(deleted) < limit:
        most = min(_CLEANED_AT_ONCE, limit - len(deleted))
        looked, ids = _CLEAN.run(connection, [registry], [NAMES, highest, most, *statuses])
        deleted += [job_id.decode() for job_id in ids]
        if looked < most:
            break
    return deleted


def trim(connection: Redis, queue: str, *, keep_finished: int, keep_cancelled: int) -> int:
    """Delete the oldest completed and cancelled jobs of a queue beyond these numbers; return the number deleted.

    One round trip, at most 100 jobs of each kind in a call. Dead letters are not trimmed: they expire after 7 days.
    """
    keys = QueueKeys(queue)
    arguments = [NAMES, TRIMMED_AT_ONCE, keep_finished, keep_cancelled]
    return int(_TRIM.run(connection, [keys.finished, keys.canceled], arguments))


def _registry(queue: str, kind: CleanKind) -> tuple[str, int, tuple[str, ...]]:
    """The registry of a kind, the seconds from a job's end to its score there, and the statuses of its jobs.

    RQ scores ended jobs by the time at which they expire, and cancelled ones by the time at which they ended.
    """
    keys = QueueKeys(queue)
    match kind:
        case "completed":
            return keys.finished, RESULT_TTL_S, ("finished",)
        case "failed":
            return keys.failed, FAILURE_TTL_S, ("failed", "stopped")
        case "cancelled":
            return keys.canceled, 0, ("canceled",)
