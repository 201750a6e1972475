"""The child of a worker: one event loop and one runtime, with its warm browser, for all of the worker's jobs.

Started as `python -m qa_queue.worker.child FD PARENT_PID`; `FD` is its end of the socket to the worker.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable
from typing import Any

from pydantic_core import PydanticSerializationError

from qa_queue.errors import InputError, QAError
from qa_queue.settings import Settings, load_settings, on_redis
from qa_queue.settings.logs import configure_logging
from qa_queue.worker.die_with_parent import die_with_parent
from qa_queue.worker.ipc import (
    Abandon,
    Broken,
    Cancel,
    ChildFailure,
    Done,
    Failed,
    Hold,
    LineBuffer,
    Message,
    Noted,
    Ready,
    Release,
    Run,
    Start,
    Stop,
    Vitals,
    decode,
    encode,
)
from qa_queue.worker.outcome import describe, rebuild
from qa_queue.worker.runtime import JobRuntime, Reporting, load_factory

log = logging.getLogger(__name__)
_CHUNK = 1 << 16
_LOOK_S = 0.5  # between two looks for an obstacle
_VITALS_S = 2.0  # between two reports


class Child:
    """Runs what the parent says, each job as a task of its own."""

    def __init__(self, runtime: JobRuntime, writer: asyncio.StreamWriter) -> None:
        self._runtime = runtime
        self._writer = writer
        self._runs: dict[str, asyncio.Task[None]] = {}
        self._others: set[asyncio.Task[None]] = set()
        self._reasons: dict[str, ChildFailure] = {}
        self._stop = asyncio.Event()

    async def serve(self, messages: AsyncIterator[Message]) -> None:
        """Do what comes in until told to stop, then finish what runs."""
        listening = asyncio.create_task(self._listen(messages))
        looking = asyncio.create_task(self._look_for_obstacles())
        reporting = asyncio.create_task(self._report_vitals())
        await self._stop.wait()
        while tasks := {*self._runs.values(), *self._others}:
            await asyncio.gather(*tasks, return_exceptions=True)
        listening.cancel()
        looking.cancel()
        reporting.cancel()

    async def _look_for_obstacles(self) -> None:
        known: str | None = None
        while True:
            if (reason := self._runtime.obstacle()) != known:
                known = reason
                await self._send(encode(Hold(reason=reason)))
            await asyncio.sleep(_LOOK_S)

    async def _report_vitals(self) -> None:
        known: Vitals | None = None
        while isinstance(self._runtime, Reporting):
            vitals = Vitals(**self._runtime.vitals())
            if vitals != known:
                known = vitals
                await self._send(encode(vitals))
            await asyncio.sleep(_VITALS_S)

    async def _listen(self, messages: AsyncIterator[Message]) -> None:
        async for message in messages:
            self._handle(message)
        log.error("The worker is gone; its child process ends.")
        os._exit(1)  # nobody is left to answer to: no clean-up may hold this process here

    def _handle(self, message: Message) -> None:
        match message:
            case Run():
                self._runs[message.id] = asyncio.create_task(self._run(message))
            case Cancel() if message.id in self._runs:
                self._reasons[message.id] = message.failure
                self._runs[message.id].cancel()
            case Abandon() | Release():
                task = asyncio.create_task(self._note(message))
                self._others.add(task)
                task.add_done_callback(self._others.discard)
            case Stop():
                self._stop.set()
            case _:
                log.debug("Nothing to do for %s", message.type)

    async def _run(self, job: Run) -> None:
        try:
            answer: Message = Done(
                id=job.id, result=await self._runtime.perform(job.function, job.data, job.context)
            )
            line = encode(answer)
        except asyncio.CancelledError:
            failure = self._reasons.pop(job.id, None) or describe(QAError("the run was interrupted"))
            line = encode(Failed(id=job.id, failure=failure))
        except PydanticSerializationError as error:
            wrong = InputError(f"the result of job {job.context.job_id} is no JSON: {error}")
            line = encode(Failed(id=job.id, failure=describe(wrong)))
        except Exception as error:  # noqa: BLE001 - whatever a processor raises is an answer
            line = encode(Failed(id=job.id, failure=describe(error)))
        finally:
            self._runs.pop(job.id, None)
        await self._send(line)

    async def _note(self, message: Abandon | Release) -> None:
        error = None
        try:
            if isinstance(message, Abandon):
                await self._runtime.abandon(message.context, rebuild(message.failure))
            else:
                await self._runtime.release(message.context)
        except Exception as problem:
            log.exception("What became of job %s could not be recorded", message.context.job_id)
            error = str(problem)
        await self._send(encode(Noted(id=message.id, error=error)))

    async def _send(self, line: bytes) -> None:
        self._writer.write(line)
        await self._writer.drain()


async def _messages(reader: asyncio.StreamReader) -> AsyncIterator[Message]:
    lines = LineBuffer()
    while data := await reader.read(_CHUNK):
        for line in lines.feed(data):
            yield decode(line)


async def _main(sock: socket.socket, settings: Settings) -> None:
    reader, writer = await asyncio.open_unix_connection(sock=sock)
    messages = _messages(reader)
    start = await anext(messages)
    assert isinstance(start, Start)
    try:
        settings = on_redis(settings, start.redis_url) if start.redis_url else settings
        runtime = load_factory(settings.qa_runtime)(settings, start.queues)
        async with runtime:
            writer.write(encode(Ready()))
            await Child(runtime, writer).serve(messages)
    except QAError as error:
        writer.write(encode(Broken(failure=describe(error))))
    finally:
        writer.close()
        await _quietly(writer.wait_closed())


async def _quietly(closing: Awaitable[Any]) -> None:
    try:
        await closing
    except OSError:
        log.debug("The worker was gone before its child had closed the channel")


def main(fd: int, parent: int) -> None:
    """Serve the parent at the other end of `fd` until it says stop or is gone."""
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the parent decides
    settings = load_settings()
    configure_logging(settings.log_level, settings.log_format)
    asyncio.run(_main(socket.socket(fileno=fd), settings))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
