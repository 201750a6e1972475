"""Events of all queues: one stream, `qa:events`, of which the newest 20 000 are kept.

Kinds are waiting, delayed, active, progress, completed, failed (an attempt), retrying and dead. Events inform; no
state depends on them, so an event that Redis refuses is lost and delays no job.
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
from qa_queue.progress.events import EVENTS_KEY, FROM_START
from qa_queue.queues.jobs import RESULT_TTL_S
from qa_queue.queues.keys import QueueScript
from qa_queue.redis import by_server, connection_of
from qa_queue.redis.counters import OUTCOMES_KEEP_S, EndedRun, bucket_field, retries_field, sum_field

BLOCK_MS = 2_000  # the longest single wait inside Redis: after a failover a blocked read may never be answered
PAGE = 500
TURN_MS = 250  # the longest wait at one of several servers
CLAIM_KEEP_S = 24 * 3600  # an idempotency key is kept for this time after its job has ended
EventKind = Literal["waiting", "delayed", "active", "progress", "completed", "failed", "retrying", "dead"]
WorkerEvent = Literal["active", "completed", "failed", "retrying", "dead"]
KINDS: tuple[EventKind, ...] = get_args(EventKind)

_RECORD = QueueScript.load("record_event")


@dataclass(frozen=True, kw_only=True)
class QueueEvent:
    """An event of a job; `id` is its position in the stream, from which `follow` can continue."""

    id: str
    kind: str
    queue: str
    job_id: str
    at: datetime
    data: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class EventPage:
    """Events in order; `last_id` is the position to continue from, also where the page holds none of that kind.

    With `more`, further events are in the stream already.
    """

    events: tuple[QueueEvent, ...]
    last_id: str
    more: bool


class EventStream:
    """Follows events; any number of readers see the same ones, each at its own pace.

    Where queues are on several Redis servers, their events are merged by the servers' clocks. Events of a server
    with a slow clock may be left out; with `queue` given, only that queue's server is read, and none is left out.
    """

    def __init__(self, connection: Redis) -> None:
        self._connection = connection

    def last_id(self) -> str:
        """Return the position of the latest event, to follow from now on."""
        latest: list[Any] = [server.xrevrange(EVENTS_KEY, count=1) for server in self._servers(None)]
        ids = [entries[0][0].decode() for entries in latest if entries]
        return max(ids, key=_position, default=FROM_START)

    def page(
        self, from_id: str, *, kinds: Collection[str] = KINDS, queue: str | None = None, job_id: str | None = None
    ) -> EventPage:
        """Return those of the next 500 events after `from_id` that match, without waiting for new ones.

        Raises:
            redis.exceptions.RedisError: Redis failed.
        """
        found = self._read(self._servers(queue), from_id, 0)
        matching = (event for event in found if _matches(event, kinds, queue, job_id))
        last_id = found[-1].id if found else from_id
        return EventPage(events=tuple(matching), last_id=last_id, more=len(found) >= PAGE)

    def follow(
        self,
        *,
        from_id: str | None = None,
        kinds: Collection[str] = KINDS,
        queue: str | None = None,
        job_id: str | None = None,
        timeout: float | None = None,
    ) -> Iterator[QueueEvent]:
        """Yield each matching event after `from_id` (None: from now on), then new ones, until `timeout` s are over.

        However short the timeout, it yields all events that were in the stream at its beginning.

        Raises:
            redis.exceptions.RedisError: Redis failed; continue from the id of the last event.
        """
        servers = self._servers(queue)
        last = self.last_id() if from_id is None else from_id
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            block_ms = BLOCK_MS if deadline is None else round((deadline - time.monotonic()) * 1000)
            found = self._read(servers, last, min(block_ms, BLOCK_MS))
            for event in found:
                last = event.id
                if _matches(event, kinds, queue, job_id):
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
        # A client cannot block on two servers at once: events of the others are read after this wait.
        return _page(servers[0], last, min(block_ms, TURN_MS)) if block_ms > 0 else []


def record_event(
    connection: Redis,
    queue: str,
    job_id: str,
    event: WorkerEvent,
    data: dict[str, Any],
    *,
    ran_ms: int | None = None,
    ended: EndedRun | None = None,
) -> None:
    """Record that a job started or that an attempt of it ended; frees its limits.

    `ran_ms` of a completed job counts for the estimates of waiting ones. `ended` of a job that has no attempt left
    is counted for metrics and alerts. The claim of such a job and its failed attempts expire with it.

    Raises:
        redis.exceptions.RedisError: Redis failed.
    """
    keep_claim = CLAIM_KEEP_S if event in ("completed", "dead") else ""
    keep_attempts = RESULT_TTL_S if event == "completed" else ""  # those of a dead letter are kept as long as it is
    counter = retries_field(queue) if event == "retrying" else ""
    duration = "" if ran_ms is None else ran_ms
    arguments = [job_id, event, json.dumps(data), duration, keep_claim, keep_attempts, counter]
    _RECORD.run(connection, [queue], *arguments, *_counted(queue, ended))


def _counted(queue: str, ended: EndedRun | None) -> list[Any]:
    if ended is None:
        return []
    labels = ("job", queue, ended.outcome)
    fields = [bucket_field(*labels, ended.ran_ms), sum_field(*labels), f"{queue}|{ended.outcome}"]
    return [ended.ran_ms, *fields, OUTCOMES_KEEP_S]


def merged(pages: Sequence[Sequence[QueueEvent]]) -> list[QueueEvent]:
    """Return the events of several servers in order, up to the first point where a server may have more. Pure."""
    ends = [page[-1].id for page in pages if len(page) >= PAGE]
    bound = min(map(_position, ends), default=None)
    events = sorted((event for page in pages for event in page), key=lambda event: _position(event.id))
    return [event for event in events if bound is None or _position(event.id) <= bound]


def _page(server: Redis, last: str, block_ms: int) -> list[QueueEvent]:
    # Redis takes BLOCK 0 as "forever".
    reply: Any = server.xread({EVENTS_KEY: last}, count=PAGE, block=block_ms if block_ms > 0 else None)
    return [_event(entry_id.decode(), fields) for _, entries in reply or [] for entry_id, fields in entries]


def _position(event_id: str) -> tuple[int, int]:
    milliseconds, _, number = event_id.partition("-")
    return int(milliseconds), int(number or 0)


def _matches(event: QueueEvent, kinds: Collection[str], queue: str | None, job_id: str | None) -> bool:
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
