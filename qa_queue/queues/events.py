"""What happens on the queues, as it happens: one stream for all, `qa:events`, of which the newest 20 000 are kept.

Kinds are waiting, delayed, active, progress, completed, failed (an attempt), retrying and dead.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from redis import Redis

from qa_queue.extensions import queue_names
from qa_queue.progress.reader import EVENTS_KEY
from qa_queue.redis import by_server, connection_of

BLOCK_MS = 2_000  # the longest single wait inside Redis: after a failover a blocked read may never be answered
PAGE = 500
TURN_MS = 250  # at one of several servers
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
    """Events in order; `last_id` is the place to go on from, also where none of those behind it were asked for.

    `more` says that others stood behind it already.
    """

    events: tuple[QueueEvent, ...]
    last_id: str
    more: bool


class EventStream:
    """Follows what happens; any number of readers see the same, each at its own pace.

    Where queues are on several Redis servers, events of all are told in the order of the servers' clocks. One whose
    clock is behind may have some left out; with `queue` given, only that queue's server is read, and none is.
    """

    def __init__(self, connection: Redis) -> None:
        self._connection = connection

    def last_id(self) -> str:
        """The place of the latest event, to follow from here on."""
        latest: list[Any] = [server.xrevrange(EVENTS_KEY, count=1) for server in self._servers(None)]
        ids = [entries[0][0].decode() for entries in latest if entries]
        return max(ids, key=_moment, default=FROM_START)

    def page(
        self, from_id: str, *, kinds: Collection[str] = KINDS, queue: str | None = None, job_id: str | None = None
    ) -> EventPage:
        """Those of the next 500 events behind `from_id` that are asked for, without waiting for any.

        Raises:
            redis.exceptions.RedisError: Redis failed.
        """
        found = self._read(self._servers(queue), from_id, 0)
        asked = (one for one in found if _is_asked(one, kinds, queue, job_id))
        last_id = found[-1].id if found else from_id
        return EventPage(events=tuple(asked), last_id=last_id, more=len(found) >= PAGE)

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

        However short that is, all that there was at its beginning is told.

        Raises:
            redis.exceptions.RedisError: Redis failed; go on from the last id that came.
        """
        servers = self._servers(queue)
        last = self.last_id() if from_id is None else from_id
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            block_ms = BLOCK_MS if deadline is None else round((deadline - time.monotonic()) * 1000)
            found = self._read(servers, last, min(block_ms, BLOCK_MS))
            for event in found:
                last = event.id
                if _is_asked(event, kinds, queue, job_id):
                    yield event
            if block_ms <= 0 and len(found) < PAGE:
                return

    def _servers(self, queue: str | None) -> list[Redis]:
        if queue is not None:
            return [connection_of(self._connection, queue)]
        return [server for server, _ in by_server(self._connection, queue_names())]

    def _read(self, servers: Sequence[Redis], last: str, block_ms: int) -> list[QueueEvent]:
        if len(servers) == 1:
            return _page(servers[0], last, block_ms)
        if found := merged([_page(server, last, 0) for server in servers]):
            return found
        # Nobody can wait at two servers at once: what comes at another is seen when this is over.
        return _page(servers[0], last, min(block_ms, TURN_MS)) if block_ms > 0 else []


def merged(pages: Sequence[Sequence[QueueEvent]]) -> list[QueueEvent]:
    """The events of several servers in order, as far as none of them may have more in between. Pure."""
    ends = [page[-1].id for page in pages if len(page) >= PAGE]
    bound = min(map(_moment, ends), default=None)
    events = sorted((event for page in pages for event in page), key=lambda event: _moment(event.id))
    return [event for event in events if bound is None or _moment(event.id) <= bound]


def _page(server: Redis, last: str, block_ms: int) -> list[QueueEvent]:
    # Redis takes BLOCK 0 as "for ever".
    answer: Any = server.xread({EVENTS_KEY: last}, count=PAGE, block=block_ms if block_ms > 0 else None)
    return [_event(entry_id.decode(), fields) for _, entries in answer or [] for entry_id, fields in entries]


def _moment(event_id: str) -> tuple[int, int]:
    milliseconds, _, number = event_id.partition("-")
    return int(milliseconds), int(number or 0)


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
