"""What happens on the queues, as it happens: one stream for all, `qa:events`, of which the newest 20 000 are kept.

Kinds are waiting, delayed, active, progress, completed, failed (an attempt), retrying and dead.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from redis import Redis

from qa_queue.progress.stream import EVENTS_KEY

BLOCK_MS = 2_000  # the longest single wait inside Redis: after a failover a blocked read may never be answered
PAGE = 500
FROM_START = "0"
EventKind = Literal["waiting", "delayed", "active", "progress", "completed", "failed", "retrying", "dead"]
KINDS: tuple[EventKind, ...] = get_args(EventKind)


@dataclass(frozen=True, kw_only=True)
class QueueEvent:
    """Something that happened to a job; `id` is its place in the stream, from which `follow` can go on."""

    id: str
    kind: str
    queue: str
    job_id: str
    at: datetime
    data: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class EventPage:
    """Events in order; `last_id` is the place to go on from, also where none of those behind it were asked for."""

    events: tuple[QueueEvent, ...]
    last_id: str


class EventStream:
    """Follows what happens; any number of readers see the same, each at its own pace."""

    def __init__(self, connection: Redis) -> None:
        self._connection = connection

    def last_id(self) -> str:
        """The place of the latest event, to follow from here on."""
        entries: Any = self._connection.xrevrange(EVENTS_KEY, count=1)
        return entries[0][0].decode() if entries else FROM_START

    def page(
        self, from_id: str, *, kinds: Collection[str] = KINDS, queue: str | None = None, job_id: str | None = None
    ) -> EventPage:
        """Those of the next 500 events behind `from_id` that are asked for, without waiting for any.

        Raises:
            redis.exceptions.RedisError: Redis failed.
        """
        found = self._read(from_id, 0)
        asked = (one for one in found if _is_asked(one, kinds, queue, job_id))
        return EventPage(events=tuple(asked), last_id=found[-1].id if found else from_id)

    def follow(
        self,
        *,
        from_id: str | None = None,
        kinds: Collection[str] = KINDS,
        queue: str | None = None,
        job_id: str | None = None,
        timeout: float | None = None,
    ) -> Iterator[QueueEvent]:
        """Every event behind `from_id` (None: from now on), then new ones as they come, until `timeout` s are over.

        Raises:
            redis.exceptions.RedisError: Redis failed; go on from the last id that came.
        """
        last = self.last_id() if from_id is None else from_id
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            block_ms = BLOCK_MS if deadline is None else round((deadline - time.monotonic()) * 1000)
            for event in self._read(last, min(block_ms, BLOCK_MS)):
                last = event.id
                if _is_asked(event, kinds, queue, job_id):
                    yield event
            if block_ms <= 0:
                return

    def _read(self, last: str, block_ms: int) -> list[QueueEvent]:
        # Redis takes BLOCK 0 as "for ever".
        answer: Any = self._connection.xread(
            {EVENTS_KEY: last}, count=PAGE, block=block_ms if block_ms > 0 else None
        )
        return [_event(entry_id.decode(), fields) for _, entries in answer or [] for entry_id, fields in entries]


def _is_asked(event: QueueEvent, kinds: Collection[str], queue: str | None, job_id: str | None) -> bool:
    return event.kind in kinds and queue in (None, event.queue) and job_id in (None, event.job_id)


def _event(entry_id: str, fields: dict[bytes, bytes]) -> QueueEvent:
    milliseconds = int(entry_id.split("-", 1)[0])
    return QueueEvent(
        id=entry_id,
        kind=fields[b"event"].decode(),
        queue=fields[b"queue"].decode(),
        job_id=fields[b"job"].decode(),
        at=datetime.fromtimestamp(milliseconds / 1000, UTC),
        data=json.loads(fields[b"data"]),
    )
