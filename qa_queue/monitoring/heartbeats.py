"""Heartbeats of the scheduler and of workers: Redis keys with a time to live.

A process that dies renews its key no more, so the key expires. A worker that ends in order signs off instead, which
tells its end from its death.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from redis import Redis
from rq.utils import as_text
from rq.worker import BaseWorker
from rq.worker_registration import REDIS_WORKER_KEYS

HEARTBEAT_KEY = "qa:scheduler:beat"  # exists while a scheduler runs
LAST_HEARTBEAT_KEY = "qa:scheduler:last"  # time of the latest heartbeat, in s since 1970
HEARTBEAT_S = 5.0
TTL_S = 15  # after which a scheduler without a heartbeat counts as stopped
REMEMBER_S = 7 * 24 * 3600  # after which it counts as one that is not used

# Fields of a worker's hash, beside RQ's own:
DISK_FIELD = "qa_disk_free"  # bytes free under its QA_HOME
OUTBOX_FIELD = "qa_outbox_bytes"
SEGMENTS_FIELD = "qa_outbox_segments"

_FIELDS = ("queues", "hostname", "death", DISK_FIELD, OUTBOX_FIELD, SEGMENTS_FIELD)


@dataclass(frozen=True, kw_only=True)
class SchedulerState:
    """The scheduler at one moment; `last` is its latest heartbeat, None if there was none within a week."""

    alive: bool
    last: datetime | None = None

    @property
    def stopped(self) -> bool:
        """True if the heartbeats of a scheduler have stopped."""
        return not self.alive and self.last is not None


@dataclass(frozen=True, kw_only=True)
class WorkerState:
    """A worker at one moment: `alive` while its heartbeats arrive, `signed_off` if it ended in order.

    Neither is set for a worker that died. Figures are None if it has not reported them.
    """

    name: str
    queues: tuple[str, ...] = ()
    host: str = ""
    alive: bool = True
    signed_off: bool = False
    disk_free: int | None = None
    outbox_bytes: int | None = None
    outbox_segments: int | None = None


def send_heartbeat(connection: Redis, name: str) -> None:
    """Send the heartbeat of the scheduler of this name; several schedulers share one key.

    Raises:
        redis.exceptions.RedisError: Redis failed.
    """
    pipeline = connection.pipeline(transaction=False)
    pipeline.set(HEARTBEAT_KEY, name, ex=TTL_S)
    pipeline.set(LAST_HEARTBEAT_KEY, f"{time.time():.3f}", ex=REMEMBER_S)
    pipeline.execute()


def read_scheduler(connection: Redis) -> SchedulerState:
    """Return the state of the scheduler, in one round trip.

    Raises:
        redis.exceptions.RedisError: Redis failed.
    """
    answer: Any = connection.mget(HEARTBEAT_KEY, LAST_HEARTBEAT_KEY)
    alive, last = answer
    moment = None if last is None else datetime.fromtimestamp(float(last), UTC)
    return SchedulerState(alive=alive is not None, last=moment)


def read_workers(connection: Redis, names: tuple[str, ...] = ()) -> tuple[WorkerState, ...]:
    """Return every registered worker, and those of these names, in order of their names; two round trips.

    Raises:
        redis.exceptions.RedisError: Redis failed.
    """
    registered: Any = connection.smembers(REDIS_WORKER_KEYS)
    prefix = BaseWorker.redis_worker_namespace_prefix
    keys = sorted({str(as_text(key)) for key in registered} | {f"{prefix}{name}" for name in names})
    pipeline = connection.pipeline(transaction=False)
    for key in keys:
        pipeline.hmget(key, *_FIELDS)
    return tuple(
        _state(key.removeprefix(prefix), values) for key, values in zip(keys, pipeline.execute(), strict=True)
    )


def _state(name: str, values: list[bytes | None]) -> WorkerState:
    queues, host, death, disk, size, segments = values
    return WorkerState(
        name=name,
        queues=tuple(queues.decode().split(",")) if queues else (),
        host=host.decode() if host else "",
        alive=queues is not None and death is None,
        signed_off=death is not None,
        disk_free=_number(disk),
        outbox_bytes=_number(size),
        outbox_segments=_number(segments),
    )


def _number(value: bytes | None) -> int | None:
    return None if value is None else int(value)
