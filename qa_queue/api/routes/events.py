"""The progress of a run as server-sent events: what was, then what comes, until its end."""

from __future__ import annotations

import asyncio
import time
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
from qa_queue.models import JobProgress
from qa_queue.progress import ProgressEvent
from qa_queue.services import Backend
from qa_queue.store.records import RunRecord

# Many readers share few threads, so none may block in Redis: each looks, and comes again.
LOOK_AGAIN_S = 0.25
ASK_STORE_S = 5.0  # whether a run that says nothing has ended; a worker may have died with its last words
KEEP_ALIVE_S = 15
FROM_START = "0"
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
        first = await run_in_threadpool(_read, backend, run.id, last_event_id)
        if run.status.final and not first:
            if last_event_id != FROM_START:
                return Response(status_code=204)
            return EventSourceResponse(_once(_said_by_store(run)), ping=KEEP_ALIVE_S)
        stream = _follow(backend, run.id, first, last_event_id)
        return EventSourceResponse(stream, ping=KEEP_ALIVE_S)

    return routes


async def _once(event: ServerSentEvent) -> AsyncIterator[ServerSentEvent]:
    yield event


async def _follow(
    backend: Backend, run_id: str, first: list[ProgressEvent], position: str
) -> AsyncIterator[ServerSentEvent]:
    """The events, the first ones at once; ends quietly when Redis or the store fails, so that the client asks again
    with the last id that it has."""
    events, heard = first, time.monotonic()
    while True:
        for event in events:
            position, heard = event.id, time.monotonic()
            yield _sent(event.progress, event.id)
            if event.progress.status.final:
                return
        try:
            if time.monotonic() - heard > ASK_STORE_S:
                heard = time.monotonic()
                run = await run_in_threadpool(backend.run, run_id)
                if run.status.final and not await run_in_threadpool(_read, backend, run_id, position):
                    yield _said_by_store(run)
                    return
            await asyncio.sleep(LOOK_AGAIN_S)
            events = await run_in_threadpool(_read, backend, run_id, position)
        except (RedisError, QAError):
            return


def _read(backend: Backend, run_id: str, position: str) -> list[ProgressEvent]:
    return list(backend.progress.follow(run_id, from_id=position, timeout=0))


def _said_by_store(run: RunRecord) -> ServerSentEvent:
    """The last word on a run whose reports are gone."""
    done = run.completed_steps + run.adapted_steps + run.failed_steps
    report = JobProgress(
        test_run_id=run.id,
        current_step=done,
        total_steps=run.total_steps,
        percentage=100 if run.status.good else round(100 * min(done, run.total_steps) / max(1, run.total_steps)),
        message=(run.error or "").split("\n")[0],
        status=run.status,
    )
    return _sent(report, None)


def _sent(progress: JobProgress, event_id: str | None) -> ServerSentEvent:
    return ServerSentEvent(data=progress.model_dump_json(), event="progress", id=event_id)
