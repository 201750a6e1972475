"""Events of the queues as server-sent events."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from redis.exceptions import RedisError
from sse_starlette.event import ServerSentEvent
from sse_starlette.sse import EventSourceResponse
from starlette.concurrency import run_in_threadpool

from qa_queue.api.auth import Reader
from qa_queue.api.errors import Absent, answers
from qa_queue.api.schemas.parameters import KnownQueue
from qa_queue.errors import QAError
from qa_queue.queues.events import KINDS, EventKind, EventPage, QueueEvent
from qa_queue.services import Backend

LOOK_AGAIN_S = 0.25
KEEP_ALIVE_S = 15
LONGEST_S = 3600
EXAMPLE = 'id: 1767873600000-0\nevent: active\ndata: {"queue": "cleanup", "job_id": "0b0f...", ...}\n\n'
STREAM: dict[str, Any] = {
    "description": "A stream of events, each named by its kind, with its place as id.",
    "content": {"text/event-stream": {"schema": {"type": "string"}, "example": EXAMPLE}},
}


def router(backend: Backend) -> APIRouter:
    """The stream of all queues."""
    routes = APIRouter(tags=["queue"])

    @routes.get(
        "/events",
        response_class=EventSourceResponse,
        responses={200: STREAM, **answers()},
        summary="Follow the queues",
    )
    async def get_queue_events(
        _: Reader,
        queue: Annotated[KnownQueue | Absent, Query(description="Of this queue only.")] = None,
        event: Annotated[list[EventKind] | Absent, Query(description="Of these kinds only.")] = None,
        seconds: Annotated[
            int,
            Query(
                ge=0, le=LONGEST_S, description="End after this number of seconds; 0 returns existing events only."
            ),
        ] = LONGEST_S,
        last_event_id: Annotated[
            str | None, Header(pattern=r"^\d{1,15}(-\d{1,15})?$", description="Go on behind this event.")
        ] = None,
    ) -> EventSourceResponse:
        """Every event from now on, or from behind `Last-Event-ID`; the newest 20 000 are kept. An `EventSource`
        comes back on its own when the stream ends, with the last id that it has."""
        stream, kinds = backend.events, event or KINDS
        position = await run_in_threadpool(stream.last_id) if last_event_id is None else last_event_id

        async def read(behind: str) -> EventPage:
            return await run_in_threadpool(lambda: stream.page(behind, kinds=kinds, queue=queue))

        first = await read(position)
        return EventSourceResponse(_follow(read, first, min(seconds, LONGEST_S)), ping=KEEP_ALIVE_S)

    return routes


async def _follow(
    read: Callable[[str], Awaitable[EventPage]], page: EventPage, seconds: float
) -> AsyncIterator[ServerSentEvent]:
    """The events, the first ones at once, and in any time all that were there; ends quietly when Redis fails, so
    that the client asks again."""
    deadline = time.monotonic() + seconds
    while True:
        for event in page.events:
            yield _sent(event)
        if not page.more:
            if time.monotonic() >= deadline:
                return
            await asyncio.sleep(LOOK_AGAIN_S)
        try:
            page = await read(page.last_id)
        except (RedisError, QAError):
            return


def as_json(event: QueueEvent) -> dict[str, Any]:
    """An event for programs."""
    return {"queue": event.queue, "job_id": event.job_id, "at": event.at.isoformat(), "data": event.data}


def _sent(event: QueueEvent) -> ServerSentEvent:
    return ServerSentEvent(data=json.dumps(as_json(event)), event=event.kind, id=event.id)
