"""What is on the queues at one moment, read without changing anything.

RQ's own counts (`len(queue.started_job_registry)`, ...) clean up as they read; two readers at once can double jobs.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis
from rq.registry import (
    CanceledJobRegistry,
    FailedJobRegistry,
    FinishedJobRegistry,
    ScheduledJobRegistry,
    StartedJobRegistry,
)
from rq.utils import parse_composite_key
from rq.worker_registration import WORKERS_BY_QUEUE_KEY

from qa_queue.priorities import QueueKeys

# Workers that died without a word stay in RQ's set until maintenance; those with a heartbeat have a key.
_LIVE_WORKERS = """
local live = 0
for _, worker in ipairs(redis.call('SMEMBERS', KEYS[1])) do live = live + redis.call('EXISTS', worker) end
return live
"""
_READS = 8  # commands in the pipeline for each queue


@dataclass(frozen=True, kw_only=True)
class QueueStats:
    """What is on a queue at one moment.

    `processing` counts jobs that a worker has, started or about to be; `delayed` those that wait for their next
    attempt; `failed` are dead letters: jobs that used up their attempts; `workers` those alive.
    """

    name: str
    waiting: int
    processing: int
    delayed: int
    completed: int
    failed: int
    cancelled: int
    workers: int


def read_stats(connection: Redis, names: Sequence[str]) -> dict[str, QueueStats]:
    """The stats of these queues, in one round trip."""
    pipeline = connection.pipeline(transaction=False)
    now = int(time.time())
    for name in names:
        _ask(pipeline, name, now)
    answers = pipeline.execute()
    return {name: _stats(name, answers[at * _READS : (at + 1) * _READS]) for at, name in enumerate(names)}


def _ask(pipeline: Any, name: str, now: int) -> None:
    keys = QueueKeys(name)
    pipeline.llen(keys.waiting)
    pipeline.lrange(keys.intermediate, 0, -1)
    pipeline.zrange(StartedJobRegistry.key_template.format(name), 0, -1)
    pipeline.zcard(ScheduledJobRegistry.key_template.format(name))
    # Scored by the moment of expiry: what is past it is gone, though still listed.
    pipeline.zcount(FinishedJobRegistry.key_template.format(name), now, "+inf")
    pipeline.zcount(FailedJobRegistry.key_template.format(name), now, "+inf")
    pipeline.zcard(CanceledJobRegistry.key_template.format(name))
    pipeline.eval(_LIVE_WORKERS, 1, WORKERS_BY_QUEUE_KEY % name)


def _stats(name: str, answers: Sequence[Any]) -> QueueStats:
    waiting, intermediate, started, delayed, completed, failed, cancelled, workers = answers
    held = {entry.decode() for entry in intermediate}
    held |= {parse_composite_key(entry.decode())[0] for entry in started}
    return QueueStats(
        name=name,
        waiting=waiting,
        processing=len(held),
        delayed=delayed,
        completed=completed,
        failed=failed,
        cancelled=cancelled,
        workers=workers,
    )
