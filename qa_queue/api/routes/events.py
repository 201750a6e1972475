"""The progress of a run as server-sent events: the past reports, then new ones, until its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Response
from redis.exceptions import RedisError
from sse_starlette.event import ServerSentEvent
from sse_starlette.sse import EventSourceResponse
from starlette.concurrency import run_in_threadpool

from qa_queue.api.auth import Reader
from qa_queue.api.errors import answers
from qa_queue.errors import QAError
from qa_queue.progress import ProgressEvent
from qa_queue.services import Backend
from qa_queue.services.following import FROM_START, RunFollower

# Many readers share few threads, so none may block in Redis: each polls.
LOOK_AGAIN_S = 0.25
KEEP_ALIVE_S = 15
EXAMPLE = 'id: 1767873600000-0\nevent: progress\ndata: {"test_run_id": "0b0f...", "status": "running", ...}\n\n'
STREAM: dict[str, Any] = {
    "description": "A stream of `progress` events, each with the report as JSON and its place as id.",
    "content": {"text/event-stream": {"schema": {"type": "string"}, "example": EXAMPLE}},
}


def router(backend: Backend) -> APIRouter:
    """The stream of one run."""
    routes = APIRouter(prefix="/runs/{run_id}", tags=["runs"])

    @routes.get(
        "/events",
        response_class=EventSourceResponse,
        responses={200: STREAM, 204: {"description": "Nothing more will come."}, **answers(404)},
        summary="Follow a run",
    )
    async def get_events(
        run_id: str,
        _: Reader,
        last_event_id: Annotated[
            str, Header(pattern=r"^\d{1,15}(-\d{1,15})?$", description="Go on behind this event.")
        ] = FROM_START,
    ) -> Response:
        """Every report of the run from its beginning, or from behind `Last-Event-ID`, then new ones as they come.
        Ends after the last report of the run; 204 when there was nothing more, which stops an `EventSource`."""
        run = await run_in_threadpool(backend.run, run_id)
        follower = RunFollower(backend, {run.id: last_event_id})
        first = await run_in_threadpool(_read, follower)
        if last_event_id != FROM_START and not follower.waiting and not any(event.id for event in first):
            return Response(status_code=204)
        return EventSourceResponse(_follow(follower, first), ping=KEEP_ALIVE_S)

    return routes


async def _follow(follower: RunFollower, first: list[ProgressEvent]) -> AsyncIterator[ServerSentEvent]:
    """Yield the events; end when Redis or the store fails, so that the client asks again with its last id."""
    for event in first:
        yield _sent(event)
    while follower.waiting:
        await asyncio.sleep(LOOK_AGAIN_S)
        try:
            events = await run_in_threadpool(_read, follower)
        except (RedisError, QAError):
            return
        for event in events:
            yield _sent(event)


def _read(follower: RunFollower) -> list[ProgressEvent]:
    return list(follower.read())


def _sent(event: ProgressEvent) -> ServerSentEvent:
    return ServerSentEvent(data=event.progress.model_dump_json(), event="progress", id=event.id or None)
