"""The workers that Redis knows, with what each reports in its heartbeat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from redis import Redis
from rq.utils import as_text
from rq.worker import BaseWorker
from rq.worker_registration import REDIS_WORKER_KEYS

# Of a worker's hash, beside RQ's own fields:
DISK_FIELD = "qa_disk_free"  # bytes free under its QA_HOME
OUTBOX_FIELD = "qa_outbox_bytes"
SEGMENTS_FIELD = "qa_outbox_segments"

_FIELDS = ("queues", "hostname", "death", DISK_FIELD, OUTBOX_FIELD, SEGMENTS_FIELD)


@dataclass(frozen=True, kw_only=True)
class WorkerState:
    """A worker at one moment: alive while its heartbeats come, `signed_off` when it ended as it should.

    Neither is one that died without a word. Figures are None where it has not reported them.
    """

    name: str
    queues: tuple[str, ...] = ()
    host: str = ""
    alive: bool = True
    signed_off: bool = False
    disk_free: int | None = None
    outbox_bytes: int | None = None
    outbox_segments: int | None = None


def read_workers(connection: Redis, names: tuple[str, ...] = ()) -> tuple[WorkerState, ...]:
    """Every worker that is registered, and those of these names, by name; two round trips.

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
