"""Server-sent events: the progress of a run, and the events of the queues.

Many readers share few threads, so no reader may block in Redis: each one polls.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from redis.exceptions import RedisError
from sse_starlette.event import ServerSentEvent
from sse_starlette.sse import EventSourceResponse
from starlette.concurrency import run_in_threadpool

from qa_queue.api.dependencies import KnownQueue, Reader, Service, ServiceReader
from qa_queue.api.errors import Absent, answers
from qa_queue.errors import QAError
from qa_queue.progress import FROM_START, ProgressEvent
from qa_queue.queues.events import KINDS, EventKind, EventPage, QueueEvent
from qa_queue.services.runs import RunFollower

POLL_S = 0.25
KEEP_ALIVE_S = 15
LONGEST_S = 3600
EVENT_ID = r"^\d{1,15}(-\d{1,15})?$"
routes = APIRouter()


def _stream(what: str, example: str) -> dict[str, Any]:
    """Return the description of a stream for the OpenAPI document."""
    return {
        "description": f"A stream of {what}, each with its position as id.",
        "content": {"text/event-stream": {"schema": {"type": "string"}, "example": example}},
    }


RUN_STREAM = _stream(
    "`progress` events with the report as JSON",
    'id: 1767873600000-0\nevent: progress\ndata: {"test_run_id": "0b0f...", "status": "running", ...}\n\n',
)
QUEUE_STREAM = _stream(
    "events named by their kind",
    'id: 1767873600000-0\nevent: active\ndata: {"queue": "cleanup", "job_id": "0b0f...", ...}\n\n',
)


@routes.get(
    "/runs/{run_id}/events",
    tags=["runs"],
    response_class=EventSourceResponse,
    responses={200: RUN_STREAM, 204: {"description": "There are no further events."}, **answers(404)},
    summary="Follow a run",
)
async def get_events(
    backend: Service,
    run_id: str,
    _: Reader,
    last_event_id: Annotated[str, Header(pattern=EVENT_ID, description="Continue after this event.")] = FROM_START,
) -> Response:
    """Return every report of the run from its start, or after `Last-Event-ID`, then new ones as they come.

    The stream ends after the last report of the run. 204 means that there was nothing more, which stops an
    `EventSource`.
    """
    run = await run_in_threadpool(backend.run, run_id)
    follower = RunFollower(backend, {run.id: last_event_id})
    first = await run_in_threadpool(_read, follower)
    if last_event_id != FROM_START and not follower.waiting and not any(event.id for event in first):
        return Response(status_code=204)
    return EventSourceResponse(_follow_run(follower, first), ping=KEEP_ALIVE_S)


@routes.get(
    "/events",
    tags=["queue"],
    response_class=EventSourceResponse,
    responses={200: QUEUE_STREAM, **answers()},
    summary="Follow the queues",
)
async def get_queue_events(
    backend: Service,
    _: ServiceReader,
    queue: Annotated[KnownQueue | Absent, Query(description="Only this queue.")] = None,
    event: Annotated[list[EventKind] | Absent, Query(description="Only these kinds.")] = None,
    seconds: Annotated[
        int,
        Query(ge=0, le=LONGEST_S, description="End after this number of seconds; 0 returns existing events only."),
    ] = LONGEST_S,
    last_event_id: Annotated[str | None, Header(pattern=EVENT_ID, description="Continue after this event.")] = None,
) -> EventSourceResponse:
    """Return every event from now on, or after `Last-Event-ID`; the newest 20,000 are kept.

    When the stream ends, an `EventSource` reconnects with the last id that it has.
    """
    stream, kinds = backend.events, event or KINDS
    position = await run_in_threadpool(stream.last_id) if last_event_id is None else last_event_id

    async def read(after: str) -> EventPage:
        return await run_in_threadpool(lambda: stream.page(after, kinds=kinds, queue=queue))

    first = await read(position)
    return EventSourceResponse(_follow_queues(read, first, min(seconds, LONGEST_S)), ping=KEEP_ALIVE_S)


async def _follow_run(follower: RunFollower, first: list[ProgressEvent]) -> AsyncIterator[ServerSentEvent]:
    """Yield the events; end when Redis or the store fails, so that the client reconnects with its last id."""
    for event in first:
        yield _progress_event(event)
    while follower.waiting:
        await asyncio.sleep(POLL_S)
        try:
            events = await run_in_threadpool(_read, follower)
        except (RedisError, QAError):
            return
        for event in events:
            yield _progress_event(event)


async def _follow_queues(
    read: Callable[[str], Awaitable[EventPage]], page: EventPage, seconds: float
) -> AsyncIterator[ServerSentEvent]:
    """Yield the events: existing ones in any case, then new ones; end when Redis fails, so that the client
    reconnects."""
    deadline = time.monotonic() + seconds
    while True:
        for event in page.events:
            yield _queue_event(event)
        if not page.more:
            if time.monotonic() >= deadline:
                return
            await asyncio.sleep(POLL_S)
        try:
            page = await read(page.last_id)
        except (RedisError, QAError):
            return


def _read(follower: RunFollower) -> list[ProgressEvent]:
    return list(follower.read())


def _progress_event(event: ProgressEvent) -> ServerSentEvent:
    return ServerSentEvent(data=event.progress.model_dump_json(), event="progress", id=event.id or None)


def _queue_event(event: QueueEvent) -> ServerSentEvent:
    content = {"queue": event.queue, "job_id": event.job_id, "at": event.at.isoformat(), "data": event.data}
    return ServerSentEvent(data=json.dumps(content), event=event.kind, id=event.id)
