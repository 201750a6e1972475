"""What is noted when a job starts or an attempt of it ends: the event, its duration, limits freed, the claim's end.

All of it is news or can be found out again, so none of it is needed for a job to be done once.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from redis import Redis

from qa_queue.queues.scripts import NOTE
from qa_queue.redis.counters import EndedRun, bucket_field, sum_field

CLAIM_KEEP_S = 24 * 3600  # an idempotency key lives on for so long after its job has ended

Event = Literal["active", "completed", "failed", "retrying", "dead"]


def note(
    connection: Redis,
    queue: str,
    job_id: str,
    event: Event,
    data: dict[str, Any],
    *,
    ran_ms: int | None = None,
    ended: EndedRun | None = None,
) -> None:
    """Note what happened to a job; `ran_ms` of a job that completed counts for the estimate of those that wait.

    `ended` is for a job that has ended for good: it is counted, for metrics and alerts.

    Raises:
        redis.exceptions.RedisError: Redis failed.
    """
    keep = CLAIM_KEEP_S if event in ("completed", "dead") else ""
    arguments = [queue, job_id, event, json.dumps(data), "" if ran_ms is None else ran_ms, keep]
    connection.register_script(NOTE)(args=[*arguments, *_counted(queue, ended)])


def _counted(queue: str, ended: EndedRun | None) -> list[Any]:
    if ended is None:
        return []
    labels = ("job", queue, ended.outcome)
    return [ended.ran_ms, bucket_field(*labels, ended.ran_ms), sum_field(*labels), f"{queue}|{ended.outcome}"]
