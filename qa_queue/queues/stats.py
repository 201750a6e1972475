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

from qa_queue.queues.keys import PAUSED_KEY, QueueKeys

# Workers that died without a word stay in RQ's set until maintenance; those with a heartbeat have a key.
_LIVE_WORKERS = """
local live = 0
for _, worker in ipairs(redis.call('SMEMBERS', KEYS[1])) do live = live + redis.call('EXISTS', worker) end
return live
"""
_READS = 10  # commands in the pipeline for each queue


@dataclass(frozen=True, kw_only=True)
class QueueStats:
    """What is on a queue at one moment.

    `waiting` counts those that a limit holds back too (`limited` of them); `processing` jobs that a worker has,
    started or about to be; `delayed` those that wait for their time or their next attempt; `failed` are dead
    letters: jobs that used up their attempts; `workers` those alive.
    """

    name: str
    waiting: int
    processing: int
    delayed: int
    completed: int
    failed: int
    cancelled: int
    workers: int
    limited: int = 0
    paused: bool = False

    @property
    def dlq(self) -> int:
        """The dead letters: every failed job is one until it is requeued or discarded."""
        return self.failed

    @property
    def total(self) -> int:
        """All jobs that Redis knows of on this queue."""
        return self.waiting + self.processing + self.delayed + self.completed + self.failed + self.cancelled


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
    pipeline.zcard(keys.parked)
    pipeline.sismember(PAUSED_KEY, name)


def _stats(name: str, answers: Sequence[Any]) -> QueueStats:
    waiting, intermediate, started, delayed, completed, failed, cancelled, workers, limited, paused = answers
    held = {entry.decode() for entry in intermediate}
    held |= {parse_composite_key(entry.decode())[0] for entry in started}
    return QueueStats(
        name=name,
        waiting=waiting + limited,
        processing=len(held),
        delayed=delayed,
        completed=completed,
        failed=failed,
        cancelled=cancelled,
        workers=workers,
        limited=limited,
        paused=bool(paused),
    )
